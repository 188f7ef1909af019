package connector_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

const openAIChat = "/openai/v1/chat/completions"

// answering is a Soke that says the same to everybody.
func answering(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", "soke-1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func TestOpenAIClientsGetTheCompletionAsTheyKnowIt(t *testing.T) {
	s := start(t)
	a := s.post(openAIChat, `{"model":"soke-v1","temperature":0.2,"n":1,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Ideas?"}]}]}`)
	out := a.object(t)
	choices, ok := out["choices"].([]any)
	if a.status != http.StatusOK || out["object"] != "chat.completion" || !ok || len(choices) != 1 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	content := choices[0].(map[string]any)["message"].(map[string]any)["content"].(string)
	if !strings.Contains(content, "Be brief. Ideas?") {
		t.Errorf("the instructions are lost: %q", content)
	}
	if models := s.call(http.MethodGet, "/openai/v1/models", "", "Authorization", "Bearer "+activeKey); !strings.Contains(string(models.body), `"id":"soke-v1"`) {
		t.Errorf("models: %s", models.body)
	}
}

func TestAnOpenAIClientKeepsItsModelAndIsAnsweredBySokes(t *testing.T) {
	s := start(t)
	for _, model := range []string{`"gpt-4o"`, `"gpt-4o-mini-2024-07-18"`, `"soke-v1"`, `""`, `null`} {
		a := s.post(openAIChat, `{"model":`+model+`,"messages":[{"role":"user","content":"Ideas?"}]}`)
		if a.status != http.StatusOK || a.object(t)["model"] != "soke-v1" {
			t.Errorf("%s: %d %s", model, a.status, a.body)
		}
		a = s.post(openAIChat, `{"stream":true,"model":`+model+`,"messages":[{"role":"user","content":"Ideas?"}]}`)
		if events, err := eventsIn(string(a.body)); err != nil || !strings.Contains(events[0], `"model":"soke-v1"`) || events[len(events)-1] != "[DONE]" {
			t.Errorf("%s in events: %d %s", model, a.status, a.body)
		}
	}
	for _, model := range []string{`7`, `["gpt-4o"]`, `{"id":"gpt-4o"}`, `true`} {
		a := s.post(openAIChat, `{"model":`+model+`,"messages":[{"role":"user","content":"Ideas?"}]}`)
		if a.status != http.StatusBadRequest || a.failure(t)["code"] != "INVALID_INPUT" {
			t.Errorf("%s: %d %s", model, a.status, a.body)
		}
	}
}

func TestOpenAIClientsAreRefusedInTheirOwnShape(t *testing.T) {
	s := start(t)
	key := []string{"Authorization", "Bearer " + activeKey}
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code, kind, param  string
	}{
		"no key":          {"POST", openAIChat, `{}`, nil, 401, "UNAUTHORIZED", "authentication_error", ""},
		"no messages":     {"POST", openAIChat, `{"messages":[]}`, key, 400, "INVALID_INPUT", "invalid_request_error", "messages"},
		"unknown role":    {"POST", openAIChat, `{"messages":[{"role":"tool","content":"x"}]}`, key, 400, "INVALID_INPUT", "invalid_request_error", "messages[0].role"},
		"an image":        {"POST", openAIChat, `{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, key, 400, "INVALID_INPUT", "invalid_request_error", "messages[0].content"},
		"no text":         {"POST", openAIChat, `{"messages":[{"role":"user","content":7}]}`, key, 400, "INVALID_INPUT", "invalid_request_error", "messages[0].content"},
		"no JSON":         {"POST", openAIChat, `{`, key, 400, "INVALID_INPUT", "invalid_request_error", "body"},
		"a form":          {"POST", openAIChat, `a=b`, append([]string{"Content-Type", "text/plain"}, key...), 415, "UNSUPPORTED_MEDIA_TYPE", "invalid_request_error", ""},
		"no credits":      {"POST", openAIChat, `{"messages":[{"role":"user","content":"x"}]}`, []string{"X-Soke-Key", "sk_live_sandbox_nocredits"}, 402, "INSUFFICIENT_CREDITS", "insufficient_quota", ""},
		"no subscription": {"POST", openAIChat, `{"messages":[{"role":"user","content":"x"}]}`, []string{"X-Soke-Key", expiredKey}, 403, "SUBSCRIPTION_REQUIRED", "permission_error", ""},
		"unknown path":    {"POST", "/openai/v1/embeddings", `{}`, key, 404, "NOT_FOUND", "invalid_request_error", ""},
		"wrong method":    {"GET", openAIChat, "", key, 405, "METHOD_NOT_ALLOWED", "invalid_request_error", ""},
	} {
		a := s.call(c.method, c.path, c.body, c.headers...)
		e := a.failure(t)
		param, _ := e["param"].(string)
		if a.status != c.status || e["code"] != c.code || e["type"] != c.kind || param != c.param || a.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestAStreamThatSokeAnswersWholeIsStillAStreamForOpenAIClients(t *testing.T) {
	const completion = `{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"soke-v1","choices":[{"index":0,"message":{"role":"assistant","content":"Hi\n","data":{"services_used":["a"]}},"finish_reason":"stop"}]}`
	for name, body := range map[string]string{"bare": completion, "in the envelope": `{"success":true,"data":` + completion + `}`} {
		s := start(t, withUpstream(answering(200, body)))
		a := s.post(openAIChat, streamBody)
		events, err := eventsIn(string(a.body))
		if err != nil || len(events) != 3 || events[2] != "[DONE]" || a.header.Get("X-Soke-Request-Id") != "soke-1" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
			t.Fatalf("%s: %v %s", name, a.header, a.body)
		}
		type chunk struct {
			ID, Object string
			Created    int
			Choices    []struct {
				Delta struct {
					Role, Content string
				}
				Message      any
				FinishReason *string `json:"finish_reason"`
			}
		}
		var first, last chunk
		if err := json.Unmarshal([]byte(events[0]), &first); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(events[1]), &last); err != nil {
			t.Fatal(err)
		}
		if c := first.Choices[0]; first.Object != "chat.completion.chunk" || first.ID != "chatcmpl-1" || first.Created != 7 ||
			c.Delta.Content != "Hi\n" || c.Delta.Role != "assistant" || c.Message != nil || c.FinishReason != nil {
			t.Errorf("%s: %s", name, events[0])
		}
		if c := last.Choices[0]; c.FinishReason == nil || *c.FinishReason != "stop" || c.Delta.Content != "" {
			t.Errorf("%s: %s", name, events[1])
		}
	}
}

func TestASuccessThatIsNoCompletionIsAFailureForOpenAIClients(t *testing.T) {
	for name, upstream := range map[string]http.Handler{
		"an envelope of something else": answering(200, `{"success":true,"data":{"keywords":[]}}`),
		"an empty envelope":             answering(200, `{"success":true}`),
		"no choice":                     answering(200, `{"object":"chat.completion","choices":[]}`),
		"choices of another kind":       answering(200, `{"object":"chat.completion","choices":{"0":1}}`),
		"nothing":                       answering(204, ""),
	} {
		s := start(t, withUpstream(upstream))
		for _, body := range []string{streamBody, `{"messages":[{"role":"user","content":"x"}]}`} {
			a := s.post(openAIChat, body)
			if e := a.failure(t); a.status != http.StatusBadGateway || e["code"] != "UPSTREAM_UNAVAILABLE" || !strings.HasSuffix(e["message"].(string), "(request soke-1)") {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	}
}

// signIn returns an access token of the sandbox's own user.
func signIn(t *testing.T, box *sandbox.Server) string {
	t.Helper()
	w := httptest.NewRecorder()
	box.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/auth/login", strings.NewReader(`{"email":"demo@example.com","password":"sandbox"}`)))
	var said struct {
		Data struct {
			AccessToken string `json:"accessToken"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || said.Data.AccessToken == "" {
		t.Fatalf("signing in: %v %s", err, w.Body)
	}
	return said.Data.AccessToken
}

func TestSignedInUsersResumeTheirConversationsAndKeysCannot(t *testing.T) {
	s := start(t)
	token := signIn(t, s.sandbox)
	signedIn := []string{"Authorization", "Bearer " + token}
	const path = "/v1/zapier/actions/chat-completion"
	a := s.call(http.MethodPost, path, `{"prompt":"First"}`, signedIn...)
	id, _ := a.object(t)["conversationId"].(string)
	if a.status != http.StatusOK || id == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a = s.call(http.MethodPost, path, `{"prompt":"Second","conversationId":"`+id+`"}`, signedIn...)
	if content, _ := a.object(t)["content"].(string); !strings.Contains(content, "message 3 of our conversation") {
		t.Errorf("the conversation does not go on: %d %s", a.status, a.body)
	}
	resumed := s.call(http.MethodPost, openAIChat, `{"conversationId":"`+id+`","messages":[{"role":"user","content":"Third"}]}`, signedIn...)
	if !strings.Contains(string(resumed.body), "message 5 of our conversation") {
		t.Errorf("nor for an OpenAI client: %d %s", resumed.status, resumed.body)
	}
	a = s.post(path, `{"prompt":"Second","conversationId":"`+id+`"}`)
	if e := a.failure(t); a.status != http.StatusBadRequest || e["code"] != "INVALID_INPUT" || e["field"] != "conversationId" {
		t.Errorf("a key resumes a conversation: %d %s", a.status, a.body)
	}
	a = s.call(http.MethodPost, path, `{"prompt":"x"}`, "Authorization", "Bearer "+token+"x")
	if e := a.failure(t); a.status != http.StatusUnauthorized || e["code"] != "UNAUTHORIZED" {
		t.Errorf("a forged token: %d %s", a.status, a.body)
	}
	if strings.Contains(s.logs.String(), token) {
		t.Error("the token is in the log")
	}
}
