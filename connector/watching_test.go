package connector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

// watching is a whole connector with its engines, which work when the test says so, on its clock.
type watching struct {
	*service
	scheduler *scheduler.Scheduler
	outbox    *delivery.Engine

	subscribed, committed waker // what has woken the outbox

	mu  sync.Mutex
	now time.Time
}

// waker wakes an outbox and counts how often.
type waker struct {
	outbox *delivery.Engine
	count  atomic.Int32
}

func (w *waker) Wake() {
	w.count.Add(1)
	w.outbox.Wake()
}

func (w *watching) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time go by and everything happen that is due then.
func (w *watching) pass(d time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for range 4 {
		if _, err := w.scheduler.Round(ctx); err != nil {
			w.t.Fatal(err)
		}
		if err := w.scheduler.Settled(ctx); err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.outbox.Round(ctx); err != nil {
			w.t.Fatal(err)
		}
		if err := w.outbox.Settled(ctx); err != nil {
			w.t.Fatal(err)
		}
	}
}

// research lets time go by and the watch run, and nothing be delivered.
func (w *watching) research(d time.Duration) {
	w.t.Helper()
	w.at(w.clock().Add(d))
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	if _, err := w.scheduler.Round(ctx); err != nil {
		w.t.Fatal(err)
	}
	if err := w.scheduler.Settled(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watching) at(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
}

// startWatching starts a connector with triggers.
func startWatching(t *testing.T, options ...option) *watching {
	t.Helper()
	w := &watching{now: time.Now().Truncate(time.Second).UTC()}
	start(t, append([]option{func(s *setup) { s.watching = w }}, options...)...)
	return w
}

// build makes the engines of a service.
func (w *watching) build(outbox delivery.EngineOptions, client *soke.Client, guard *delivery.Guard, metrics *connector.Metrics, logger *slog.Logger) *connector.Watching {
	w.t.Helper()
	outbox.Guard, outbox.Receivers, outbox.Logger = guard, platform.Receivers(platforms()), logger
	if outbox.Store == nil {
		outbox.Store = w.db
	}
	outbox.UserAgent, outbox.Now = "soke-connector/test", w.clock
	if outbox.Observe == nil {
		outbox.Observe = metrics.ObserveDelivery
	}
	var err error
	if w.outbox, err = delivery.NewEngine(outbox); err != nil {
		w.t.Fatal(err)
	}
	w.subscribed.outbox, w.committed.outbox = w.outbox, w.outbox
	if w.scheduler, err = scheduler.New(scheduler.Options{
		Store: w.db, Soke: client, Triggers: triggers.All(), Logger: logger, Now: w.clock, Observe: metrics.ObserveRun, Committed: w.committed.Wake,
	}); err != nil {
		w.t.Fatal(err)
	}
	return &connector.Watching{Store: w.db, Runner: w.scheduler, Outbox: &w.subscribed, Targets: guard, MinInterval: 15 * time.Minute}
}

func (w *watching) calls() int { return w.sandbox.CallCount("research/keywords") }

// events polls a trigger and returns its events.
func (w *watching) events(platform, trigger, body string, headers ...string) []map[string]any {
	w.t.Helper()
	a := w.post("/v1/"+platform+"/triggers/"+trigger+"/poll", body, headers...)
	if a.status != http.StatusOK {
		w.t.Fatalf("polling %s: %d %s", trigger, a.status, a.body)
	}
	var list []map[string]any
	raw := json.RawMessage(a.body)
	if platform != "zapier" {
		var page struct{ Events json.RawMessage }
		if err := json.Unmarshal(a.body, &page); err != nil {
			w.t.Fatal(err)
		}
		raw = page.Events
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		w.t.Fatalf("%v: %s", err, a.body)
	}
	return list
}

func ids(events []map[string]any) []string {
	all := []string{}
	for _, e := range events {
		all = append(all, e["id"].(string))
	}
	return all
}

// target is a receiver of webhooks.
type target struct {
	*httptest.Server
	mu       sync.Mutex
	answers  []int // statuses to answer with, in turn; the last one stays
	arrived  []arrival
	wait     string
	response string
}

type arrival struct {
	method string
	path   string
	header http.Header
	raw    []byte
	body   map[string]any
}

func receive(t *testing.T, answers ...int) *target {
	t.Helper()
	in := &target{answers: answers}
	in.Server = httptest.NewServer(in)
	t.Cleanup(in.Close)
	return in
}

func (in *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := arrival{method: r.Method, path: r.URL.Path, header: r.Header.Clone()}
	a.raw, _ = io.ReadAll(r.Body)
	_ = json.Unmarshal(a.raw, &a.body)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.arrived = append(in.arrived, a)
	status := http.StatusOK
	if len(in.answers) > 0 {
		status = in.answers[0]
		if len(in.answers) > 1 {
			in.answers = in.answers[1:]
		}
	}
	if in.wait != "" {
		w.Header().Set("Retry-After", in.wait)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, in.response)
}

// set changes what it answers.
func (in *target) set(answers ...int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.answers, in.wait, in.response = answers, "", ""
}

func (in *target) all() []arrival {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.arrived)
}

// subscribe subscribes and returns the answer.
func (w *watching) subscribe(platform, trigger, input, target string, headers ...string) map[string]any {
	w.t.Helper()
	a := w.post("/v1/"+platform+"/triggers/"+trigger+"/subscriptions", fmt.Sprintf(`{%s,"targetUrl":%q}`, input, target), headers...)
	if a.status != http.StatusCreated && a.status != http.StatusOK {
		w.t.Fatalf("subscribing: %d %s", a.status, a.body)
	}
	var made map[string]any
	if err := json.Unmarshal(a.body, &made); err != nil {
		w.t.Fatal(err)
	}
	return made
}

