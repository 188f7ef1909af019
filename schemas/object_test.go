package schemas_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/schemas"
)

func TestABodyIsOneJSONObject(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n-1) + `{}` + strings.Repeat(`}`, n-1) }
	for _, body := range []string{`{}`, "\ufeff {}\r\n", nested(32), `{"a":[1,-2.5e+3,"\"\\\/\b\f\n\r\t\u00e9",null,true,[],{}]}`} {
		if _, err := schemas.ParseObject([]byte(body)); err != nil {
			t.Errorf("%s is refused: %v", body, err)
		}
	}
	for _, c := range []struct{ body, want string }{
		{"", `Body: it is empty; accepted: one JSON object`},
		{"\ufeff \n", `Body: it is empty; accepted: one JSON object`},
		{`{`, `Body: it breaks off before its end; accepted: one JSON object`},
		{`{"a":1,}`, `Body: it is not JSON from byte 8 on; accepted: one JSON object`},
		{`{"a":01}`, `Body: it is not JSON from byte 7 on; accepted: one JSON object`},
		{`{"a":NaN}`, `Body: it is not JSON from byte 6 on; accepted: one JSON object`},
		{`{} {}`, `Body: there is text after the JSON value; accepted: one JSON object`},
		{`{}x`, `Body: there is text after the JSON value; accepted: one JSON object`},
		{`[]`, `Body: it is a list; accepted: one JSON object`},
		{`null`, `Body: it is null; accepted: one JSON object`},
		{`"{}"`, `Body: it is text; accepted: one JSON object`},
		{`5`, `Body: it is a number; accepted: one JSON object`},
		{"{\"a\":\"\xff\"}", `Body: it is not valid UTF-8; accepted: one JSON object in UTF-8`},
		{`{"a":{"b":1,"b":2}}`, `a, b: it is there twice; accepted: every name once`},
		{`{"a":["\ud800"]}`, `a, item 1: it holds half of a character, a lone surrogate; accepted: whole characters`},
		{`{"\ud800":1}`, `Body: it holds half of a character, a lone surrogate; accepted: whole characters`},
	} {
		_, err := schemas.ParseObject([]byte(c.body))
		if e := fieldError(t, err); e.Error() != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.body, e, c.want)
		}
	}
	_, err := schemas.ParseObject([]byte(nested(33)))
	if e := fieldError(t, err); !strings.HasPrefix(e.Field, "a.a.a.") || !strings.Contains(e.Error(), "it is nested too deeply; accepted: at most 32 levels") {
		t.Errorf("33 levels read %s: %s", e.Field, e)
	}
	for _, bomb := range []string{strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 200_000), `{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`} {
		_, err := schemas.ParseObject([]byte(bomb))
		fieldError(t, err)
	}
}

func TestAnErrorQuotesNoSecretAndNoControlCharacter(t *testing.T) {
	const secret = "sk_live_0123456789abcdef"
	for _, c := range []struct{ in, want string }{
		{"plain", `"plain"`},
		{"", `""`},
		{"a\x00\n\u202eb", `"a\x00\n\u202eb"`},
		{`say "hi"`, `"say \"hi\""`},
		{strings.Repeat("ä", 40), `"` + strings.Repeat("ä", 40) + `"`},
		{strings.Repeat("ä", 41), `"` + strings.Repeat("ä", 40) + `…"`},
		{strings.Repeat("\x00", 41), `"` + strings.Repeat(`\x00`, 10) + `…"`},
		{secret, `"[hidden]"`},
		{"my key SK_LIVE_01234\n5678 there", `"my key [hidden]"`},
		{strings.Repeat("a", 36) + secret, `"` + strings.Repeat("a", 36) + `sk_l…"`},
		{"Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", `"Bearer [hidden]"`},
		{"\xff", `"�"`},
	} {
		if got := schemas.Quote(c.in); got != c.want {
			t.Errorf("Quote(%q) = %s, want %s", c.in, got, c.want)
		}
	}
	for _, body := range []string{
		`{"maxResults":"` + secret + `"}`, `{"` + secret + `":1}`, `{"` + secret + `":{"a":1,"a":2}}`,
		`{"topic":"a","region":"` + secret + `"}`, `{"topic":{"` + secret + `":1,"` + secret + `":1}}`,
	} {
		_, err := decode[research](t, body)
		e := fieldError(t, err)
		if strings.Contains(strings.ToLower(e.Error()+e.Field), "0123456789") {
			t.Errorf("%s shows the key: %s: %s", body, e.Field, e)
		}
	}
}

func TestTheNearestNameIsOnlyNamedWhenItIsNear(t *testing.T) {
	known := []string{"topic", "maxResults", "research-keywords", "limit"}
	for _, c := range []struct{ name, want string }{
		{"topci", `the nearest is "topic"`},
		{"TOPIC", `the nearest is "topic"`},
		{"max results", `the nearest is "maxResults"`},
		{"reserch-keyword", `the nearest is "research-keywords"`},
		{"x", `known are topic, maxResults, research-keywords, limit`},
		{"tunic", `the nearest is "topic"`},
		{"something", `known are topic, maxResults, research-keywords, limit`},
		{strings.Repeat("topic", 100_000), `known are topic, maxResults, research-keywords, limit`},
	} {
		if got := schemas.Nearest(c.name, known); got != c.want {
			t.Errorf("Nearest(%.20q) = %s, want %s", c.name, got, c.want)
		}
	}
	if got := schemas.Nearest("zzz", strings.Split("a,b,c,d,e,f,g,h,i,j,k,l", ",")); got != "known are a, b, c, d, e, f, g, h, i, j and 2 more" {
		t.Errorf("many names read %q", got)
	}
	if got := schemas.Nearest("zzz", nil); got != "there is none" {
		t.Errorf("no names read %q", got)
	}
}

func TestAFaultThatIsFoundBeforeItsFormIsNamedByItsLabelsAfterwards(t *testing.T) {
	form, err := schemas.Input[chat]()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ body, field, says string }{
		{`{"prompt":"a","prompt":"b"}`, "prompt", "Prompt: it is there twice"},
		{`{"prompt":"\ud800"}`, "prompt", "Prompt: it holds half of a character"},
		{`{"messages":[{"role":"user"},{"content":"a","content":"b"}]}`, "messages[1].content", "Messages, item 2, Content: it is there twice"},
		{`{"messages":["\ud800"]}`, "messages[0]", "Messages, item 1: it holds half"},
		{`{"nobody":1,"nobody":2}`, "nobody", "nobody: it is there twice"},
		{`{"messages":[{"nobody":1,"nobody":2}]}`, "messages[0].nobody", "messages, item 1, nobody: it is there twice"},
		{`{`, "", "Body: it breaks off"},
	} {
		_, err := schemas.ParseObject([]byte(c.body))
		if e := fieldError(t, form.Labelled(err)); e.Field != c.field || !strings.HasPrefix(e.Error(), c.says) {
			t.Errorf("%s: %s: %s", c.body, e.Field, e)
		}
	}
	if other := errors.New("other"); !errors.Is(form.Labelled(other), other) || form.Labelled(nil) != nil {
		t.Error("another error is not left alone")
	}
}
