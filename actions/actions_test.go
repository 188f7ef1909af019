package actions_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

func named(t *testing.T, key string) actions.Action {
	t.Helper()
	for _, a := range actions.All() {
		if a.Key == key {
			return a
		}
	}
	t.Fatalf("there is no action %s", key)
	return actions.Action{}
}

// bind returns the input as canonical JSON, or the field at fault and the sentence about it.
func bind(t *testing.T, key, form string) (input, field, sentence string) {
	t.Helper()
	object, err := schemas.ParseObject([]byte(form))
	if err == nil {
		var bound actions.Bound
		if bound, err = named(t, key).Bind(object); err == nil {
			b, err := json.Marshal(bound.Input)
			if err != nil {
				t.Fatal(err)
			}
			return string(b), "", ""
		}
	}
	var fault *schemas.FieldError
	if !errors.As(err, &fault) {
		t.Fatalf("%s: %v is no FieldError", form, err)
	}
	return "", fault.Field, fault.Error()
}

const defaults = `"platform":"youtube","region":"US","maxResults":20,"recencyDays":365}`

func TestFormsThatMeanTheSameBindToTheSameInput(t *testing.T) {
	for _, same := range []struct{ key, want string }{
		{"research-keywords", `{"topic":"home espresso",` + defaults},
		{"chat-completion", `{"prompt":"hi","platform":"youtube","model":"soke-v1"}`},
	} {
		forms := map[string][]string{
			"research-keywords": {
				`{"topic":"home espresso"}`,
				`{"topic":"  home espresso ","niche":"","region":null,"maxResults":""}`,
				`{"topic":"home espresso","maxResults":"20","recencyDays":"365","region":"us"}`,
				`{"topic":"home espresso","maxResults":20.0,"platform":"YouTube"}`,
			},
			"chat-completion": {
				`{"prompt":"hi"}`, `{"prompt":" hi ","messages":[],"model":"","connectionId":null}`, `{"prompt":"hi","messages":""}`,
			},
		}
		for _, form := range forms[same.key] {
			if got, field, sentence := bind(t, same.key, form); got != same.want {
				t.Errorf("%s binds to %s (%s %s), want %s", form, got, field, sentence, same.want)
			}
		}
	}
}

func TestAnInputAtFaultIsNamedWithWhatWouldBeAccepted(t *testing.T) {
	for _, c := range []struct{ key, form, field, says string }{
		{"research-keywords", `{"maxResults":0}`, "maxResults", "from 1 to 50"},
		{"research-keywords", `{"maxResults":51}`, "maxResults", "from 1 to 50"},
		{"research-keywords", `{"maxResults":"abc"}`, "maxResults", "whole number"},
		{"research-keywords", `{"maxResults":1.5}`, "maxResults", "whole number"},
		{"research-keywords", `{"recencyDays":3651}`, "recencyDays", "from 1 to 3650"},
		{"research-keywords", `{"region":"Germany"}`, "region", ""},
		{"research-keywords", `{"topic":"` + strings.Repeat("x", 201) + `"}`, "topic", "200"},
		{"research-keywords", `{"topic":"a\u0000b"}`, "topic", "control"},
		{"research-keywords", `{"topik":"x"}`, "topik", "topic"},
		{"research-keywords", `{"max_results":5}`, "max_results", "maxResults"},
		{"research-keywords", `{"topic":["a","b"]}`, "topic", ""},
		{"research-keywords", `[]`, "", ""},
		{"chat-completion", `{}`, "prompt", "Messages"},
		{"chat-completion", `{"prompt":"x","messages":[{"role":"user","content":"y"}]}`, "prompt", ""},
		{"chat-completion", `{"messages":[{"role":"system","content":"y"}]}`, "messages[0].role", "user"},
		{"chat-completion", `{"messages":[{"role":"user"}]}`, "messages[0].content", ""},
		{"chat-completion", `{"prompt":"` + strings.Repeat("x", 32001) + `"}`, "prompt", ""},
	} {
		got, field, sentence := bind(t, c.key, c.form)
		if got != "" || field != c.field || !strings.Contains(strings.ToLower(sentence), strings.ToLower(c.says)) {
			t.Errorf("%.60s: bound to %q, field %q, %q", c.form, got, field, sentence)
		}
	}
}

