package connector_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestResearchAnswersOnEveryPlatform(t *testing.T) {
	s := start(t)
	for _, p := range platforms() {
		a := s.post("/v1/"+string(p.Name())+"/actions/research-keywords", `{"topic":"home espresso","maxResults":5}`)
		if a.status != http.StatusOK {
			t.Fatalf("%s: status %d: %s", p.Name(), a.status, a.body)
		}
		out := a.object(t)
		keywords := out["keywords"].([]any)
		if len(keywords) != 5 || out["count"] != 5.0 || out["topic"] != "home espresso" || out["platform"] != "youtube" {
			t.Errorf("%s: unexpected output %s", p.Name(), a.body)
		}
		first := keywords[0].(map[string]any)
		for _, name := range []string{"keyword", "competitionScore", "trendDirection", "longTail"} {
			if first[name] == nil {
				t.Errorf("%s: a keyword lacks %s: %v", p.Name(), name, first)
			}
		}
		if out["requestId"] == "" || out["creditsRemaining"] == nil {
			t.Errorf("%s: request id or credits are missing: %s", p.Name(), a.body)
		}
		for _, name := range []string{"X-Request-Id", "X-Soke-Request-Id", "X-Soke-Limit", "X-Soke-Remaining", "X-Soke-Reset", "X-Soke-Credits-Remaining"} {
			if a.header.Get(name) == "" {
				t.Errorf("%s: the answer lacks the header %s", p.Name(), name)
			}
		}
	}
	if got := s.sandbox.Charged(activeKey); got != 6 {
		t.Errorf("three researches cost %d credits, want 6", got)
	}
}

func TestAResearchWithoutATopicSaysWhichOneSokeChose(t *testing.T) {
	s := start(t)
	out := s.post("/v1/n8n/actions/research-keywords", `{}`).object(t)
	if topic, _ := out["topic"].(string); topic == "" {
		t.Errorf("the topic is %v", out["topic"])
	}
}

func TestChatAnswersAPromptAndAConversation(t *testing.T) {
	s := start(t)
	for name, body := range map[string]string{
		"prompt":        `{"prompt":"Three title ideas\nfor home espresso"}`,
		"messages":      `{"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi"},{"role":"user","content":"Ideas?"}]}`,
		"form messages": `{"prompt":"","messages":"[{\"role\":\"user\",\"content\":\"Hello\"}]","model":" ","platform":null}`,
	} {
		a := s.post("/v1/n8n/actions/chat-completion", body)
		if a.status != http.StatusOK {
			t.Fatalf("%s: status %d: %s", name, a.status, a.body)
		}
		out := a.object(t)
		if out["content"] == "" || out["role"] != "assistant" || out["model"] != "soke-v1" || out["finishReason"] != "stop" {
			t.Errorf("%s: unexpected output %s", name, a.body)
		}
		if _, ok := out["servicesUsed"].([]any); !ok {
			t.Errorf("%s: servicesUsed is no list: %s", name, a.body)
		}
		if _, ok := out["data"].(map[string]any); !ok {
			t.Errorf("%s: data is no object: %s", name, a.body)
		}
	}
}

func TestFormsMayBeSloppyWhereFormsAre(t *testing.T) {
	s := start(t)
	for _, body := range []string{
		`{"topic":" home espresso ","maxResults":"5","niche":"","region":null,"recencyDays":" 30 "}`,
		`{"topic":"home espresso","maxResults":5.0,"region":"us"}`,
		"\ufeff" + `{"topic":"home espresso"}`,
	} {
		if a := s.post("/v1/zapier/actions/research-keywords", body); a.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", body, a.status, a.body)
		}
	}
}