// files is everything that a database has written.
func files(t *testing.T, path string) string {
	t.Helper()
	var all strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(path + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	return all.String()
}

const espresso = `"topic":"home espresso","schedule":"@every 1h","maxResults":8`

func TestTheFirstPollIsTheBaselineAndPollsCostNothingAfterwards(t *testing.T) {
	w := startWatching(t)
	for _, platform := range []string{"zapier", "n8n", "make"} {
		for _, trigger := range []string{"new-keyword", "research-completed"} {
			events := w.events(platform, trigger, "{"+espresso+"}")
			if len(events) == 0 {
				t.Fatalf("%s %s has no baseline", platform, trigger)
			}
			for _, e := range events {
				if e["baseline"] != true || e["type"] != trigger {
					t.Errorf("%v", e)
				}
			}
		}
		for _, trigger := range []string{"trend-change", "competition-drop"} {
			if events := w.events(platform, trigger, "{"+espresso+"}"); len(events) != 0 {
				t.Errorf("%s %s begins with %v", platform, trigger, events)
			}
		}
	}
	if w.calls() != 1 || w.sandbox.Charged(activeKey) != 2 {
		t.Errorf("%d calls, %d credits for one watch", w.calls(), w.sandbox.Charged(activeKey))
	}
}

func TestEachPlatformGetsItsOwnListOfTheSameEvents(t *testing.T) {
	w := startWatching(t)
	w.events("zapier", "new-keyword", "{"+espresso+"}")
	for range 3 {
		w.pass(time.Hour)
	}
	zapier := ids(w.events("zapier", "new-keyword", "{"+espresso+"}"))
	n8n := ids(w.events("n8n", "new-keyword", "{"+espresso+"}"))
	slices.Reverse(n8n)
	if !slices.Equal(zapier, n8n) || len(zapier) < 10 {
		t.Errorf("zapier, newest first: %v\nn8n, reversed: %v", zapier, n8n)
	}
	if few := ids(w.events("zapier", "new-keyword", "{"+espresso+`,"limit":"3"}`)); !slices.Equal(few, zapier[:3]) {
		t.Errorf("the newest three are %v", few)
	}
	runs := ids(w.events("make", "research-completed", "{"+espresso+"}"))
	if !slices.IsSorted(runs) {
		t.Errorf("ids do not sort by the time of their run: %v", runs)
	}
}

func TestACursorGivesWhatIsNewAndNothingTwice(t *testing.T) {
	w := startWatching(t)
	poll := func(platform, cursor string, limit int) (events []string, next string, more bool) {
		body := fmt.Sprintf(`{%s,"limit":%d}`, espresso, limit)
		if cursor != "" {
			body = fmt.Sprintf(`{%s,"limit":%d,"cursor":%q}`, espresso, limit, cursor)
		}
		a := w.post("/v1/"+platform+"/triggers/new-keyword/poll", body)
		var page struct {
			Events  []map[string]any
			Cursor  string
			HasMore bool
		}
		if err := json.Unmarshal(a.body, &page); err != nil || a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return ids(page.Events), page.Cursor, page.HasMore
	}
	baseline, cursor, _ := poll("n8n", "", 100)
	for range 5 {
		w.pass(time.Hour)
	}
	seen := slices.Clone(baseline)
	for more := true; more; {
		var events []string
		events, cursor, more = poll("n8n", cursor, 2)
		if len(events) > 2 {
			t.Errorf("%d events for a limit of two", len(events))
		}
		seen = append(seen, events...)
	}
	all, _, _ := poll("n8n", "", 100)
	if !slices.Equal(seen, all) {
		t.Errorf("by cursor %v\nin one %v", seen, all)
	}
	if again, same, _ := poll("n8n", cursor, 100); len(again) != 0 || same != cursor {
		t.Errorf("nothing is new, and the cursor gives %v", again)
	}
	for _, bad := range []string{"x", cursor[:len(cursor)-2], strings.ToUpper(cursor), strings.Repeat("A", 22)} {
		a := w.post("/v1/make/triggers/new-keyword/poll", fmt.Sprintf(`{%s,"cursor":%q}`, espresso, bad))
		if a.status != 400 || a.failure(t)["field"] != "cursor" {
			t.Errorf("cursor %q: %d %s", bad, a.status, a.body)
		}
	}
	charged := w.sandbox.Charged(activeKey)
	if a := w.post("/v1/n8n/triggers/new-keyword/poll", `{"topic":"brand new","cursor":"junk"}`); a.status != 400 || w.sandbox.Charged(activeKey) != charged {
		t.Errorf("what is no cursor costs %d credits: %d", w.sandbox.Charged(activeKey)-charged, a.status)
	}
	if a := w.post("/v1/n8n/triggers/research-completed/poll", fmt.Sprintf(`{%s,"cursor":%q}`, espresso, cursor)); a.status != 400 {
		t.Errorf("another feed's cursor: %d", a.status)
	}
}

func TestSinceIsInclusive(t *testing.T) {
	w := startWatching(t)
	w.events("make", "research-completed", "{"+espresso+"}")
	w.pass(time.Hour)
	w.pass(time.Hour)
	all := w.events("make", "research-completed", "{"+espresso+"}")
	from := all[1]["occurredAt"].(string)
	if got := ids(w.events("make", "research-completed", fmt.Sprintf(`{%s,"since":%q}`, espresso, from))); !slices.Equal(got, ids(all)[1:]) {
		t.Errorf("since %s: %v of %v", from, got, ids(all))
	}
	if a := w.post("/v1/n8n/triggers/new-keyword/poll", fmt.Sprintf(`{%s,"since":%q}`, espresso, from)); a.status != 400 {
		t.Errorf("n8n has no since, and gets %d", a.status)
	}
}

func TestAPollThatSokeRefusesSaysSoFromThenOnWithoutAsking(t *testing.T) {
	w := startWatching(t)
	for key, want := range map[string]struct {
		status int
		code   string
	}{
		"expired": {403, "SUBSCRIPTION_REQUIRED"}, "revoked": {401, "UNAUTHORIZED"}, "nocredits": {402, "INSUFFICIENT_CREDITS"}, "forbidden": {403, "FORBIDDEN"},
	} {
		for _, platform := range []string{"zapier", "n8n", "make"} {
			for range 3 {
				a := w.post("/v1/"+platform+"/triggers/new-keyword/poll", "{"+espresso+"}", "X-Soke-Key", "sk_live_sandbox_"+key)
				if a.status != want.status || a.failure(t)["code"] != want.code {
					t.Errorf("%s on %s: %d %s", key, platform, a.status, a.body)
				}
			}
		}
	}
	if w.calls() != 4 {
		t.Errorf("%d calls for four watches", w.calls())
	}
}

func TestBadInputIsNamedByItsFieldAndStoresNothing(t *testing.T) {
	w := startWatching(t)
	for body, field := range map[string]string{
		`{"schedule":"every day"}`:                         "schedule",
		`{"schedule":"TZ=UTC 0 9 * * *"}`:                  "schedule",
		`{"schedule":"@every 5m"}`:                         "schedule",
		`{"schedule":"* * * * *"}`:                         "schedule",
		`{"schedule":"0 0 30 2 *"}`:                        "schedule",
		`{"schedule":"@daily","timezone":"Mars/Olympus"}`:  "timezone",
		`{"schedule":"@daily","timezone":"../etc/passwd"}`: "timezone",
		`{"limit":0}`:          "limit",
		`{"limit":101}`:        "limit",
		`{"maxResults":99}`:    "maxResults",
		`{"shedule":"@daily"}`: "shedule",
	} {
		a := w.post("/v1/make/triggers/new-keyword/poll", body)
		if a.status != 400 || a.failure(t)["code"] != "INVALID_INPUT" || a.failure(t)["field"] != field {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := w.post("/v1/make/triggers/competition-drop/poll", `{"threshold":2}`); a.failure(t)["field"] != "threshold" {
		t.Errorf("%s", a.body)
	}
	if a := w.post("/v1/zapier/triggers/new-keywords/poll", `{}`); a.status != 404 || !strings.Contains(string(a.body), "new-keyword") {
		t.Errorf("an unknown trigger: %d %s", a.status, a.body)
	}
	a := w.call(http.MethodPost, "/v1/n8n/triggers/new-keyword/poll", `{}`, "Authorization", "Bearer aaa.bbb.ccc")
	if a.status != 400 || !strings.Contains(string(a.body), "API key") {
		t.Errorf("with a sign-in: %d %s", a.status, a.body)
	}
	if all, err := w.db.Watches(t.Context(), "", 10); err != nil || len(all) != 0 || w.calls() != 0 {
		t.Errorf("%v %v, %d calls", all, err, w.calls())
	}
}

func TestSamplesAreEventsAndCostNothing(t *testing.T) {
	w := startWatching(t)
	for _, trigger := range triggers.All() {
		a := w.call(http.MethodGet, "/v1/zapier/triggers/"+trigger.Key+"/sample", "", "X-Soke-Key", activeKey)
		var list []map[string]any
		if err := json.Unmarshal(a.body, &list); err != nil || len(list) == 0 || len(list) > 3 || list[0]["type"] != trigger.Key {
			t.Errorf("%s: %d %s", trigger.Key, a.status, a.body)
		}
	}
	if w.sandbox.Charged(activeKey) != 0 {
		t.Error("a sample was charged")
	}
}

func TestAnEstimateSaysWhatAWatchCostsAndStoresNothing(t *testing.T) {
	w := startWatching(t)
	ask := func() map[string]any {
		return w.post("/v1/make/estimate", `{"trigger":"new-keyword","topic":"x","schedule":"0 9 * * *","timezone":"Europe/Berlin"}`).object(t)
	}
	got := ask()
	runs := got["nextRuns"].([]any)
	if got["creditsPerRun"] != 2.0 || got["runsPerMonth"] != 30.0 || got["creditsPerMonth"] != 60.0 || len(runs) != 5 || got["sharedWith"] != 0.0 {
		t.Errorf("%v", got)
	}
	if at, err := time.Parse(time.RFC3339, runs[0].(string)); err != nil || !strings.Contains(runs[0].(string), "T09:00:00+0") || !at.After(w.clock()) {
		t.Errorf("the next run is %v", runs[0])
	}
	if all, _ := w.db.Watches(t.Context(), "", 10); len(all) != 0 {
		t.Error("an estimate made a watch")
	}
	w.events("zapier", "new-keyword", `{"topic":"x","schedule":"0 9 * * *","timezone":"Europe/Berlin"}`)
	if got := ask(); got["sharedWith"] != 1.0 {
		t.Errorf("shared with %v", got["sharedWith"])
	}
}

func TestASubscriptionGetsOneSignedPostForEachRunAndNeverTheBaseline(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	made := w.subscribe("zapier", "new-keyword", espresso, in.URL+"/hook")
	w.pass(0)
	if len(in.all()) != 0 {
		t.Fatalf("the baseline was pushed: %s", in.all()[0].raw)
	}
	w.pass(time.Hour)
	w.pass(time.Hour)
	arrived := in.all()
	if len(arrived) != 2 {
		t.Fatalf("%d posts for two runs", len(arrived))
	}
	verifier, err := webhooks.NewWebhook(made["signingSecret"].(string))
	if err != nil {
		t.Fatal(err)
	}
	polled := ids(w.events("zapier", "new-keyword", "{"+espresso+"}"))
	for _, a := range arrived {
		if err := verifier.VerifyIgnoringTimestamp(a.raw, a.header); err != nil {
			t.Errorf("the signature: %v", err)
		}
		if a.header.Get("User-Agent") != "soke-connector/test" || a.header.Get("Content-Type") != "application/json" || a.body["type"] != "new-keyword" || a.body["subscriptionId"] != made["id"] || a.body["runId"] == "" {
			t.Errorf("%v %s", a.header, a.raw)
		}
		for _, e := range a.body["events"].([]any) {
			if id := e.(map[string]any)["id"].(string); !slices.Contains(polled, id) {
				t.Errorf("%s was pushed and is not polled", id)
			}
		}
	}
	if w.calls() != 3 {
		t.Errorf("%d calls for three runs of one watch", w.calls())
	}
}

func TestSubscribingAgainIsTheSameSubscription(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	path := "/v1/n8n/triggers/new-keyword/subscriptions"
	body := fmt.Sprintf(`{%s,"targetUrl":"%s/a"}`, espresso, in.URL)
	first := w.post(path, body)
	second := w.post(path, body)
	if first.status != 201 || second.status != 200 {
		t.Fatalf("%d, then %d", first.status, second.status)
	}
	a, b := first.object(t), second.object(t)
	for _, same := range []string{"id", "watchId", "signingSecret", "unsubscribeToken"} {
		if a[same] != b[same] || a[same] == "" {
			t.Errorf("%s: %v, then %v", same, a[same], b[same])
		}
	}
	other := w.post(path, fmt.Sprintf(`{"topic":"cold brew","schedule":"@every 1h","targetUrl":"%s/a"}`, in.URL)).object(t)
	if other["id"] != a["id"] || other["watchId"] == a["watchId"] {
		t.Errorf("with another input: %v", other)
	}
	found := w.call(http.MethodGet, path+"?targetUrl="+in.URL+"/a", "", "X-Soke-Key", activeKey).object(t)
	if found["id"] != a["id"] || found["state"] != "active" {
		t.Errorf("found %v", found)
	}
	if missing := w.call(http.MethodGet, path+"?targetUrl="+in.URL+"/b", "", "X-Soke-Key", activeKey); missing.status != 404 {
		t.Errorf("a target that nobody has: %d", missing.status)
	}
}

func TestWhatWaitsIsCalledWhatItWasWhenTheSubscriptionWasOfAnotherTrigger(t *testing.T) {
	w := startWatching(t)
	in := receive(t, 500)
	made := w.subscribe("zapier", "new-keyword", espresso, in.URL)
	w.research(0)
	w.pass(time.Hour)
	in.set(200)
	again := w.subscribe("zapier", "research-completed", espresso, in.URL)
	w.pass(time.Second)
	last := in.all()[len(in.all())-1].body
	events := last["events"].([]any)
	if again["id"] != made["id"] || last["type"] != "new-keyword" || events[0].(map[string]any)["type"] != "new-keyword" {
		t.Errorf("%v events are sent as %v", events[0].(map[string]any)["type"], last["type"])
	}
}

func TestASubscriptionIsItsPlatformsAlone(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	made := w.subscribe("make", "new-keyword", espresso, in.URL)
	id := made["id"].(string)
	for _, headers := range [][]string{{"X-Soke-Key", activeKey}, {"X-Unsubscribe-Token", made["unsubscribeToken"].(string)}, {"X-Soke-Key", "sk_live_somebody_else"}} {
		if a := w.call(http.MethodDelete, "/v1/zapier/triggers/new-keyword/subscriptions/"+id, "", headers...); a.status != 404 {
			t.Errorf("ended on another platform with %s: %d %s", headers[0], a.status, a.body)
		}
	}
	if a := w.call(http.MethodGet, "/v1/make/triggers/new-keyword/subscriptions/"+id, "", "X-Soke-Key", activeKey); a.object(t)["state"] != "active" {
		t.Errorf("%s", a.body)
	}
}

func TestSubscriptionsNeedAKeyAndSaySo(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	made := w.subscribe("n8n", "new-keyword", espresso, in.URL)
	const base = "/v1/n8n/triggers/new-keyword/subscriptions"
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, base + "?targetUrl=" + in.URL}, {http.MethodGet, base + "/" + made["id"].(string)}, {http.MethodDelete, base + "/" + made["id"].(string)},
	} {
		a := w.call(c.method, c.path, "", "Authorization", "Bearer aaa.bbb.ccc")
		if a.status != 400 || a.failure(t)["code"] != "INVALID_INPUT" || !strings.Contains(string(a.body), "API key") {
			t.Errorf("%s %s with a sign-in: %d %s", c.method, c.path, a.status, a.body)
		}
	}
	if a := w.call(http.MethodDelete, base+"/"+made["id"].(string), "", "Authorization", "Bearer aaa.bbb.ccc", "X-Unsubscribe-Token", made["unsubscribeToken"].(string)); a.status != 200 {
		t.Errorf("with its token: %d %s", a.status, a.body)
	}
}

func TestASubscriptionWhoseRunsAreRefusedForWhatTheyAskSaysWhy(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	for key, want := range map[string]any{activeKey: "TOPIC_REQUIRED", "sk_live_in_trouble": nil} {
		made := w.subscribe("make", "new-keyword", `"schedule":"@hourly"`, in.URL, "X-Soke-Key", key, "X-Soke-Account-Id", "acc_second")
		if want == nil {
			w.sandbox.Set(key, sandbox.Broken)
		}
		w.pass(0)
		state := w.call(http.MethodGet, "/v1/make/triggers/new-keyword/subscriptions/"+made["id"].(string), "", "X-Soke-Key", key).object(t)
		if state["state"] != "active" || state["reason"] != want {
			t.Errorf("%s: %v, %v, want active for %v", key, state["state"], state["reason"], want)
		}
	}
}

func TestAPausedWatchHasNoNextRun(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	made := w.subscribe("n8n", "new-keyword", espresso, in.URL)
	w.pass(0)
	show := func() map[string]any {
		return w.call(http.MethodGet, "/v1/n8n/triggers/new-keyword/subscriptions/"+made["id"].(string), "", "X-Soke-Key", activeKey).object(t)
	}
	w.sandbox.Set(activeKey, sandbox.Expired)
	w.pass(time.Hour)
	if s := show(); s["state"] != "paused" || s["nextRunAt"] != nil {
		t.Errorf("while it is paused: %v", s)
	}
	w.sandbox.Set(activeKey, sandbox.Active)
	w.pass(time.Hour)
	if s := show(); s["state"] != "active" || s["nextRunAt"] == nil {
		t.Errorf("afterwards: %v", s)
	}
}

func TestOnlyItsKeyOrItsTokenEndsASubscription(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	base := "/v1/make/triggers/new-keyword/subscriptions/"
	made := w.subscribe("make", "new-keyword", espresso, in.URL)
	id, token := made["id"].(string), made["unsubscribeToken"].(string)
	other := []string{"X-Soke-Key", "sk_live_somebody_else"}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if a := w.call(method, base+id, "", other...); a.status != 404 {
			t.Errorf("another key's %s: %d", method, a.status)
		}
	}
	if a := w.call(http.MethodDelete, base+id, "", "X-Unsubscribe-Token", "unsub_wrong"); a.status != 404 {
		t.Errorf("a wrong token: %d", a.status)
	}
	if a := w.call(http.MethodDelete, base+id, ""); a.status != 401 {
		t.Errorf("nothing at all: %d", a.status)
	}
	for range 2 {
		if a := w.call(http.MethodDelete, base+id, "", "X-Unsubscribe-Token", token); a.status != 200 || a.object(t)["deleted"] != true {
			t.Errorf("the token: %d %s", a.status, a.body)
		}
	}
	if a := w.call(http.MethodDelete, base+"sub_never", "", "X-Soke-Key", activeKey); a.status != 200 {
		t.Errorf("one that never was: %d", a.status)
	}
	w.pass(time.Hour)
	if len(in.all()) != 0 {
		t.Error("it was pushed to after its end")
	}
	if a := w.call(http.MethodGet, base+id, "", "X-Soke-Key", activeKey); a.object(t)["state"] != "ended" {
		t.Errorf("%s", a.body)
	}
}

