package connector_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/sqlite"
)

func TestRepeatsOfAPaidCallArePaidOnce(t *testing.T) {
	s := start(t)
	const path, body = "/v1/make/actions/research-keywords", `{"topic":"home espresso"}`
	var all sync.WaitGroup
	answers := make([]answer, 20)
	for i := range answers {
		all.Add(1)
		go func() {
			defer all.Done()
			answers[i] = s.post(path, body, "Idempotency-Key", "run-1")
		}()
	}
	all.Wait()
	for _, a := range answers {
		if a.status != http.StatusOK || string(a.body) != string(answers[0].body) {
			t.Fatalf("a repeat got another answer: %d %s", a.status, a.body)
		}
	}
	if n := s.sandbox.CallCount("research/keywords"); n != 1 {
		t.Errorf("%d calls reached Soke, want 1", n)
	}
	later := s.post("/v1/zapier/actions/research-keywords", `{"topic":" home espresso ","maxResults":"20"}`, "Idempotency-Key", "run-1")
	if later.header.Get("Idempotent-Replayed") != "true" || string(later.body) != string(answers[0].body) {
		t.Errorf("a later repeat was not replayed: %s", later.body)
	}
	other := s.post(path, `{"topic":"other"}`, "Idempotency-Key", "run-1")
	if other.status != http.StatusConflict || other.failure(t)["code"] != "IDEMPOTENCY_MISMATCH" {
		t.Errorf("another input under the same key: %d %s", other.status, other.body)
	}
	if n := s.sandbox.Charged(activeKey); n != 2 {
		t.Errorf("%d credits were spent, want 2", n)
	}
}

func TestFreeCallsSpendNoCredits(t *testing.T) {
	s := start(t)
	for _, p := range platforms() {
		root := "/v1/" + string(p.Name())
		for _, path := range []string{"/connection", "/connection/check", "/catalog"} {
			if a := s.call(http.MethodGet, root+path, "", "X-Soke-Key", activeKey); a.status != http.StatusOK {
				t.Errorf("%s%s: %d %s", root, path, a.status, a.body)
			}
		}
		if a := s.post(root+"/estimate", `{"action":"research-keywords","topic":"x"}`); a.object(t)["creditsPerRun"] != 2.0 {
			t.Errorf("estimate: %s", a.body)
		}
		check := s.call(http.MethodGet, root+"/connection/check", "", "X-Soke-Key", "not a key")
		if check.status != http.StatusOK || check.object(t)["ok"] != false {
			t.Errorf("the check of a bad key: %d %s", check.status, check.body)
		}
	}
	if n := s.sandbox.Charged(activeKey); n != 0 {
		t.Errorf("%d credits were spent", n)
	}
}

func TestASlowSokeIsATimeoutInTheWordsOfThePlatform(t *testing.T) {
	left := make(chan struct{})
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(left)
	})
	s := start(t, withUpstream(hang), withTimeout(100*time.Millisecond))
	a := s.call(http.MethodGet, "/v1/make/soke/trends/scan", "", "X-Soke-Key", activeKey)
	if a.status != http.StatusGatewayTimeout || a.failure(t)["code"] != "UPSTREAM_TIMEOUT" {
		t.Errorf("%d %s", a.status, a.body)
	}
	<-left
}