func TestEveryRefusalIsNative(t *testing.T) {
	s := start(t)
	before := s.sandbox.Charged(activeKey)
	key := []string{"X-Soke-Key", activeKey}
	for _, p := range platforms() {
		root := "/v1/" + string(p.Name())
		for _, c := range []struct {
			name, method, path, body string
			headers                  []string
			status                   int
			code, field              string
		}{
			{"no key", "POST", "/actions/research-keywords", `{}`, nil, 401, "UNAUTHORIZED", ""},
			{"not a key", "POST", "/actions/research-keywords", `{}`, []string{"X-Soke-Key", "sk_test_12345678"}, 401, "UNAUTHORIZED", ""},
			{"short key", "POST", "/actions/research-keywords", `{}`, []string{"X-Soke-Key", "sk_live_1234567"}, 401, "UNAUTHORIZED", ""},
			{"bad bearer", "POST", "/actions/research-keywords", `{}`, []string{"Authorization", "Bearer sk_live_no"}, 401, "UNAUTHORIZED", ""},
			{"bad account", "POST", "/actions/research-keywords", `{}`, append([]string{"X-Soke-Account-Id", "a b"}, key...), 400, "INVALID_INPUT", "X-Soke-Account-Id"},
			{"unknown field", "POST", "/actions/research-keywords", `{"topics":"x"}`, key, 400, "INVALID_INPUT", "topics"},
			{"not a number", "POST", "/actions/research-keywords", `{"maxResults":"many"}`, key, 400, "INVALID_INPUT", "maxResults"},
			{"too many", "POST", "/actions/research-keywords", `{"maxResults":51}`, key, 400, "INVALID_INPUT", "maxResults"},
			{"not a country", "POST", "/actions/research-keywords", `{"region":"Mars"}`, key, 400, "INVALID_INPUT", "region"},
			{"control character", "POST", "/actions/research-keywords", `{"topic":"a\u0000b"}`, key, 400, "INVALID_INPUT", "topic"},
			{"too long", "POST", "/actions/research-keywords", `{"topic":"` + strings.Repeat("é", 201) + `"}`, key, 400, "INVALID_INPUT", "topic"},
			{"two ways to ask", "POST", "/actions/chat-completion", `{"prompt":"a","messages":[{"role":"user","content":"b"}]}`, key, 400, "INVALID_INPUT", "prompt"},
			{"nothing asked", "POST", "/actions/chat-completion", `{}`, key, 400, "INVALID_INPUT", "prompt"},
			{"unknown role", "POST", "/actions/chat-completion", `{"messages":[{"role":"system","content":"b"}]}`, key, 400, "INVALID_INPUT", "messages[0].role"},
			{"conversation of a key", "POST", "/actions/chat-completion", `{"prompt":"a","conversationId":"c1"}`, key, 400, "INVALID_INPUT", "conversationId"},
			{"not JSON", "POST", "/actions/research-keywords", `{`, key, 400, "INVALID_INPUT", "-"},
			{"a list", "POST", "/actions/research-keywords", `[]`, key, 400, "INVALID_INPUT", "-"},
			{"text behind", "POST", "/actions/research-keywords", `{} {}`, key, 400, "INVALID_INPUT", "-"},
			{"twice", "POST", "/actions/research-keywords", `{"topic":"a","topic":"b"}`, key, 400, "INVALID_INPUT", "topic"},
			{"form encoded", "POST", "/actions/research-keywords", `topic=a`, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, key...), 415, "UNSUPPORTED_MEDIA_TYPE", ""},
			{"compressed", "POST", "/actions/research-keywords", `{}`, append([]string{"Content-Encoding", "gzip"}, key...), 415, "UNSUPPORTED_MEDIA_TYPE", ""},
			{"in another charset", "POST", "/actions/research-keywords", `{}`, append([]string{"Content-Type", "application/json; charset=utf-16"}, key...), 415, "UNSUPPORTED_MEDIA_TYPE", ""},
			{"too large", "POST", "/actions/chat-completion", `{"prompt":"` + strings.Repeat("a", 1<<20) + `"}`, key, 413, "PAYLOAD_TOO_LARGE", ""},
			{"unknown action", "POST", "/actions/reserch-keywords", `{}`, key, 404, "NOT_FOUND", ""},
			{"unknown path", "GET", "/nothing", "", key, 404, "NOT_FOUND", ""},
			{"wrong method", "GET", "/actions/research-keywords", "", key, 405, "METHOD_NOT_ALLOWED", ""},
			{"wrong platform", "POST", "/actions/research-keywords", `{"platform":"tiktok"}`, key, 501, "PLATFORM_NOT_IMPLEMENTED", ""},
			{"unknown account", "POST", "/actions/research-keywords", `{}`, append([]string{"X-Soke-Account-Id", "acc_none"}, key...), 404, "NOT_FOUND", "accountId"},
			{"bad idempotency key", "POST", "/actions/research-keywords", `{}`, append([]string{"Idempotency-Key", strings.Repeat("k", 256)}, key...), 400, "INVALID_INPUT", "Idempotency-Key"},
			{"signing in", "POST", "/soke/auth/login", `{}`, key, 400, "INVALID_INPUT", "path"},
			{"leaving the API", "GET", "/soke/%2e%2e/admin", "", key, 400, "INVALID_INPUT", "path"},
			{"a query that is none", "GET", "/soke/jobs/a?q=%zz", "", key, 400, "INVALID_INPUT", "query"},
			{"estimate of nothing", "POST", "/estimate", `{}`, key, 400, "INVALID_INPUT", "action"},
			{"estimate of a stranger", "POST", "/estimate", `{"action":"research-keyword"}`, key, 400, "INVALID_INPUT", "action"},
		} {
			t.Run(fmt.Sprintf("%s/%s", p.Name(), c.name), func(t *testing.T) {
				a := s.call(c.method, root+c.path, c.body, c.headers...)
				if a.status != c.status {
					t.Fatalf("status %d, want %d: %s", a.status, c.status, a.body)
				}
				e := a.failure(t)
				if e["code"] != c.code {
					t.Errorf("code %v, want %s", e["code"], c.code)
				}
				if field, _ := e["field"].(string); c.field != "-" && field != c.field {
					t.Errorf("field %q, want %q", field, c.field)
				}
				message := e["message"].(string)
				if strings.Contains(message, "[hidden]") {
					t.Errorf("message %q hides what is no secret", message)
				}
				id := a.object(t)["meta"].(map[string]any)["request_id"].(string)
				if !strings.HasSuffix(message, "(request "+id+")") || len([]rune(message)) > 250 {
					t.Errorf("message %q does not end with its request id, or is too long", message)
				}
				if a.status == http.StatusMethodNotAllowed && a.header.Get("Allow") != "POST" && !strings.Contains(a.header.Get("Allow"), "POST") {
					t.Errorf("Allow is %q", a.header.Get("Allow"))
				}
			})
		}
	}
	if got := s.sandbox.Charged(activeKey); got != before {
		t.Errorf("refusals cost %d credits", got-before)
	}
}