func TestATestSubscriptionShowsOneDeliveryAndEnds(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	body := fmt.Sprintf(`{%s,"targetUrl":"%s/webhook-test/1","test":true}`, espresso, in.URL)
	made := w.post("/v1/n8n/triggers/new-keyword/subscriptions", body)
	w.pass(0)
	if arrived := in.all(); made.status != 201 || len(arrived) != 1 || len(arrived[0].body["events"].([]any)) == 0 {
		t.Fatalf("%d, %d posts", made.status, len(arrived))
	}
	events := in.all()[0].body["events"].([]any)
	if newest := events[len(events)-1].(map[string]any); newest["runId"] == "" || in.all()[0].body["runId"] != newest["runId"] {
		t.Errorf("the run of the test is %v, that of its newest event %v", in.all()[0].body["runId"], newest["runId"])
	}
	if w.calls() != 0 || w.sandbox.Charged(activeKey) != 0 {
		t.Error("a test was charged")
	}
	state := w.call(http.MethodGet, "/v1/n8n/triggers/new-keyword/subscriptions/"+made.object(t)["id"].(string), "", "X-Soke-Key", activeKey).object(t)
	if state["state"] != "ended" {
		t.Errorf("%v", state)
	}
	failing := receive(t, 500)
	made = w.post("/v1/n8n/triggers/new-keyword/subscriptions", fmt.Sprintf(`{%s,"targetUrl":"%s","test":true}`, espresso, failing.URL))
	for range 20 {
		w.pass(10 * time.Second)
	}
	state = w.call(http.MethodGet, "/v1/n8n/triggers/new-keyword/subscriptions/"+made.object(t)["id"].(string), "", "X-Soke-Key", activeKey).object(t)
	if state["state"] != "ended" || len(failing.all()) > 6 {
		t.Errorf("after 200 s: %v, %d tries", state, len(failing.all()))
	}
}

