package schemas_test

import (
	"encoding/json"
	"testing"

	"github.com/usesoke/soke-connector/schemas"
)

func seed(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `{`, `[]`, "\ufeff{}", `{} {}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, `{"a":"\ud83d\ude00"}`,
		`{"topic":"a","maxResults":"5.0","region":"us","recencyDays":2e1,"threshold":"0.5"}`,
		`{"topic":"\u0000","sk_live_0123456789":1}`, `{"maxResults":1e99999999999}`, `{"maxResults":-0e-9}`,
		`{"prompt":"a\nb"}`, `{"messages":"[{\"role\":\"user\",\"content\":\"x\"}]"}`, `{"messages":[null,[],{}]}`,
		`{"name":"Ann","tags":"a,b\nc","live":"on","window":{"from":"2026-11-02T09:00:00Z"},"extra":{"x":[1]},"level":2}`,
		"{\"\xff\":1}", `{"a":{"b":{"c":[[[[]]]]}}}`,
	} {
		f.Add([]byte(s))
	}
}

func FuzzParseObject(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := schemas.ParseObject(body)
		if err != nil {
			wellWorded(t, err)
			return
		}
		var plain map[string]json.RawMessage
		if len(body) >= 3 && string(body[:3]) == "\ufeff" {
			body = body[3:]
		}
		if err := json.Unmarshal(body, &plain); err != nil || len(plain) != o.Len() {
			t.Fatalf("encoding/json reads %d fields (%v), ParseObject %d", len(plain), err, o.Len())
		}
	})
}

func FuzzDecode(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzed[drop](t, body)
		fuzzed[chat](t, body)
		fuzzed[everything](t, body)
	})
}

// fuzzed decodes body twice: what is accepted must still be accepted as it was understood.
func fuzzed[T any](t *testing.T, body []byte) {
	o, err := schemas.ParseObject(body)
	if err != nil {
		return
	}
	v, err := schemas.Decode[T](o)
	if err != nil {
		wellWorded(t, err)
		return
	}
	normal, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	again, err := schemas.ParseObject(normal)
	if err != nil {
		t.Fatalf("%s was understood as %s, which does not parse: %v", body, normal, err)
	}
	if _, err := schemas.Decode[T](again); err != nil {
		t.Fatalf("%s was understood as %s, which is refused: %v", body, normal, err)
	}
}

func BenchmarkDecodeResearch(b *testing.B) {
	body := []byte(`{"topic":"home espresso","niche":"coffee gear","region":"us","maxResults":"20","recencyDays":365,"threshold":0.1}`)
	b.ReportAllocs()
	for b.Loop() {
		o, err := schemas.ParseObject(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := schemas.Decode[drop](o); err != nil {
			b.Fatal(err)
		}
	}
}