func TestSokesOwnFailuresComeBackInTheWordsOfThePlatform(t *testing.T) {
	s := start(t)
	for key, want := range map[string]struct {
		status           int
		code, zapier, mk string
	}{
		"sk_live_sandbox_expired":   {403, "SUBSCRIPTION_REQUIRED", "Error", "InvalidConfigurationError"},
		"sk_live_sandbox_revoked":   {401, "UNAUTHORIZED", "ExpiredAuthError", "InvalidAccessTokenError"},
		"sk_live_sandbox_nocredits": {402, "INSUFFICIENT_CREDITS", "Error", "RuntimeError"},
		"sk_live_sandbox_forbidden": {403, "FORBIDDEN", "Error", "InvalidConfigurationError"},
		"sk_live_sandbox_broken":    {500, "INTERNAL_ERROR", "Error", "ConnectionError"},
	} {
		for platformName, kind := range map[string]string{"zapier": want.zapier, "make": want.mk, "n8n": "NodeApiError"} {
			a := s.call("POST", "/v1/"+platformName+"/actions/research-keywords", `{"topic":"x"}`, "X-Soke-Key", key)
			e := a.failure(t)
			if a.status != want.status || e["code"] != want.code || e["type"] != kind {
				t.Errorf("%s on %s: %d %v %v, want %d %s %s", key, platformName, a.status, e["code"], e["type"], want.status, want.code, kind)
			}
		}
	}
	a := s.call("GET", "/v1/zapier/connection", "", "X-Soke-Key", "sk_live_sandbox_revoked")
	if e := a.failure(t); e["type"] != "Error" {
		t.Errorf("a refused key in Zapier's connection test is %v, want Error", e["type"])
	}
}

func TestALimitedKeyIsToldHowLongToWait(t *testing.T) {
	s := start(t)
	var a answer
	for range 11 {
		a = s.call("POST", "/v1/zapier/actions/research-keywords", `{"topic":"x"}`, "X-Soke-Key", "sk_live_sandbox_limited")
	}
	e := a.failure(t)
	wait, ok := e["retryAfter"].(float64)
	if a.status != 429 || e["type"] != "ThrottledError" || !ok || wait < 1 || wait > 60 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := a.header.Get("Retry-After"); got != fmt.Sprintf("%d", int(wait)) {
		t.Errorf("Retry-After is %q, the body says %v", got, wait)
	}
}