func TestATestBeyondTheTwentiethIsRefusedInWords(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	for i := range 21 {
		a := w.post("/v1/n8n/triggers/new-keyword/subscriptions", fmt.Sprintf(`{%s,"targetUrl":"%s/%d","test":true}`, espresso, in.URL, i))
		switch {
		case i < 20 && a.status != 201:
			t.Fatalf("test %d: %d %s", i, a.status, a.body)
		case i == 20 && (a.status != 400 || a.failure(t)["field"] != "test" || !strings.Contains(a.failure(t)["message"].(string), "too many tests")):
			t.Errorf("one more: %d %s", a.status, a.body)
		}
	}
}

func TestPollsDoNotRepeatAFirstResearchThatMayHaveBeenCharged(t *testing.T) {
	for key, want := range map[string]int{"garbled": 1, "broken": 30} {
		w := startWatching(t)
		far := w.clock().Add(-2 * time.Hour) // the next due time is most of a day away
		poll := fmt.Sprintf(`{"topic":"home espresso","schedule":"%d %d * * *"}`, far.Minute(), far.Hour())
		for range 30 { // a platform that polls every two minutes
			a := w.post("/v1/zapier/triggers/new-keyword/poll", poll, "X-Soke-Key", "sk_live_sandbox_"+key)
			if a.status < 500 {
				t.Fatalf("%s: %d %s", key, a.status, a.body)
			}
			w.pass(2 * time.Minute)
		}
		if n := w.calls(); n != want {
			t.Errorf("%s: %d researches of 30 polls, want %d", key, n, want)
		}
	}
}

