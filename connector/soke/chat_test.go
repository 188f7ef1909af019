package soke_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/connector/soke"
)

const completed = `{"id":"chatcmpl-7","object":"chat.completion","created":1795420800,"model":"soke-v1","conversationId":"conv_1",` +
	`"choices":[{"index":0,"message":{"role":"assistant","content":"Hi","data":{"services_used":["a","b"],"n":1.50}},"finish_reason":"stop"}]}`

func ask(t *testing.T, answer http.HandlerFunc) (*soke.ChatCompletion, error) {
	t.Helper()
	url, _ := serve(t, answer)
	return newCaller(t, soke.Options{BaseURL: url}).Session(credential(t)).
		ChatCompletion(t.Context(), soke.ChatRequest{Messages: []soke.Message{{Role: "user", Content: "Hello"}}})
}

func TestAChatAnswerIsReadBareAndInAnEnvelope(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		id     string
	}{
		"bare":                       {says(200, completed), "chatcmpl-7"},
		"with Soke's header":         {says(200, completed, "X-Soke-Request-Id", "h-1", "X-Request-Id", "h-2"), "h-1"},
		"with a gateway's header":    {says(200, completed, "X-Request-Id", "h-2"), "h-2"},
		"in an envelope":             {says(200, `{"success":true,"data":`+completed+`,"meta":{"request_id":"m-1"}}`), "m-1"},
		"in an envelope without id":  {says(200, `{"success":true,"data":`+completed+`}`), "chatcmpl-7"},
		"without its object's name":  {says(200, `{"id":"chatcmpl-7",`+completed[len(`{"id":"chatcmpl-7","object":"chat.completion",`):]), "chatcmpl-7"},
		"with fields of other types": {says(200, completed[:len(completed)-1]+`,"meta":7,"error":"","data":false,"usage":[]}`), "chatcmpl-7"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, c.answer)
			if name == "with fields of other types" && err != nil {
				t.Fatal(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Content != "Hi" || got.Role != "assistant" || got.FinishReason != "stop" || got.Model != "soke-v1" || got.ID != "chatcmpl-7" ||
				got.Created != 1795420800 || got.ConversationID != "conv_1" || got.RequestID != c.id ||
				!slices.Equal(got.ServicesUsed, []string{"a", "b"}) || string(got.Data) != `{"services_used":["a","b"],"n":1.50}` {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAPaidChatAnswerIsNotLostForAFieldOfAnotherType(t *testing.T) {
	got, err := ask(t, says(200, `{"object":"chat.completion","id":7,"created":"now","model":null,"choices":[{"message":{"content":"Hi","data":["x"]},"finish_reason":1}]}`))
	if err != nil || got.Content != "Hi" || got.Created != 0 || got.Data != nil || got.ServicesUsed != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = ask(t, says(200, `{"object":"chat.completion","choices":[{"message":{"content":"Hi","data":{"servicesUsed":["a"],"services_used":7}}}]}`))
	if err != nil || !slices.Equal(got.ServicesUsed, []string{"a"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAChatAnswerWithoutAChoiceIsUnavailable(t *testing.T) {
	for _, body := range []string{`{"object":"chat.completion"}`, `{"object":"chat.completion","choices":[]}`, `{"success":true}`, `{"success":true,"data":{"choices":"x"}}`} {
		_, err := ask(t, says(200, body, "X-Request-Id", "h-1"))
		if e := failure(t, err); e.Code != soke.UpstreamUnavailable || e.NotSent || e.RequestID != "h-1" {
			t.Errorf("%s: got %+v", body, e)
		}
	}
}

func TestAChatAnswerThatIsMadeToCostMuchIsRefusedOrPassedOnUnread(t *testing.T) {
	list := func(item string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	var fields strings.Builder
	for i := range 400_000 {
		fmt.Fprintf(&fields, `"%d":1,`, i)
	}
	for name, body := range map[string]string{
		"choices":           `{"object":"chat.completion","choices":` + list("{}", 2_000_000) + `}`,
		"choices in pieces": `{"object":"chat.completion",` + strings.Repeat(`"choices":`+list("{}", 900)+`,`, 1_000) + `"x":1}`,
		"fields":            `{"object":"chat.completion",` + fields.String() + `"choices":[{}]}`,
	} {
		_, err := ask(t, says(200, body, "X-Request-Id", "h-1"))
		if e := failure(t, err); e.Code != soke.UpstreamUnavailable || e.NotSent || e.RequestID != "h-1" {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	names := list(`""`, 1001)
	got, err := ask(t, says(200, `{"object":"chat.completion","choices":[{"message":{"content":"Hi","data":{"services_used":`+names+`}}}]}`))
	if err != nil || len(got.ServicesUsed) != 0 || got.Content != "Hi" || !strings.Contains(string(got.Data), names) {
		t.Errorf("got %d services of %q, %v", len(got.ServicesUsed), got.Content, err)
	}
}

func TestAChatAsksOnlyForWhatWasGiven(t *testing.T) {
	got, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if want := `{"messages":[{"role":"user","content":"Hello"}]}`; string(body) != want || r.URL.Path != "/api/v1/chat/completions" {
			t.Errorf("asked %s %s", r.URL.Path, body)
		}
		says(200, completed)(w, r)
	})
	if err != nil || got.Content == "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestACheckTellsAGoodConnectionFromABadOne(t *testing.T) {
	notFound := func(rest string) http.HandlerFunc {
		return says(404, `{"success":false,"error":{"code":"NOT_FOUND",`+rest+`},"meta":{"request_id":"r-1"}}`, "X-Soke-Limit", "30")
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   soke.Code
		field  string
	}{
		"no such job":             {notFound(`"message":"No such job.","details":{"resource":"job","jobId":"0"}`), "", ""},
		"no such job, no words":   {notFound(`"message":""`), "", ""},
		"a job after all":         {says(200, success, "X-Soke-Limit", "30"), "", ""},
		"account by resource":     {notFound(`"message":"","details":{"resource":"account"}`), soke.NotFound, "accountId"},
		"account by id":           {notFound(`"message":"","details":{"accountId":"acc_x"}`), soke.NotFound, "accountId"},
		"account by words":        {notFound(`"message":"This Account is not connected."`), soke.NotFound, "accountId"},
		"refused":                 {says(401, `{"success":false,"error":{"code":"UNAUTHORIZED"}}`), soke.Unauthorized, ""},
		"without a subscription":  {says(403, `{"success":false,"error":{"code":"SUBSCRIPTION_REQUIRED"}}`), soke.SubscriptionRequired, ""},
		"a gateway's not found":   {says(404, "<html>404"), soke.UpstreamUnavailable, ""},
		"an envelope without one": {says(404, success), soke.UpstreamUnavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			url, arrived := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/api/v1/jobs/00000000-0000-0000-0000-000000000000" {
					t.Errorf("asked %s %s", r.Method, r.URL.Path)
				}
				c.answer(w, r)
			})
			got, err := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t)).Check(t.Context())
			if arrived.Load() != 1 {
				t.Errorf("%d requests arrived", arrived.Load())
			}
			if c.code == "" {
				if err != nil || got.RequestID == "" || *got.Limits.Limit != 30 {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if e := failure(t, err); e.Code != c.code || e.Field != c.field {
				t.Errorf("got %+v", e)
			}
		})
	}
}
