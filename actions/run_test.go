package actions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect returns a client of a sandbox of the test's own.
func connect(t *testing.T) (*soke.Client, *sandbox.Server) {
	t.Helper()
	box := sandbox.New(sandbox.Options{})
	return connectTo(t, box), box
}

func connectTo(t *testing.T, upstream http.Handler) *soke.Client {
	t.Helper()
	server := httptest.NewServer(upstream)
	t.Cleanup(server.Close)
	client, err := soke.New(soke.Options{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

const activeKey = "sk_live_sandbox_active"

func credential(t *testing.T, key string) soke.Credential {
	t.Helper()
	k, err := soke.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return soke.Credential{Key: k}
}

// output runs an action on a form.
func output(t *testing.T, s *soke.Session, key, form string) (any, error) {
	t.Helper()
	object, err := schemas.ParseObject([]byte(form))
	if err != nil {
		t.Fatal(err)
	}
	bound, err := named(t, key).Bind(object)
	if err != nil {
		t.Fatal(err)
	}
	return bound.Run(t.Context(), s)
}

// run is output as JSON.
func run(t *testing.T, s *soke.Session, key, form string) (map[string]any, error) {
	t.Helper()
	out, err := output(t, s, key, form)
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

// example is a call of an action with the examples of its inputs.
func example(t *testing.T, a actions.Action) string {
	t.Helper()
	form := map[string]any{}
	for _, f := range a.Input.Fields {
		if f.Example != nil {
			form[f.Name] = f.Example
		}
	}
	b, err := json.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOutputsAndSamplesFitTheirSchemas(t *testing.T) {
	client, _ := connect(t)
	s := client.Session(credential(t, activeKey))
	for _, a := range actions.All() {
		schema, sample := compiled(t, a), plain(t, a.Sample)
		if err := schema.Validate(sample); err != nil {
			t.Errorf("the sample of %s: %v", a.Key, err)
		}
		out, err := run(t, s, a.Key, example(t, a))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(out); err != nil {
			t.Errorf("the output of %s: %v", a.Key, err)
		}
		for field := range sample {
			if _, ok := out[field]; !ok {
				t.Errorf("%s has %s in its sample and not in its output", a.Key, field)
			}
			delete(sample, field)
			if err := schema.Validate(sample); err == nil {
				t.Errorf("%s may be missing from what %s promises", field, a.Key)
			}
			sample[field] = plain(t, a.Sample)[field]
		}
	}
}

func compiled(t *testing.T, a actions.Action) *jsonschema.Schema {
	t.Helper()
	b, err := json.Marshal(a.Output.Schema)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
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

func TestEveryActionIsPaidOnceAndTellsWhatIsLeft(t *testing.T) {
	for _, a := range actions.All() {
		client, box := connect(t)
		out, err := run(t, client.Session(credential(t, activeKey)), a.Key, example(t, a))
		if err != nil {
			t.Fatal(err)
		}
		if n := box.Charged(activeKey); n != a.Credits || out["creditsRemaining"] != float64(1_000_000-n) || out["requestId"] == "" {
			t.Errorf("%s costs %d, was charged %d and says %v are left (%v)", a.Key, a.Credits, n, out["creditsRemaining"], out["requestId"])
		}
	}
}

func TestTheShortWayToEncodeAResearchIsTheLongOne(t *testing.T) {
	number := 0.5
	for _, out := range []actions.ResearchOutput{
		{Keywords: []soke.Keyword{}},
		{Topic: `"keywords":null`, Keywords: []soke.Keyword{{Keyword: `a"b`, CompetitionScore: &number}, {Keyword: "c"}}, Count: 2, RequestID: "r"},
		{Topic: "<&>", Keywords: []soke.Keyword{}, TopVideos: []json.RawMessage{json.RawMessage(`{"a":1}`)}},
	} {
		short, err := out.MarshalOutput()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := plain(t, json.RawMessage(short)), plain(t, out); !reflect.DeepEqual(got, want) {
			t.Errorf("%v is not %v", got, want)
		}
	}
}

func TestAConversationIsRefusedForAKeyBeforeSokeIsAsked(t *testing.T) {
	client, box := connect(t)
	_, err := run(t, client.Session(credential(t, activeKey)), "chat-completion", `{"prompt":"hi","conversationId":"conv_1"}`)
	var fault *schemas.FieldError
	if !errors.As(err, &fault) || fault.Field != "conversationId" {
		t.Errorf("got %v", err)
	}
	if n := box.CallCount("chat/completions"); n != 0 {
		t.Errorf("Soke was asked %d times", n)
	}
}

func TestASignedInUserResumesAConversation(t *testing.T) {
	client, _ := connect(t)
	source, err := client.Login(context.Background(), "demo@example.com", "sandbox")
	if err != nil {
		t.Fatal(err)
	}
	s := client.SignedIn(source, "")
	first, err := run(t, s, "chat-completion", `{"prompt":"hi"}`)
	if err != nil || first["conversationId"] == "" {
		t.Fatalf("%v %v", first, err)
	}
	form, err := json.Marshal(map[string]any{"prompt": "and then?", "conversationId": first["conversationId"]})
	if err != nil {
		t.Fatal(err)
	}
	second, err := run(t, s, "chat-completion", string(form))
	if err != nil || second["conversationId"] != first["conversationId"] || !strings.Contains(second["content"].(string), "message 3 ") {
		t.Errorf("%v %v", second, err)
	}
}

func TestWhatSokeRefusesIsAnErrorWithItsCode(t *testing.T) {
	for name, want := range map[string]soke.Code{
		"expired": soke.SubscriptionRequired, "revoked": soke.Unauthorized, "forbidden": soke.Forbidden,
		"nocredits": soke.InsufficientCredits, "broken": soke.InternalError, "garbled": soke.UpstreamUnavailable,
	} {
		for _, a := range actions.All() {
			client, _ := connect(t)
			out, err := run(t, client.Session(credential(t, "sk_live_sandbox_"+name)), a.Key, example(t, a))
			var failure *soke.Error
			if !errors.As(err, &failure) || failure.Code != want {
				t.Errorf("%s with %s: %v, %v", a.Key, name, out, err)
			}
		}
	}
	client, _ := connect(t)
	_, err := run(t, client.Session(credential(t, activeKey)), "research-keywords", `{"topic":"x","platform":"TikTok"}`)
	var failure *soke.Error
	if !errors.As(err, &failure) || failure.Code != soke.PlatformNotImplemented {
		t.Errorf("another platform: %v", err)
	}
}