func TestTargetsThatMayNotBeReachedAreRefusedWithTheReason(t *testing.T) {
	w := startWatching(t)
	for target, says := range map[string]string{
		"http://10.0.0.7/hook": "", "https://user@example.com/": "user", "ftp://example.com/": "http", "https://169.254.169.254/latest": "", "not a url": "",
	} {
		a := w.post("/v1/n8n/triggers/new-keyword/subscriptions", fmt.Sprintf(`{%s,"targetUrl":%q}`, espresso, target))
		if a.status != 400 || a.failure(t)["field"] != "targetUrl" || !strings.Contains(string(a.body), says) {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	for _, d := range platforms() {
		a := w.post("/v1/"+string(d.Name())+"/triggers/new-keyword/subscriptions", fmt.Sprintf(`{%s,"targetUrl":"http://10.0.0.7/hook"}`, espresso))
		message := a.failure(t)["message"].(string)
		if !strings.Contains(message, "--allow-targets. (request") || !strings.Contains(message, "set WEBHOOK_URL") {
			t.Errorf("%s is told %q", d.Name(), message)
		}
	}
}

func TestSubscribingWithAKeyThatSokeRefusesSaysSoAtOnce(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	for key, status := range map[string]int{"expired": 403, "revoked": 401, "forbidden": 403} {
		a := w.post("/v1/zapier/triggers/new-keyword/subscriptions", fmt.Sprintf(`{%s,"targetUrl":%q}`, espresso, in.URL), "X-Soke-Key", "sk_live_sandbox_"+key)
		if a.status != status {
			t.Errorf("%s: %d %s", key, a.status, a.body)
		}
	}
}

func TestAPauseIsToldOnceInEachPlatformsWayAndEndsByItself(t *testing.T) {
	for _, c := range []struct {
		platform string
		becomes  sandbox.Behaviour
		code     string
		method   string
	}{
		{"zapier", sandbox.Expired, "SUBSCRIPTION_REQUIRED", "POST"}, {"n8n", sandbox.Expired, "SUBSCRIPTION_REQUIRED", "POST"},
		{"make", sandbox.Expired, "SUBSCRIPTION_REQUIRED", "POST"}, {"zapier", sandbox.Revoked, "UNAUTHORIZED", "DELETE"},
		{"zapier", sandbox.Forbidden, "FORBIDDEN", "DELETE"}, {"zapier", sandbox.NoCredits, "INSUFFICIENT_CREDITS", "POST"}, {"make", sandbox.Revoked, "UNAUTHORIZED", "POST"},
	} {
		w := startWatching(t)
		in := receive(t)
		made := w.subscribe(c.platform, "new-keyword", espresso, in.URL)
		w.pass(0)
		w.sandbox.Set(activeKey, c.becomes)
		if c.becomes == sandbox.NoCredits {
			w.sandbox.SetCredits(activeKey, 0)
		}
		for range 6 {
			w.pass(time.Hour)
		}
		arrived := in.all()
		if len(arrived) != 1 || arrived[0].method != c.method {
			t.Fatalf("%s %s: %d messages, %v", c.platform, c.code, len(arrived), arrived)
		}
		if c.method == "POST" {
			failure, _ := arrived[0].body["error"].(map[string]any)
			if arrived[0].body["type"] != "trigger.paused" || failure["code"] != c.code || failure["type"] == "" || fmt.Sprint(arrived[0].body["events"]) != "[]" {
				t.Errorf("%s: %s", c.platform, arrived[0].raw)
			}
		}
		calls := w.calls()
		w.sandbox.Set(activeKey, sandbox.Active)
		w.sandbox.SetCredits(activeKey, 1_000_000)
		if c.method == "DELETE" {
			continue
		}
		state := w.call(http.MethodGet, "/v1/"+c.platform+"/triggers/new-keyword/subscriptions/"+made["id"].(string), "", "X-Soke-Key", activeKey).object(t)
		if state["state"] != "paused" || state["reason"] != c.code {
			t.Errorf("%s: %v", c.platform, state)
		}
		w.pass(time.Hour)
		if w.calls() != calls+1 || len(in.all()) != 2 || in.all()[1].body["type"] != "new-keyword" {
			t.Errorf("%s: after the pause %d runs and %d messages", c.platform, w.calls()-calls, len(in.all()))
		}
	}
}

func TestTestingTheConnectionEndsAPauseAtOnce(t *testing.T) {
	w := startWatching(t)
	w.events("zapier", "new-keyword", "{"+espresso+"}")
	w.sandbox.Set(activeKey, sandbox.Expired)
	w.pass(time.Hour)
	if a := w.post("/v1/zapier/triggers/new-keyword/poll", "{"+espresso+"}"); a.status != 403 {
		t.Fatalf("not paused: %d", a.status)
	}
	w.sandbox.Set(activeKey, sandbox.Active)
	w.call(http.MethodGet, "/v1/zapier/connection", "", "X-Soke-Key", activeKey)
	w.pass(0)
	if events := w.events("zapier", "new-keyword", "{"+espresso+"}"); len(events) == 0 {
		t.Error("still paused")
	}
}

func TestFailedDeliveriesAreTriedAgainInOrderUnderTheSameID(t *testing.T) {
	w := startWatching(t)
	in := receive(t, 500, 503, 200)
	w.subscribe("n8n", "research-completed", espresso, in.URL)
	w.pass(0)
	w.pass(time.Hour)
	w.pass(10 * time.Second)
	w.pass(time.Minute)
	w.pass(time.Hour)
	arrived := in.all()
	if len(arrived) < 4 {
		t.Fatalf("%d posts", len(arrived))
	}
	first := arrived[0].header.Get("Webhook-Id")
	for i, want := range []bool{true, true, true, false} {
		if (arrived[i].header.Get("Webhook-Id") == first) != want {
			t.Errorf("post %d has the id %s, the first %s", i, arrived[i].header.Get("Webhook-Id"), first)
		}
	}
	if arrived[0].header.Get("Webhook-Timestamp") == arrived[2].header.Get("Webhook-Timestamp") {
		t.Error("a retry is signed with the first try's time")
	}
}

func TestReceiversThatAreGoneOrOffAreTreatedAsTheirPlatformMeansIt(t *testing.T) {
	for _, c := range []struct {
		platform string
		status   int
		response string
		state    string
	}{
		{"zapier", 410, "", "ended"}, {"zapier", 404, "", "active"}, {"n8n", 404, "", "paused"}, {"n8n", 410, "", "paused"},
		{"make", 410, "", "paused"}, {"make", 400, "Queue is full", "active"}, {"make", 400, "no", "active"}, {"make", 429, "", "active"},
		{"zapier", 302, "", "active"},
	} {
		w := startWatching(t)
		in := receive(t, c.status)
		in.response = c.response
		made := w.subscribe(c.platform, "research-completed", espresso, in.URL)
		w.pass(0)
		w.pass(time.Hour)
		path := "/v1/" + c.platform + "/triggers/research-completed/subscriptions/" + made["id"].(string)
		state := w.call(http.MethodGet, path, "", "X-Soke-Key", activeKey).object(t)
		if state["state"] != c.state {
			t.Errorf("%s %d %s: %v", c.platform, c.status, c.response, state)
		}
		if c.state == "ended" {
			continue
		}
		in.mu.Lock()
		in.answers = []int{200}
		in.mu.Unlock()
		before := len(in.all())
		w.subscribe(c.platform, "research-completed", espresso, in.URL)
		w.pass(time.Second)
		if len(in.all()) <= before {
			t.Errorf("%s %d: a new subscribe call did not bring what was kept", c.platform, c.status)
		}
		if state := w.call(http.MethodGet, path, "", "X-Soke-Key", activeKey).object(t); state["state"] != "active" || state["undelivered"] != 0.0 {
			t.Errorf("%s %d: afterwards %v", c.platform, c.status, state)
		}
	}
}

func TestATargetThatFailsForThreeDaysIsPausedAndLosesNothing(t *testing.T) {
	w := startWatching(t)
	in := receive(t, 500)
	made := w.subscribe("zapier", "research-completed", espresso, in.URL)
	w.pass(0)
	for range 80 {
		w.pass(time.Hour)
	}
	path := "/v1/zapier/triggers/research-completed/subscriptions/" + made["id"].(string)
	state := w.call(http.MethodGet, path, "", "X-Soke-Key", activeKey).object(t)
	if state["state"] != "paused" || state["reason"] != "TARGET_FAILING" || state["undelivered"].(float64) < 70 {
		t.Fatalf("%v", state)
	}
	in.mu.Lock()
	in.answers, in.arrived = []int{200}, nil
	in.mu.Unlock()
	w.subscribe("zapier", "research-completed", espresso, in.URL)
	for range 30 {
		w.pass(time.Second)
	}
	all := w.events("zapier", "research-completed", "{"+espresso+"}")
	if got := len(in.all()); got != len(all)-1 {
		t.Errorf("%d of %d reports arrived", got, len(all)-1)
	}
}

func TestARotationKeepsWatchesAndSignsWithBothKeysForADay(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	made := w.subscribe("make", "research-completed", espresso, in.URL)
	w.pass(0)
	const fresh = "sk_live_fresh_key_01"
	a := w.post("/v1/make/connection/rotate", fmt.Sprintf(`{"previousKey":%q}`, activeKey), "X-Soke-Key", fresh)
	if a.status != 200 || a.object(t)["watches"] != 1.0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.sandbox.Set(activeKey, sandbox.Revoked)
	w.pass(time.Hour)
	key, err := soke.ParseKey(fresh)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{made["signingSecret"].(string), delivery.SigningSecret(key, made["id"].(string))} {
		verifier, err := webhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.VerifyIgnoringTimestamp(in.all()[0].raw, in.all()[0].header); err != nil {
			t.Errorf("%v", err)
		}
	}
	w.pass(24 * time.Hour)
	last := in.all()[len(in.all())-1]
	if n := len(strings.Fields(last.header.Get("Webhook-Signature"))); n != 1 {
		t.Errorf("%d signatures a day later", n)
	}
	if a := w.post("/v1/make/connection/rotate", `{"previousKey":"nonsense"}`); a.status != 400 || a.failure(t)["field"] != "previousKey" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestNoSecretOfATriggerIsInLogsMetricsOrTheDatabase(t *testing.T) {
	w := startWatching(t)
	in := receive(t, 500)
	const canary = "sk_live_canary_0123456789"
	made := w.subscribe("n8n", "research-completed", espresso, in.URL+"/secret-path-canary", "X-Soke-Key", canary)
	w.pass(0)
	w.pass(time.Hour)
	for what, text := range map[string]string{"logs": w.logs.String(), "metrics": w.metrics(), "database": files(t, w.database)} {
		for _, secret := range []string{canary, "secret-path-canary", made["unsubscribeToken"].(string), made["signingSecret"].(string)} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in the %s", secret, what)
			}
		}
	}
}

func TestASecretInAFieldThatIsKeptInClearIsRefusedAndNotShown(t *testing.T) {
	u := &anySoke{}
	w := startWatching(t, withUpstream(u))
	const path = "/v1/n8n/triggers/new-keyword/"
	for _, secret := range []string{
		"sk_live_canary_0123456789", "SK_LIVE_CANARY_0123456789", "Sk_Live_canary_01", "my key: sk_live_canary_0123456789", "sk_live_canary",
		"eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.canary", "Bearer eyJhbGciOiJIUzI1NiJ9.canary",
	} {
		refused := map[string]answer{}
		for _, field := range []string{"topic", "niche", "platform"} {
			body := fmt.Sprintf(`{%q:%q`, field, secret)
			refused[field] = w.post(path+"poll", body+"}")
			refused[field+" "] = w.post(path+"subscriptions", body+`,"targetUrl":"http://127.0.0.1:1/"}`)
			refused[field+"  "] = w.post("/v1/zapier/actions/research-keywords", body+"}")
		}
		if !strings.Contains(secret, " ") {
			refused["X-Soke-Account-Id"] = w.post(path+"poll", "{"+espresso+"}", "X-Soke-Account-Id", secret)
			refused["targetUrl"] = w.post(path+"subscriptions", "{"+espresso+`,"targetUrl":"https://`+secret+`.example/"}`)
		}
		for field, a := range refused {
			e := a.failure(t)
			if a.status != http.StatusBadRequest || e["code"] != "INVALID_INPUT" || e["field"] != strings.TrimSpace(field) || strings.Contains(strings.ToLower(string(a.body)), "canary") {
				t.Errorf("%q as %s: %d %s", secret, field, a.status, a.body)
			}
		}
	}
	for what, text := range map[string]string{"logs": w.logs.String(), "metrics": w.metrics(), "database": files(t, w.database)} {
		if strings.Contains(strings.ToLower(text), "canary") {
			t.Errorf("a secret is in the %s", what)
		}
	}
	if n := u.arrived.Load(); n != 0 {
		t.Errorf("%d calls reached Soke", n)
	}
	for _, topic := range []string{"what is sk_live_ for", "Eyjafjallajökull eruption", "HoneyJourney.com", "eyJewellery 101", "keyjoints.app"} {
		if a := w.post(path+"poll", fmt.Sprintf(`{"topic":%q}`, topic)); a.status != http.StatusOK {
			t.Errorf("the topic %q holds no secret: %d %s", topic, a.status, a.body)
		}
	}
}

func TestASubscriptionThatMovesOnIsNotToldOfThePauseOfWhatItLeft(t *testing.T) {
	w := startWatching(t)
	in := receive(t, http.StatusInternalServerError)
	w.subscribe("n8n", "new-keyword", `"topic":"left behind","schedule":"@hourly"`, in.URL)
	w.pass(0)
	w.sandbox.Set(activeKey, sandbox.Expired)
	w.pass(2 * time.Hour) // it pauses, and the receiver does not take the message
	w.sandbox.Set(activeKey, sandbox.Active)
	tried := len(in.all())
	if tried == 0 {
		t.Fatal("the pause is not told")
	}
	in.set(http.StatusOK)
	w.subscribe("n8n", "new-keyword", `"topic":"what counts now","schedule":"@hourly"`, in.URL)
	w.pass(0)
	w.pass(2 * time.Hour)
	for _, a := range in.all()[tried:] {
		if a.body["type"] == "trigger.paused" {
			t.Errorf("it is told of %v", a.body)
		}
	}
}
