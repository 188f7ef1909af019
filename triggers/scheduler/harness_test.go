package scheduler_test

import (
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

// TestMain keeps the property tests, each of whose checks opens databases, to what CI has time for;
// -rapid.checks asks for more.
func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "12")
	goleak.VerifyTestMain(m)
}

// harness is a scheduler on a real sandbox and a real database, with a clock of the test's own.
type harness struct {
	t         *testing.T
	box       *sandbox.Server
	client    *soke.Client
	db        *sqlite.DB
	scheduler *scheduler.Scheduler
	close     func()
	gate      atomic.Pointer[gate]
	lost      atomic.Bool // the answers of researches are lost on their way, and have been charged

	mu  sync.Mutex
	now time.Time
}

// gate holds back researches on their way to Soke.
type gate struct {
	arrived chan struct{} // one for each that waits
	open    chan struct{}
}

// holdResearch closes the gate.
func (h *harness) holdResearch() *gate {
	g := &gate{arrived: make(chan struct{}, 1000), open: make(chan struct{})}
	h.gate.Store(g)
	return g
}

// upstream is the sandbox behind the gate.
func (h *harness) upstream(w http.ResponseWriter, r *http.Request) {
	if g := h.gate.Load(); g != nil && strings.HasSuffix(r.URL.Path, "research/keywords") {
		g.arrived <- struct{}{}
		<-g.open
	}
	if h.lost.Load() && strings.HasSuffix(r.URL.Path, "research/keywords") {
		h.box.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	h.box.ServeHTTP(w, r)
}

// build returns a harness; change may change the options of its scheduler.
func build(t *testing.T, change ...func(*scheduler.Options)) *harness {
	t.Helper()
	h := &harness{t: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	h.box = sandbox.New(sandbox.Options{Now: h.clock, SlowFor: time.Hour})
	upstream := httptest.NewServer(http.HandlerFunc(h.upstream))
	client, err := soke.New(soke.Options{BaseURL: upstream.URL, Now: h.clock, Timeout: 5 * time.Second, Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	h.client = client
	if h.db, err = sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(t.TempDir(), "connector.db"), Now: h.clock}); err != nil {
		t.Fatal(err)
	}
	h.scheduler = h.newScheduler(change...)
	h.close = sync.OnceFunc(func() {
		if err := h.scheduler.Drain(context.Background()); err != nil {
			t.Errorf("draining: %v", err)
		}
		client.Close()
		upstream.Close()
		if err := h.db.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	t.Cleanup(h.close)
	return h
}

// newScheduler returns a scheduler as another process on the same database would have it.
func (h *harness) newScheduler(change ...func(*scheduler.Options)) *scheduler.Scheduler {
	h.t.Helper()
	o := scheduler.Options{Store: h.db, Soke: h.client, Triggers: triggers.All(), Logger: slog.New(slog.DiscardHandler), Now: h.clock}
	for _, c := range change {
		c(&o)
	}
	s, err := scheduler.New(o)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *harness) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *harness) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func key(t *testing.T, name string) soke.Key {
	t.Helper()
	k, err := soke.ParseKey("sk_live_sandbox_" + name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// opening asks for a feed of a trigger on a topic.
func (h *harness) opening(user, trigger, topic, schedule string) triggers.Opening {
	h.t.Helper()
	s, err := triggers.ParseSchedule(schedule, "UTC")
	if err != nil {
		h.t.Fatal(err)
	}
	research, err := json.Marshal(actions.ResearchInput{Topic: topic, Platform: "youtube", Region: "US", MaxResults: 20, RecencyDays: 365})
	if err != nil {
		h.t.Fatal(err)
	}
	o := triggers.Opening{Key: key(h.t, user), Research: research, Schedule: s, Parameters: json.RawMessage("{}"), Polled: true, Now: h.clock()}
	for _, t := range triggers.All() {
		if t.Key == trigger {
			o.Trigger = t
		}
	}
	return o
}

func (h *harness) open(user, trigger, topic, schedule string) triggers.Opened {
	h.t.Helper()
	opened, err := h.db.OpenFeed(context.Background(), h.opening(user, trigger, topic, schedule))
	if err != nil {
		h.t.Fatal(err)
	}
	return opened
}

// round runs what is due now to its end, and what becomes due by that.
func (h *harness) round() {
	h.t.Helper()
	for before := ""; ; {
		if _, err := h.scheduler.Round(context.Background()); err != nil {
			h.t.Fatal(err)
		}
		h.settle()
		after := h.picture()
		if after == before {
			return
		}
		before = after
	}
}

// picture is everything that is known of the watches.
func (h *harness) picture() string {
	h.t.Helper()
	b, err := json.Marshal(h.watches())
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

// settle waits until no run is under way.
func (h *harness) settle() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := h.scheduler.Settled(ctx); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) watches() []triggers.Watch {
	h.t.Helper()
	all, err := h.db.Watches(context.Background(), "", 10_000)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func (h *harness) watch(id string) triggers.Watch {
	h.t.Helper()
	w, err := h.db.FindWatch(context.Background(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

func (h *harness) occurrences(id string) []triggers.Occurrence {
	h.t.Helper()
	i, err := h.db.Inspect(context.Background(), id, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	return i.Occurrences
}

func (h *harness) calls() int { return h.box.CallCount("research/keywords") }

// act makes an interactive call of a key, as an action does.
func (h *harness) act(user string) error {
	h.t.Helper()
	session := h.client.Session(soke.Credential{Key: key(h.t, user)})
	_, err := session.ResearchKeywords(context.Background(), soke.KeywordsRequest{Topic: "by hand", Platform: "youtube"})
	return err
}

// subscribe subscribes to a feed.
func (h *harness) subscribe(user, trigger, topic, schedule string) triggers.Subscribed {
	h.t.Helper()
	o := h.opening(user, trigger, topic, schedule)
	o.Polled = false
	s, err := h.db.Subscribe(context.Background(), triggers.Subscribing{Opening: o, Platform: "make", Target: "https://hook.example/1", Host: "hook.example"})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// undelivered counts what waits of a subscription.
func (h *harness) undelivered(s triggers.Subscribed) int {
	h.t.Helper()
	i, err := h.db.Inspect(context.Background(), s.WatchID, 1)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, live := range i.Subscriptions {
		if live.ID == s.ID {
			return live.Undelivered
		}
	}
	h.t.Fatalf("the subscription %s is gone", s.ID)
	return 0
}
