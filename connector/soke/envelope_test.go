package soke_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/usesoke/soke-connector/connector/soke"
)

func do(t *testing.T, answer http.HandlerFunc) (*soke.Answer, *soke.Session, error) {
	t.Helper()
	url, _ := serve(t, answer)
	session := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t))
	a, err := session.Do(t.Context(), post("x"))
	return a, session, err
}

func TestAFailureOfSokesKeepsWhatSokeSaid(t *testing.T) {
	_, session, err := do(t, says(402, `{"success":false,
		"error":{"code":"INSUFFICIENT_CREDITS","message":"Not enough credits.","details":{"required":5,"remaining":1,"big":12345678901234567890}},
		"meta":{"request_id":"7f9c2ba4-e88f"}}`,
		"X-Soke-Limit", "30", "X-Soke-Remaining", "29", "X-Soke-Reset", "1795420800", "X-Soke-Credits-Remaining", "1"))
	e := failure(t, err)
	if e.Code != soke.InsufficientCredits || e.Status != 402 || e.Message != "Not enough credits." || e.RequestID != "7f9c2ba4-e88f" {
		t.Errorf("got %+v", e)
	}
	want := map[string]any{"required": json.Number("5"), "remaining": json.Number("1"), "big": json.Number("12345678901234567890")}
	if !reflect.DeepEqual(e.Details, want) {
		t.Errorf("details are %v", e.Details)
	}
	l := e.Limits
	if *l.Limit != 30 || *l.Remaining != 29 || *l.CreditsRemaining != 1 || !l.Reset.Equal(time.Unix(1795420800, 0)) || l.Reset.Location() != time.UTC {
		t.Errorf("limits are %+v", l)
	}
	if got := session.Meta(); got.RequestID != "7f9c2ba4-e88f" || *got.Limits.Limit != 30 {
		t.Errorf("the session remembers %+v", got)
	}
}

func TestSecretsAndControlCharactersOfAFailureAreTakenOut(t *testing.T) {
	escaped := strings.ReplaceAll(secretKey, "canary", `\u0063anary`)
	body := `{"success":false,"error":{"code":"UNAUTHORIZED","message":"Key ` + escaped + `\u0000\u001b[31m and\n` + secretToken + ` are bad",
		"details":{"key":"` + escaped + `","` + secretKey + `":1,"list":["` + secretToken + `",{"deep":"sk_live_\u0000` + secretKey[8:] + `"}],"n":null,"t":true}},
		"meta":{"request_id":"` + secretKey + `"}}`
	_, _, err := do(t, says(401, body, "X-Request-Id", secretToken, "X-Soke-Plan", secretKey, "X-Soke-Key", "x", "X-Soke-Note", "a<b>"))
	e := failure(t, err)
	if e.Message != "Key [hidden][31m and [hidden] are bad" {
		t.Errorf("message is %q", e.Message)
	}
	all, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if shows(string(all)) || shows(e.Error()) {
		t.Errorf("a secret shows in %s", all)
	}
	if e.RequestID != "" || len(e.Limits.Header) != 0 {
		t.Errorf("taken over: %q, %v", e.RequestID, e.Limits.Header)
	}
}

func TestWhatAFailureSaysIsBounded(t *testing.T) {
	long := strings.Repeat("é", 5000)
	_, _, err := do(t, says(400, `{"success":false,"error":{"code":"BAD_REQUEST","message":"`+long+`","details":{"a":"`+long+`"}}}`))
	e := failure(t, err)
	if n := utf8.RuneCountInString(e.Message); n != 1000 {
		t.Errorf("the message has %d runes", n)
	}
	if n := utf8.RuneCountInString(e.Details["a"].(string)); n != 1000 {
		t.Errorf("a detail has %d runes", n)
	}
	_, _, err = do(t, says(400, `{"success":false,"error":{"code":"BAD_REQUEST","details":{"a":"`+long+long+`"}}}`))
	if e := failure(t, err); e.Details != nil || e.Code != soke.BadRequest {
		t.Errorf("got %+v", e)
	}
}

func TestAFailureWithPartsOfAnotherTypeKeepsItsCode(t *testing.T) {
	for _, body := range []string{
		`{"success":false,"error":{"code":"NEW_CODE_7","message":{"en":"x"},"details":"text"},"meta":"none"}`,
		`{"success":false,"error":{"code":"NEW_CODE_7","message":null,"details":[1]},"meta":null,"data":7,"id":7}`,
		`{"success":false,"error":{"code":"NEW_CODE_7"}}`,
	} {
		_, _, err := do(t, says(418, body, "X-Request-Id", "from-header"))
		e := failure(t, err)
		if e.Code != "NEW_CODE_7" || e.Status != 418 || e.Message != "" || e.Details != nil || e.RequestID != "from-header" {
			t.Errorf("%s: got %+v", body, e)
		}
	}
}