// session is one on a real sandbox.
func session(t *testing.T) *soke.Session {
	t.Helper()
	upstream := httptest.NewServer(sandbox.New(sandbox.Options{}))
	t.Cleanup(upstream.Close)
	client, err := soke.New(soke.Options{BaseURL: upstream.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	key, err := soke.ParseKey("sk_live_sandbox_active")
	if err != nil {
		t.Fatal(err)
	}
	return client.Session(soke.Credential{Key: key})
}

// run runs an action and returns its output as JSON.
func run(t *testing.T, s *soke.Session, key, form string) (map[string]any, error) {
	t.Helper()
	object, err := schemas.ParseObject([]byte(form))
	if err != nil {
		t.Fatal(err)
	}
	bound, err := named(t, key).Bind(object)
	if err != nil {
		t.Fatal(err)
	}
	out, err := bound.Run(context.Background(), s)
	if err != nil {
		return nil, err
	}
	return plain(t, out), nil
}

func plain(t *testing.T, v any) (o map[string]any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOutputsAndSamplesFitTheirSchemas(t *testing.T) {
	s := session(t)
	for key, form := range map[string]string{
		"research-keywords": `{"topic":"home espresso"}`,
		"chat-completion":   `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},{"role":"user","content":"titles?"}]}`,
	} {
		schema := compiled(t, named(t, key))
		if err := schema.Validate(plain(t, named(t, key).Sample)); err != nil {
			t.Errorf("the sample of %s: %v", key, err)
		}
		out, err := run(t, s, key, form)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(out); err != nil {
			t.Errorf("the output of %s: %v", key, err)
		}
		for field := range plain(t, named(t, key).Sample) {
			if _, ok := out[field]; !ok {
				t.Errorf("%s has %s in its sample and not in its output", key, field)
			}
		}
	}
}

func compiled(t *testing.T, a actions.Action) *jsonschema.Schema {
	t.Helper()
	b, err := json.Marshal(a.Output.Schema)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("output.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("output.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestKeywordsGoOutAsSokeSentThem(t *testing.T) {
	out, err := run(t, session(t), "research-keywords", `{"topic":"home espresso","maxResults":3}`)
	if err != nil {
		t.Fatal(err)
	}
	list := out["keywords"].([]any)
	if len(list) != 3 || out["count"] != 3.0 || out["topic"] != "home espresso" {
		t.Fatalf("%v", out)
	}
	for _, k := range list {
		if _, ok := k.(map[string]any)["longTail"]; !ok {
			t.Errorf("%v has lost its long tail", k)
		}
	}
}

func TestTheShortWayToEncodeAResearchIsTheLongOne(t *testing.T) {
	number := 0.5
	for _, out := range []actions.ResearchOutput{
		{Keywords: []soke.Keyword{}},
		{Topic: `"keywords":null`, Keywords: []soke.Keyword{{Keyword: `a"b`, CompetitionScore: &number}, {Keyword: "c"}}, Count: 2, RequestID: "r"},
		{Topic: "<&>", TopVideos: []json.RawMessage{json.RawMessage(`{"a":1}`)}},
	} {
		short, err := out.MarshalOutput()
		if err != nil {
			t.Fatal(err)
		}
		if out.Keywords == nil {
			out.Keywords = []soke.Keyword{}
		}
		var a, b any
		long, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		if json.Unmarshal(short, &a) != nil || json.Unmarshal(long, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s is not %s", short, long)
		}
	}
}

func TestAConversationIsRefusedForAKeyBeforeSokeIsAsked(t *testing.T) {
	_, err := run(t, session(t), "chat-completion", `{"prompt":"hi","conversationId":"conv_1"}`)
	var fault *schemas.FieldError
	if !errors.As(err, &fault) || fault.Field != "conversationId" {
		t.Errorf("got %v", err)
	}
}
