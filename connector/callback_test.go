package connector_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
)

// answers is a receiver of callbacks.
func answers(t *testing.T, statuses ...int) (url string, got <-chan map[string]any) {
	t.Helper()
	all := make(chan map[string]any, 10)
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		if len(statuses) > 0 {
			status := statuses[0]
			statuses = statuses[1:]
			w.WriteHeader(status)
		}
		all <- body
	}))
	t.Cleanup(in.Close)
	return in.URL, all
}

const question = `{"prompt":"Three titles"}`

func TestASlowActionIsAcceptedAtOnceAndItsAnswerPosted(t *testing.T) {
	c := start(t, withCallbacks)
	url, got := answers(t)
	a := c.post("/v1/zapier/actions/chat-completion", question, "X-Callback-Url", url)
	if a.status != http.StatusAccepted || a.object(t)["status"] != "accepted" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	body := <-got
	result, _ := body["result"].(map[string]any)
	if body["status"] != "success" || result["content"] == "" || result["content"] == nil {
		t.Errorf("posted %v", body)
	}
	if c.sandbox.CallCount("chat/completions") != 1 {
		t.Errorf("%d calls", c.sandbox.CallCount("chat/completions"))
	}
}

func TestAFailureIsPostedInThePlatformsShape(t *testing.T) {
	c := start(t, withCallbacks)
	for key, want := range map[string][2]string{
		"expired": {"SUBSCRIPTION_REQUIRED", "Error"}, "revoked": {"UNAUTHORIZED", "ExpiredAuthError"}, "nocredits": {"INSUFFICIENT_CREDITS", "Error"},
	} {
		url, got := answers(t)
		c.post("/v1/zapier/actions/chat-completion", question, "X-Callback-Url", url, "X-Soke-Key", "sk_live_sandbox_"+key)
		body := <-got
		failure, _ := body["error"].(map[string]any)
		if body["status"] != "failed" || failure["code"] != want[0] || failure["type"] != want[1] {
			t.Errorf("%s: %v", key, body)
		}
	}
}

func TestBadInputAndBadTargetsAreRefusedAtOnce(t *testing.T) {
	c := start(t, withCallbacks)
	url, _ := answers(t)
	for _, bad := range []struct{ body, target, field string }{
		{`{}`, url, "prompt"},
		{question, "https://evil.example.com/x", "X-Callback-Url"},
		{question, "https://zapier.com.evil.example/x", "X-Callback-Url"},
		{question, "http://169.254.169.254/", "X-Callback-Url"},
		{question, "not a url", "X-Callback-Url"},
	} {
		a := c.post("/v1/zapier/actions/chat-completion", bad.body, "X-Callback-Url", bad.target)
		if a.status != 400 || a.failure(t)["field"] != bad.field {
			t.Errorf("%s to %s: %d %s", bad.body, bad.target, a.status, a.body)
		}
	}
}

func TestARepeatedCallbackUnderOneIdempotencyKeyIsPaidOnce(t *testing.T) {
	c := start(t, withCallbacks)
	url, got := answers(t)
	for range 3 {
		c.post("/v1/zapier/actions/chat-completion", question, "X-Callback-Url", url, "Idempotency-Key", "one")
	}
	for range 3 {
		if body := <-got; body["status"] != "success" {
			t.Errorf("posted %v", body)
		}
	}
	if c.sandbox.Charged(activeKey) != 5 {
		t.Errorf("%d credits for one answer", c.sandbox.Charged(activeKey))
	}
}

func TestAfterARestartWhatWasNotSentIsSentAndWhatWasUnderWayIsNotPaidTwice(t *testing.T) {
	database := filepath.Join(t.TempDir(), "c.db")
	url, got := answers(t)
	key, err := soke.ParseKey(activeKey)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(context.Background(), sqlite.Options{Path: database})
	if err != nil {
		t.Fatal(err)
	}
	// What a process that was killed leaves behind: one call accepted, one under way, one answered.
	ctx := context.Background()
	for _, id := range []string{"accepted", "calling", "answered"} {
		err := db.AddCallback(ctx, connector.Callback{
			ID: "cbk_" + id, Platform: "zapier", Action: "chat-completion", RequestID: id, State: connector.CallbackAccepted, Created: time.Now(),
			Secret: connector.CallbackSecret{Credential: soke.Credential{Key: key}, Input: json.RawMessage(question), Target: url + "/" + id},
		})
		if err != nil {
			t.Fatal(err)
		}
		if id == "accepted" {
			continue
		}
		if ok, err := db.StartCallback(ctx, "cbk_"+id); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	answered := connector.Callback{ID: "cbk_answered", Secret: connector.CallbackSecret{Target: url + "/answered"}, Answer: []byte(`{"status":"success","result":{"content":"kept"}}`)}
	if err := db.AnswerCallback(ctx, answered, time.Now()); err != nil {
		t.Fatal(err)
	}
	if ok, err := db.StartCallback(ctx, "cbk_answered"); ok || err != nil {
		t.Errorf("an answered call could be sent again: %v %v", ok, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{activeKey, "Three titles", url} {
		if strings.Contains(files(t, database), secret) {
			t.Errorf("%s lies in clear", secret)
		}
	}

	c := start(t, withCallbacks, withDatabase(database))
	outcomes := map[string]int{}
	for range 3 {
		body := <-got
		failure, _ := body["error"].(map[string]any)
		code, _ := failure["code"].(string)
		outcomes[body["status"].(string)+code]++
	}
	if outcomes["success"] != 2 || outcomes["failedUPSTREAM_TIMEOUT"] != 1 {
		t.Errorf("%v", outcomes)
	}
	if c.sandbox.CallCount("chat/completions") != 1 {
		t.Errorf("%d calls after the restart, one was not sent before", c.sandbox.CallCount("chat/completions"))
	}
}

func TestWithoutItsDatabaseTheConnectorStillRunsActionsAndSaysThatTheRestCannot(t *testing.T) {
	w := startWatching(t)
	w.events("zapier", "new-keyword", "{"+espresso+"}")
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	if a := w.post("/v1/zapier/actions/research-keywords", `{"topic":"x"}`); a.status != http.StatusOK {
		t.Errorf("an action: %d %s", a.status, a.body)
	}
	for _, call := range []answer{
		w.post("/v1/zapier/triggers/new-keyword/poll", "{"+espresso+"}"),
		w.post("/v1/n8n/triggers/new-keyword/subscriptions", "{"+espresso+`,"targetUrl":"http://127.0.0.1:1/x"}`),
		w.post("/v1/make/actions/research-keywords", `{"topic":"x"}`, "Idempotency-Key", "k"),
		w.call(http.MethodDelete, "/v1/make/triggers/new-keyword/subscriptions/sub_x", "", "X-Soke-Key", activeKey),
	} {
		if call.status != http.StatusServiceUnavailable || call.failure(t)["code"] != "CONNECTOR_ERROR" {
			t.Errorf("%d %s", call.status, call.body)
		}
	}
	if a := w.call(http.MethodGet, "/readyz", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("ready: %d", a.status)
	}
}
