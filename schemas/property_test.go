package schemas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	santhosh "github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/usesoke/soke-connector/schemas"
)

// sloppy draws what forms send, good and bad.
func sloppy() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.Just(any(nil)), rapid.Map(rapid.Bool(), toAny[bool]),
		rapid.Map(rapid.SampledFrom([]string{"", " ", "5", " 7 ", "5.0", "2e1", "abc", "yes", "us", "DE", "ZZ", "user", "a,b", "a\nb", "true", "0", "-1", "1e400", "[]", `{"role":"user","content":"x"}`}), toAny[string]),
		rapid.Map(rapid.StringN(0, 12, -1), toAny[string]),
		rapid.Map(rapid.IntRange(-3, 60), toAny[int]),
		rapid.Map(rapid.Float64Range(-2, 2), toAny[float64]),
		rapid.Map(rapid.SliceOfN(rapid.StringN(0, 6, -1), 0, 4), toAny[[]string]),
		rapid.Map(rapid.SliceOfN(sloppyMessage(), 0, 4), toAny[[]map[string]any]),
	)
}

func toAny[T any](v T) any { return v }

func sloppyMessage() *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		m := map[string]any{}
		for _, name := range []string{"role", "content"} {
			if rapid.IntRange(0, 9).Draw(t, "present") > 0 {
				m[name] = rapid.SampledFrom([]any{"user", "ASSISTANT", " x ", "", 5, nil, "system"}).Draw(t, name)
			}
		}
		return m
	})
}

// sloppyObject draws an object with some of names.
func sloppyObject(names []string) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		m := map[string]any{}
		for _, name := range names {
			if rapid.IntRange(0, 2).Draw(t, "present") == 0 {
				m[name] = sloppy().Draw(t, name)
			}
		}
		return m
	})
}

func schemaOf(t *testing.T, derive func() (*schemas.Form, error)) *santhosh.Schema {
	t.Helper()
	text, err := json.Marshal(form(t, derive).Schema)
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, text)
}

func TestWhatDecodeAcceptsIsValidUnderTheSchema(t *testing.T) {
	t.Run("research", func(t *testing.T) {
		accepted[drop](t, schemas.Input[drop], []string{"topic", "niche", "region", "maxResults", "recencyDays", "threshold", "x"})
	})
	t.Run("chat", func(t *testing.T) {
		accepted[chat](t, schemas.Input[chat], []string{"prompt", "messages"})
	})
	t.Run("everything", func(t *testing.T) {
		accepted[everything](t, schemas.Input[everything], []string{"name", "note", "size", "share", "live", "loud", "order", "stars", "tags", "window", "extra", "anything", "several", "level"})
	})
}

func accepted[T any](t *testing.T, derive func() (*schemas.Form, error), names []string) {
	schema := schemaOf(t, derive)
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		object := sloppyObject(names).Draw(t, "object")
		// Of many sloppy fields one is nearly always at fault; half of the forms have one only.
		if one := rapid.SampledFrom(names).Draw(t, "one"); rapid.Bool().Draw(t, "few") {
			for n := range object {
				if n != one {
					delete(object, n)
				}
			}
		}
		if _, ok := object["name"]; !ok {
			for _, n := range names {
				if n == "name" {
					object["name"] = "Ann"
				}
			}
		}
		body, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		o, err := schemas.ParseObject(body)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		v, err := schemas.Decode[T](o)
		if err != nil {
			wellWorded(t, err)
			return
		}
		hits++
		normal, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := santhosh.UnmarshalJSON(bytes.NewReader(normal))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Fatalf("%s was accepted as %s, which the schema refuses: %v", body, normal, err)
		}
		again, err := schemas.ParseObject(normal)
		if err != nil {
			t.Fatal(err)
		}
		w, err := schemas.Decode[T](again)
		if err != nil {
			t.Fatalf("%s is refused the second time: %v", normal, err)
		}
		if repeated, err := json.Marshal(w); err != nil || !bytes.Equal(repeated, normal) {
			t.Fatalf("%s became %s the second time (%v)", normal, repeated, err)
		}
	})
	if hits == 0 {
		t.Error("nothing that was drawn was accepted: the property was not tried")
	}
}