func TestLimitsAreTakenFromHeadersThatMakeSense(t *testing.T) {
	a, session, err := do(t, says(200, success, "X-Soke-Limit", "many", "X-Soke-Reset", "-5", "X-Soke-Credits-Remaining", "499", "X-Soke-Credits-Cost", "2", "X-Soke-Request-Id", "r-2", "Set-Cookie", "a=b"))
	if err != nil {
		t.Fatal(err)
	}
	l := a.Limits
	if l.Limit != nil || l.Remaining != nil || l.Reset != nil || *l.CreditsRemaining != 499 {
		t.Errorf("limits are %+v", l)
	}
	want := http.Header{"X-Soke-Limit": {"many"}, "X-Soke-Reset": {"-5"}, "X-Soke-Credits-Remaining": {"499"}, "X-Soke-Credits-Cost": {"2"}}
	if !reflect.DeepEqual(l.Header, want) {
		t.Errorf("passed on: %v", l.Header)
	}
	if a.RequestID != "req-1" || session.Meta().RequestID != "req-1" {
		t.Errorf("request id is %q", a.RequestID)
	}
}

func TestASessionForgetsWhatAnEarlierCallSaid(t *testing.T) {
	answer := says(200, success, "X-Soke-Limit", "30")
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
	session := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t))
	if _, err := session.Do(t.Context(), get("x")); err != nil || session.Meta().RequestID != "req-1" {
		t.Fatal(err, session.Meta())
	}
	answer = says(502, "<html>")
	if _, err := session.Do(t.Context(), get("x")); err == nil || session.Meta().RequestID != "" || session.Meta().Limits.Limit != nil {
		t.Errorf("the session remembers %+v after %v", session.Meta(), err)
	}
}

// FuzzEnvelope sends any status and body through a real call.
func FuzzEnvelope(f *testing.F) {
	for _, body := range []string{
		success, `{"success":false,"error":{"code":"BAD_REQUEST","message":"m","details":{"retryAfter":"3"}},"meta":{"request_id":"r"}}`,
		`{"id":"chatcmpl-1","object":"chat.completion","choices":[{"message":{"role":"assistant","content":"hi","data":{"services_used":["a"]}}}]}`,
		`{"success":true,"data":{"keywords":["a",{"keyword":"b","competitionScore":"0.5"},{"term":7},null,[]],"videos":[{}]}}`,
		"", "<html>", "[]", `{"success":true,"data":[[[[`, "\xff", `{"success":false,"error":{"code":"` + strings.Repeat("A", 70) + `"}}`,
	} {
		f.Add(200, []byte(body))
		f.Add(429, []byte(body))
	}
	var status int
	var body []byte
	url, _ := serve(f, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
	session := newCaller(f, soke.Options{BaseURL: url}).Session(credential(f))
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		if s < 200 || s > 599 {
			t.Skip()
		}
		status, body = s, b
		answer, err := session.Do(t.Context(), post("x"))
		if err == nil {
			if s > 299 || s != 204 && !json.Valid(answer.Body) || answer.Data() != nil && !json.Valid(answer.Data()) {
				t.Errorf("accepted %d %q", s, b)
			}
		} else if e := failure(t, err); e.Code == "" || e.NotSent || e.RetryAfter < 0 || !utf8.ValidString(e.Message) || strings.Contains(e.Message, "sk_live_") {
			t.Errorf("%q failed with %+v", b, e)
		}
		if found, err := session.ResearchKeywords(t.Context(), soke.KeywordsRequest{}); err == nil {
			if encoded, err := json.Marshal(found.Keywords); err != nil || !json.Valid(encoded) {
				t.Errorf("%q: keywords do not encode: %v", b, err)
			}
			for _, k := range found.Keywords {
				if k.Keyword == "" {
					t.Errorf("%q: a keyword without a text", b)
				}
			}
		}
		if said, err := session.ChatCompletion(t.Context(), soke.ChatRequest{}); err == nil && len(said.Data) > 0 && said.Data[0] != '{' {
			t.Errorf("%q: data is no object", b)
		}
		_, _ = session.Check(t.Context())
	})
}