func TestOpenAIClientsCanStreamTheChat(t *testing.T) {
	s := start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/openai/v1/chat/completions",
		strings.NewReader(`{"model":"soke-v1","stream":true,"temperature":0.2,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Ideas?"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+activeKey)
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var events []string
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			events = append(events, data)
		}
	}
	if len(events) < 5 || events[len(events)-1] != "[DONE]" || !strings.Contains(events[0], "chat.completion.chunk") {
		t.Errorf("unexpected stream of %d events: %q", len(events), events)
	}
}

func TestAKeyLeavesNoTraceInLogsMetricsAnswersOrTheDatabase(t *testing.T) {
	s := start(t)
	const canary = "sk_live_canary_0123456789"
	prompt := "a prompt that must not be logged"
	for _, path := range []string{"/v1/zapier/actions/chat-completion", "/v1/n8n/soke/nothing", "/v1/make/actions/none"} {
		a := s.call(http.MethodPost, path, `{"prompt":"`+prompt+`"}`, "X-Soke-Key", canary, "Idempotency-Key", "k")
		if strings.Contains(string(a.body), canary) {
			t.Errorf("%s answers with the key", path)
		}
	}
	for name, text := range map[string]string{"logs": s.logs.String(), "metrics": s.metrics()} {
		if strings.Contains(text, canary) || strings.Contains(text, prompt) {
			t.Errorf("the %s hold the key or the prompt", name)
		}
	}
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(s.database + suffix)
		if err == nil && strings.Contains(string(raw), canary) {
			t.Errorf("the database%s holds the key", suffix)
		}
	}
}

// keeper sees whether an answer may be kept for as long as that takes, and refuses some at first.
type keeper struct {
	connector.AnswerStore
	hurried  atomic.Bool
	refusals atomic.Int32
}

func (k *keeper) KeepAnswer(ctx context.Context, id [32]byte, a connector.Answer, until time.Time) error {
	_, limit := ctx.Deadline()
	k.hurried.Store(limit)
	if k.refusals.Add(-1) >= 0 {
		return errDiskFull
	}
	return k.AnswerStore.KeepAnswer(ctx, id, a, until)
}

func withKeeper(k *keeper) option {
	return func(set *setup) {
		set.answers = func(db *sqlite.DB) connector.AnswerStore {
			k.AnswerStore = db
			return k
		}
	}
}

func TestAnAnswerThatCameAtTheLastMomentIsKeptForItsRepeats(t *testing.T) {
	k := &keeper{}
	s := start(t, withKeeper(k))
	if a := s.post("/v1/make/actions/research-keywords", `{"topic":"home espresso"}`, "Idempotency-Key", "run-1"); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if k.hurried.Load() {
		t.Error("the time that Soke has bounds the keeping of its answer, too")
	}
}

func TestAnAnswerThatCannotBeKeptAtFirstIsNotPaidForTwice(t *testing.T) {
	k := &keeper{}
	k.refusals.Store(2)
	s := start(t, withKeeper(k))
	for range 3 {
		if a := s.post("/v1/make/actions/research-keywords", `{"topic":"home espresso"}`, "Idempotency-Key", "run-1"); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if n := s.sandbox.CallCount("research/keywords"); n != 1 {
		t.Errorf("%d calls were paid for", n)
	}
}

// withResearchHeld lets researches wait until let is closed.
func withResearchHeld(let <-chan struct{}) option {
	return func(set *setup) {
		set.upstream = func(box http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "research/keywords") {
					<-let
				}
				box.ServeHTTP(w, r)
			})
		}
	}
}

func TestACallerMaySayHowLongItWaitsAndGetsWhatWasPaidTheNextTime(t *testing.T) {
	let := make(chan struct{})
	s := start(t, withResearchHeld(let))
	patient := []string{"Idempotency-Key", "run-1", "Prefer", "respond-async; x=1, wait=1"}
	a := s.post("/v1/zapier/actions/research-keywords", `{"topic":"home espresso"}`, patient...)
	if e := a.failure(t); a.status != http.StatusGatewayTimeout || e["code"] != "UPSTREAM_TIMEOUT" || e["type"] != "Error" {
		t.Errorf("%d %s", a.status, a.body)
	}
	close(let)
	a = s.post("/v1/zapier/actions/research-keywords", `{"topic":"home espresso"}`, "Idempotency-Key", "run-1")
	if a.status != http.StatusOK || a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := s.sandbox.CallCount("research/keywords"); n != 1 {
		t.Errorf("%d calls were paid for", n)
	}
	if strings.Contains(s.logs.String(), `"status":499`) {
		t.Error("a caller who was answered counts as one who left")
	}
}

func TestAFreeCallThatFailsDoesNotSpeakOfCredits(t *testing.T) {
	broken := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("X-Soke-Account-Id"), "hang") {
			<-r.Context().Done()
		}
		w.WriteHeader(http.StatusBadGateway)
	})
	w := startWatching(t, withUpstream(broken), withTimeout(100*time.Millisecond))
	in := receive(t)
	for _, account := range []string{"acc_main", "hang"} {
		for path, body := range map[string]string{
			"/v1/zapier/connection": "", "/v1/n8n/connection/check": "", "/v1/make/connection/rotate": `{"previousKey":"sk_live_sandbox_previous"}`,
			"/v1/zapier/triggers/new-keyword/subscriptions": fmt.Sprintf(`{%s,"targetUrl":%q}`, espresso, in.URL),
		} {
			method := http.MethodPost
			if body == "" {
				method = http.MethodGet
			}
			a := w.call(method, path, body, "X-Soke-Account-Id", account, "X-Soke-Key", activeKey)
			if text := string(a.body); !strings.Contains(text, "UPSTREAM_") || strings.Contains(text, "may have been charged") {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	}
}

func TestAPollThatIsOutOfTimeDoesNotSayThatNothingWasDone(t *testing.T) {
	let := make(chan struct{})
	w := startWatching(t, withResearchHeld(let))
	a := w.post("/v1/zapier/triggers/new-keyword/poll", "{"+espresso+"}", "Prefer", "wait=1")
	close(let)
	if a.status != http.StatusGatewayTimeout || a.failure(t)["code"] != "UPSTREAM_TIMEOUT" || strings.Contains(string(a.body), "storage") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