// strict draws values as the schema describes them, from within its bounds and from just outside.
func strict(t *rapid.T) map[string]any {
	text := rapid.Custom(func(t *rapid.T) string {
		n := rapid.SampledFrom([]int{1, 2, 99, 100, 101, 200, 201}).Draw(t, "length")
		return strings.Repeat(rapid.SampledFrom([]string{"a", "é", "😀"}).Draw(t, "letter"), n)
	})
	m := map[string]any{}
	draw := func(name string, from *rapid.Generator[any]) {
		if rapid.Bool().Draw(t, "has "+name) {
			m[name] = from.Draw(t, name)
		}
	}
	draw("topic", rapid.Map(text, toAny[string]))
	draw("niche", rapid.Map(text, toAny[string]))
	draw("region", rapid.Map(rapid.SampledFrom([]string{"US", "DE", "XK", "us", "USA"}), toAny[string]))
	draw("maxResults", rapid.OneOf(rapid.Map(rapid.IntRange(0, 51), toAny[int]), rapid.Map(rapid.SampledFrom([]json.Number{"20.0", "2e1", "5.5", "50", "51.0", "1e30"}), toAny[json.Number])))
	draw("recencyDays", rapid.Map(rapid.IntRange(0, 3651), toAny[int]))
	draw("threshold", rapid.Map(rapid.Float64Range(-0.1, 1.1), toAny[float64]))
	draw("strange", rapid.Just(any(1)))
	return m
}

func TestWhatTheSchemaAcceptsDecodeAcceptsToo(t *testing.T) {
	research := schemaOf(t, schemas.Input[drop])
	talk := schemaOf(t, schemas.Input[chat])
	rapid.Check(t, func(t *rapid.T) { agrees[drop](t, research, strict(t)) })
	rapid.Check(t, func(t *rapid.T) {
		m := map[string]any{}
		if rapid.Bool().Draw(t, "prompt") {
			m["prompt"] = strings.Repeat("a", rapid.IntRange(1, 101).Draw(t, "length"))
		}
		if rapid.Bool().Draw(t, "messages") {
			m["messages"] = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) map[string]any {
				one := map[string]any{"role": rapid.SampledFrom([]string{"user", "assistant", "system"}).Draw(t, "role")}
				if rapid.IntRange(0, 9).Draw(t, "content") > 0 {
					one["content"] = strings.Repeat("b", rapid.SampledFrom([]int{1, 40, 41}).Draw(t, "length"))
				}
				return one
			}), 1, 4).Draw(t, "list")
		}
		agrees[chat](t, talk, m)
	})
}

func TestWhatDecodeRefusesTheSchemaRefusesToo(t *testing.T) {
	for _, c := range []struct {
		name   string
		derive func() (*schemas.Form, error)
		decode func(*testing.T, string) error
		body   string
	}{
		{"neither of two of which one must be there", schemas.Input[chat], refusal[chat], `{}`},
		{"both of two of which one may be there", schemas.Input[chat], refusal[chat], `{"prompt":"a","messages":[{"role":"user","content":"b"}]}`},
		{"a text that is too long", schemas.Input[drop], refusal[drop], `{"niche":"` + strings.Repeat("a", 101) + `"}`},
		{"a number beyond its bounds", schemas.Input[drop], refusal[drop], `{"maxResults":51}`},
		{"an unknown field", schemas.Input[drop], refusal[drop], `{"strange":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			document, err := santhosh.UnmarshalJSON(strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if schemaOf(t, c.derive).Validate(document) == nil {
				t.Error("the schema takes it")
			}
			if c.decode(t, c.body) == nil {
				t.Error("Decode takes it")
			}
		})
	}
}

// refusal is what Decode has against a body.
func refusal[T any](t *testing.T, body string) error {
	t.Helper()
	_, err := decode[T](t, body)
	return err
}

// agrees holds the schema and Decode to the same verdict.
func agrees[T any](t *rapid.T, schema *santhosh.Schema, object map[string]any) {
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := santhosh.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	o, err := schemas.ParseObject(body)
	if err != nil {
		t.Fatal(err)
	}
	_, refusal := schemas.Decode[T](o)
	if verdict := schema.Validate(doc); verdict == nil && refusal != nil {
		t.Fatalf("%s is valid under the schema and refused: %v", body, refusal)
	} else if verdict != nil && refusal == nil && object["region"] != "us" {
		t.Fatalf("%s is accepted, though the schema says: %v", body, verdict)
	}
	if refusal != nil {
		wellWorded(t, refusal)
	}
}

type failer interface{ Fatalf(string, ...any) }

// wellWorded holds an error to what every one of them promises.
func wellWorded(t failer, err error) {
	var e *schemas.FieldError
	if !errors.As(err, &e) {
		t.Fatalf("the error is %T (%v), not a *FieldError", err, err)
	}
	for _, s := range []string{e.Error(), e.Field, e.Label} {
		if !utf8.ValidString(s) || utf8.RuneCountInString(s) > 300 || strings.ContainsFunc(s, unicode.IsControl) {
			t.Fatalf("not fit to be shown: %q", s)
		}
	}
	if e.Problem == "" {
		t.Fatalf("no problem is named: %+v", e)
	}
}
