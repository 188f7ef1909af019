package actions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

func named(t testing.TB, key string) actions.Action {
	t.Helper()
	for _, a := range actions.All() {
		if a.Key == key {
			return a
		}
	}
	t.Fatalf("there is no action %s", key)
	return actions.Action{}
}

// bind returns a form as the action takes it, in canonical JSON, or the fault in it.
func bind(t testing.TB, a actions.Action, form string) (string, *schemas.FieldError) {
	t.Helper()
	object, err := schemas.ParseObject([]byte(form))
	if err == nil {
		var bound actions.Bound
		if bound, err = a.Bind(object); err == nil {
			b, err := json.Marshal(bound.Input)
			if err != nil {
				t.Fatal(err)
			}
			return string(b), nil
		}
	}
	var fault *schemas.FieldError
	if !errors.As(err, &fault) {
		t.Fatalf("%s: %v is no FieldError", form, err)
	}
	return "", fault
}

func TestFormsThatMeanTheSameBindToTheSameInput(t *testing.T) {
	for want, forms := range map[string][]string{
		`research-keywords {"platform":"youtube","region":"US","maxResults":20,"recencyDays":365}`: {
			`{}`, `{"topic":""}`, `{"topic":null,"platform":"","niche":" ","region":null,"maxResults":"","recencyDays":null}`,
		},
		`research-keywords {"topic":"home espresso","platform":"youtube","region":"DE","maxResults":7,"recencyDays":30}`: {
			`{"topic":"home espresso","region":"DE","maxResults":7,"recencyDays":30}`,
			`{"topic":"  home espresso\t","region":" de ","maxResults":"7","recencyDays":" 30 ","niche":""}`,
			`{"topic":"home espresso","region":"DE","maxResults":7.0,"recencyDays":"3e1","platform":"YouTube"}`,
		},
		`research-keywords {"topic":"2026","platform":"youtube","region":"US","maxResults":20,"recencyDays":365}`: {
			`{"topic":"2026"}`, `{"topic":2026}`,
		},
		`chat-completion {"prompt":"hi","platform":"youtube","model":"soke-v1"}`: {
			`{"prompt":"hi"}`, `{"prompt":" hi ","messages":[],"model":"","connectionId":null,"conversationId":""}`, `{"prompt":"hi","messages":""}`,
		},
		`chat-completion {"prompt":"a\nb\tc","platform":"youtube","model":"soke-v1"}`: {
			`{"prompt":"a\nb\tc\n"}`,
		},
		`chat-completion {"messages":[{"role":"user","content":"y"}],"platform":"youtube","model":"soke-v1"}`: {
			`{"messages":[{"role":"user","content":"y"}]}`, `{"prompt":"","messages":[{"role":" User ","content":" y "}]}`,
			`{"messages":"[{\"role\":\"user\",\"content\":\"y\"}]"}`, `{"messages":{"role":"user","content":"y"},"prompt":null}`,
		},
	} {
		key, want, _ := strings.Cut(want, " ")
		for _, form := range forms {
			if got, fault := bind(t, named(t, key), form); got != want {
				t.Errorf("%s binds to %s (%v), want %s", form, got, fault, want)
			}
		}
	}
}

