package connector_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

// hanging is a receiver that takes requests and answers none before the end of the test; each one that begins is told.
func hanging(t *testing.T) (in *httptest.Server, begun chan string) {
	t.Helper()
	begun = make(chan string, 1000)
	over := make(chan struct{})
	in = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- r.URL.Path
		<-over
	}))
	t.Cleanup(func() {
		close(over) // before the engine is drained
		in.Close()
	})
	return in, begun
}

// soon waits for something that happens at once.
func soon[T any](t *testing.T, what string, happens <-chan T) {
	t.Helper()
	select {
	case <-happens:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not happen", what)
	}
}

func TestWhoAsksForTimeHoldsItsHostAndOtherKeysForAMinuteAtMost(t *testing.T) {
	for _, c := range []struct {
		platform string
		status   int
		response string
	}{{"zapier", 429, ""}, {"make", 400, "Queue is full."}} {
		w := startWatching(t)
		in := receive(t, c.status)
		in.wait, in.response = "7200", c.response
		const other = "sk_live_somebody_else"
		got := func(path string) (n int) {
			for _, a := range in.all() {
				if a.path == path {
					n++
				}
			}
			return n
		}
		w.subscribe(c.platform, "research-completed", espresso, in.URL+"/asks")
		w.research(0)
		w.pass(time.Hour)
		in.set(200)
		w.subscribe(c.platform, "research-completed", w.hourly(), in.URL+"/same-key")
		w.subscribe(c.platform, "research-completed", w.hourly(), in.URL+"/other-key", "X-Soke-Key", other)
		test := func(path string, headers ...string) {
			w.post("/v1/"+c.platform+"/triggers/new-keyword/subscriptions", fmt.Sprintf(`{%s,"targetUrl":"%s%s","test":true}`, espresso, in.URL, path), headers...)
		}
		test("/same-key")
		test("/other-key", "X-Soke-Key", other)
		for _, step := range []struct {
			pass                      time.Duration
			asks, sameKey, anotherKey int
		}{{0, 1, 0, 0}, {59 * time.Second, 1, 0, 0}, {2 * time.Second, 1, 0, 1}, {time.Minute, 1, 0, 1}} {
			w.pass(step.pass)
			if a, s, o := got("/asks"), got("/same-key"), got("/other-key"); a != step.asks || s != step.sameKey || o != step.anotherKey {
				t.Errorf("%s after %s: %d, %d and %d arrived, want %+v", c.platform, step.pass, a, s, o, step)
			}
		}
		w.pass(2 * time.Hour)
		if got("/asks") < 2 || got("/same-key") < 1 {
			t.Errorf("%s after the wait: %d and %d arrived", c.platform, got("/asks"), got("/same-key"))
		}
	}
}

func TestReceiversOfOneKeyThatHangLeaveWorkersToTheOthers(t *testing.T) {
	names := &addresses{known: map[string]string{}}
	w := startWatching(t, func(s *setup) { s.guard.Resolver = names.resolver() })
	in, begun := hanging(t)
	for i := range 80 {
		host := fmt.Sprint("silent", i%10, suffix)
		names.set(host, "127.0.0.1")
		w.subscribe("n8n", "research-completed", espresso, fmt.Sprint(strings.Replace(in.URL, "127.0.0.1", host, 1), "/", i))
	}
	other := make(chan string, 10)
	good := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { other <- r.URL.Path }))
	t.Cleanup(good.Close)
	w.subscribe("n8n", "research-completed", espresso, good.URL, "X-Soke-Key", "sk_live_somebody_else")
	w.research(0)
	w.research(time.Hour)
	if _, err := w.outbox.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	soon(t, "the other key's delivery", other)
	for range 8 {
		soon(t, "a delivery to a silent receiver", begun)
	}
	if n := len(begun); n != 0 {
		t.Errorf("one key has %d of the workers, want 8", 8+n)
	}
}

func TestAnAttemptThatPanicsStopsNobodyAndIsMadeAgain(t *testing.T) {
	in := receive(t)
	bad := "/bad"
	var panicked atomic.Bool
	w := startWatching(t, func(s *setup) {
		s.engine.Observe = func(string, delivery.Outcome, time.Duration) {
			if !panicked.Swap(true) {
				panic("an outcome like no other")
			}
		}
	})
	w.subscribe("n8n", "research-completed", w.hourly(), in.URL+bad)
	w.subscribe("n8n", "research-completed", w.hourly(), in.URL+"/good", "X-Soke-Key", "sk_live_somebody_else")
	w.research(0)
	w.research(time.Hour)
	w.pass(2 * time.Minute)
	ids := map[string]map[string]int{}
	for _, got := range in.all() {
		if ids[got.path] == nil {
			ids[got.path] = map[string]int{}
		}
		ids[got.path][got.header.Get("Webhook-Id")]++
	}
	if len(ids[bad]) != 1 || len(ids["/good"]) != 1 {
		t.Errorf("delivered were %v, want one delivery each, one of them twice", ids)
	}
}