func TestAnInputAtFaultIsNamedWithWhatWouldBeAccepted(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	turns := func(n int) string {
		return `{"messages":[` + strings.TrimSuffix(strings.Repeat(`{"role":"user","content":"x"},`, n), ",") + `]}`
	}
	for _, c := range []struct{ key, form, field, says string }{
		{"research-keywords", `{"maxResults":0}`, "maxResults", "from 1 to 50"},
		{"research-keywords", `{"maxResults":51}`, "maxResults", "from 1 to 50"},
		{"research-keywords", `{"maxResults":"51"}`, "maxResults", "from 1 to 50"},
		{"research-keywords", `{"maxResults":"abc"}`, "maxResults", "whole number"},
		{"research-keywords", `{"maxResults":1.5}`, "maxResults", "whole number"},
		{"research-keywords", `{"maxResults":true}`, "maxResults", "whole number"},
		{"research-keywords", `{"maxResults":1e400}`, "maxResults", "out of range"},
		{"research-keywords", `{"maxResults":[20]}`, "maxResults", "a list is not"},
		{"research-keywords", `{"recencyDays":0}`, "recencyDays", "from 1 to 3650"},
		{"research-keywords", `{"recencyDays":3651}`, "recencyDays", "from 1 to 3650"},
		{"research-keywords", `{"region":"Germany"}`, "region", "such as US"},
		{"research-keywords", `{"region":"UK"}`, "region", "not a country code"},
		{"research-keywords", `{"topic":"` + long(201) + `"}`, "topic", "at most 200"},
		{"research-keywords", `{"niche":"` + long(101) + `"}`, "niche", "at most 100"},
		{"research-keywords", `{"topic":"a\u0000b"}`, "topic", "U+0000"},
		{"research-keywords", `{"topic":"a\nb"}`, "topic", "U+000A"},
		{"research-keywords", `{"niche":"a\u0085b"}`, "niche", "U+0085"},
		{"research-keywords", `{"topik":"x"}`, "topik", `the nearest is "topic"`},
		{"research-keywords", `{"max_results":5}`, "max_results", `the nearest is "maxResults"`},
		{"research-keywords", `{"MaxResults":5}`, "MaxResults", `the nearest is "maxResults"`},
		{"research-keywords", `{"unheard of":""}`, "unheard of", "known are topic,"},
		{"research-keywords", `{"topic":["a","b"]}`, "topic", "a list is not text"},
		{"research-keywords", `{"topic":"x","topic":"y"}`, "topic", "twice"},
		{"research-keywords", `[]`, "", "one JSON object"},
		{"research-keywords", `{"topic":"x"} {}`, "", "one JSON object"},
		{"research-keywords", ``, "", "one JSON object"},
		{"chat-completion", `{}`, "prompt", "so is Messages"},
		{"chat-completion", `{"prompt":" ","messages":[]}`, "prompt", "so is Messages"},
		{"chat-completion", `{"prompt":"x","messages":[{"role":"user","content":"y"}]}`, "prompt", "Messages"},
		{"chat-completion", `{"promt":"x"}`, "promt", `the nearest is "prompt"`},
		{"chat-completion", `{"prompt":"x","stream":true}`, "stream", "known are prompt,"},
		{"chat-completion", `{"prompt":"a\u0007b"}`, "prompt", "U+0007"},
		{"chat-completion", `{"prompt":"` + long(32001) + `"}`, "prompt", "at most 32000"},
		{"chat-completion", `{"messages":[{"role":"system","content":"y"}]}`, "messages[0].role", "user"},
		{"chat-completion", `{"messages":[{"role":"user","content":"x"},{"role":"user"}]}`, "messages[1].content", "missing"},
		{"chat-completion", `{"messages":[{"content":"x"}]}`, "messages[0].role", "missing"},
		{"chat-completion", `{"messages":[{"role":"user","content":"a\u001bb"}]}`, "messages[0].content", "U+001B"},
		{"chat-completion", `{"messages":[{"role":"user","content":"x","rule":"z"}]}`, "messages[0].rule", `"role"`},
		{"chat-completion", `{"messages":"hello"}`, "messages", "a list of 1 to 100 objects"},
		{"chat-completion", turns(101), "messages", "1 to 100"},
	} {
		got, fault := bind(t, named(t, c.key), c.form)
		if fault == nil || fault.Field != c.field || !strings.Contains(fault.Error(), c.says) {
			t.Errorf("%.60s: bound to %q, %+v; want field %q and %q", c.form, got, fault, c.field, c.says)
		}
	}
	for _, form := range []string{`{"prompt":"` + long(32000) + `"}`, turns(100)} {
		if _, fault := bind(t, named(t, "chat-completion"), form); fault != nil {
			t.Errorf("%.60s is the largest that is allowed: %v", form, fault)
		}
	}
}

func TestAListOrABooleanMayComeAsText(t *testing.T) {
	type input struct {
		Tags  []string `json:"tags,omitempty" title:"Tags" validate:"omitempty,max=10,dive,max=20"`
		Exact bool     `json:"exact" title:"Exact"`
	}
	a := actions.New(actions.Action{Key: "a"}, func(context.Context, *soke.Session, input) (struct{}, error) { return struct{}{}, nil })
	for _, c := range []struct{ form, want string }{
		{`{"tags":["a","b"],"exact":true}`, `{"tags":["a","b"],"exact":true}`},
		{`{"tags":"a, b","exact":"true"}`, `{"tags":["a","b"],"exact":true}`},
		{`{"tags":"a\nb\n","exact":"TRUE"}`, `{"tags":["a","b"],"exact":true}`},
		{`{"tags":"a","exact":"false"}`, `{"tags":["a"],"exact":false}`},
		{`{"tags":"","exact":""}`, `{"exact":false}`},
		{`{"tags":null,"exact":null}`, `{"exact":false}`},
		{`{"exact":"maybe"}`, `exact`},
		{`{"tags":[{"a":1}]}`, `tags[0]`},
	} {
		got, fault := bind(t, a, c.form)
		if fault != nil {
			got = fault.Field
		}
		if got != c.want {
			t.Errorf("%s is %s (%v), want %s", c.form, got, fault, c.want)
		}
	}
}

func TestADeclarationThatNoFormCanShowIsFoundAtOnce(t *testing.T) {
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, "action odd: input") {
			t.Errorf("it says %s", said)
		}
	}()
	type input struct{ F [][]string }
	actions.New(actions.Action{Key: "odd"}, func(context.Context, *soke.Session, input) (struct{}, error) { return struct{}{}, nil })
}

// FuzzBind holds every action to two promises: whatever is sent, it is bound or a field is at
// fault; and what is bound is bound to the same once more.
func FuzzBind(f *testing.F) {
	for _, form := range []string{
		`{}`, `{"topic":" a ","maxResults":"7","region":"de","recencyDays":3e1}`, `{"topik":1}`, `{"prompt":"a\nb"}`,
		`{"messages":[{"role":"user","content":"y"}]}`, `{"messages":"[{}]"}`, `[`, "{\"topic\":\"\xff\"}", `{"topic":"\ud800"}`, `{"a":{"b":[1]}}`,
	} {
		f.Add(form)
	}
	all := actions.All()
	f.Fuzz(func(t *testing.T, form string) {
		for _, a := range all {
			once, fault := bind(t, a, form)
			if fault != nil {
				if n := len([]rune(fault.Error())); n == 0 || n > 300 {
					t.Errorf("%s: an error of %d characters: %v", a.Key, n, fault)
				}
				continue
			}
			if twice, fault := bind(t, a, once); twice != once {
				t.Errorf("%s: %q binds to %s and that to %s (%v)", a.Key, form, once, twice, fault)
			}
		}
	})
}
