package connector_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/sandbox/fault"
	"github.com/usesoke/soke-connector/triggers"
)

func TestEveryFaultOnTheFirstCallsOfATriggerIsSaidNativelyAndLeavesNothingHalfDone(t *testing.T) {
	var cases atomic.Int64
	onEveryFault(t, func(t *testing.T, f fault.Fault) {
		b := breakTriggers(t, f)
		documentOf(t, b.service)
		var all sync.WaitGroup
		for _, p := range platforms() {
			all.Go(func() { b.subscribes(p.Name()); cases.Add(1) })
			all.Go(func() { b.polls(p.Name()); cases.Add(1) })
		}
		all.Wait()
		b.recovers()
	})
	t.Logf("%d faults, %d cases", len(fault.All()), cases.Load())
}

// brokenTriggers is a connector with watches before a Soke that one fault keeps it from.
type brokenTriggers struct {
	*watching
	t     *testing.T
	fault fault.Fault
	proxy *fault.Proxy
	well  atomic.Bool
}

func breakTriggers(t *testing.T, f fault.Fault) *brokenTriggers {
	t.Helper()
	b := &brokenTriggers{t: t, fault: f}
	b.watching = startWatching(t, func(s *setup) {
		s.upstream = func(sandbox http.Handler) http.Handler {
			b.proxy = fault.New(sandbox, func(r *http.Request) (fault.Fault, bool) {
				if b.well.Load() {
					return fault.Fault{}, false
				}
				return fault.ByKey(r)
			})
			return b.proxy
		}
		s.timeout = 15 * time.Second
		if f.Slow {
			s.timeout = 2 * time.Second
		}
		if f.Early {
			place := f.Place()
			t.Cleanup(place.Close)
			s.address = place.URL
		}
	})
	return b
}

func (b *brokenTriggers) key(name platform.Name, call string) string {
	return b.fault.Key() + "_" + string(name) + "_" + call
}

// judge holds an answer, and what has arrived at Soke for it, to what the fault comes to.
func (b *brokenTriggers) judge(name platform.Name, call, key string, a answer, success int) {
	b.t.Helper()
	j := judge{T: b.t, about: call + " on " + string(name), fault: b.fault, name: name, answer: a}
	j.code, j.status = expected(b.fault)
	if j.code == "" {
		j.status = success
	}
	j.judge()
	arrived := 1
	if b.fault.Early {
		arrived = 0
	}
	if n := b.proxy.Arrived(key); n != arrived {
		b.t.Errorf("%s: %d requests arrived, want %d", j.about, n, arrived)
	}
}

// subscribes switches an automation on. What Soke has not confirmed is not there afterwards.
func (b *brokenTriggers) subscribes(name platform.Name) {
	b.t.Helper()
	key, target := b.key(name, "subscribe"), "http://127.0.0.1/"+string(name)
	path := "/v1/" + string(name) + "/triggers/new-keyword/subscriptions"
	a := b.call(http.MethodPost, path, fmt.Sprintf(`{%s,"targetUrl":%q}`, espresso, target), "X-Soke-Key", key, "X-Request-Id", "case-1")
	b.judge(name, "subscribe", key, a, http.StatusCreated)
	want := http.StatusNotFound
	if b.fault.Harmless {
		want = http.StatusOK
	}
	if found := b.call(http.MethodGet, path+"?targetUrl="+target, "", "X-Soke-Key", key); found.status != want {
		b.t.Errorf("the subscription on %s: %d %s", name, found.status, found.body)
	}
}

// polls polls a new watch twice: the second time tells the same without asking Soke.
func (b *brokenTriggers) polls(name platform.Name) {
	b.t.Helper()
	key := b.key(name, "poll")
	for range 2 {
		a := b.call(http.MethodPost, "/v1/"+string(name)+"/triggers/new-keyword/poll", "{"+espresso+"}", "X-Soke-Key", key, "X-Request-Id", "case-1")
		b.judge(name, "poll", key, a, http.StatusOK)
	}
}

// recovers looks at what is stored, and lets Soke be well again.
func (b *brokenTriggers) recovers() {
	b.t.Helper()
	kept := len(platforms())
	if b.fault.Harmless {
		kept *= 2 // the subscriptions' too
	}
	watches, err := b.db.Watches(b.t.Context(), "", 10)
	if err != nil || len(watches) != kept {
		b.t.Errorf("%d watches are stored, want %d (%v)", len(watches), kept, err)
	}
	for _, w := range watches {
		if w.State != triggers.Active || w.DueAt.IsZero() {
			b.t.Errorf("a fault that passes has left the watch %s, due %s", w.State, w.DueAt)
		}
	}
	if b.fault.Early { // its address stays what it is
		return
	}
	b.well.Store(true)
	b.pass(time.Hour)
	for _, p := range platforms() {
		key := b.key(p.Name(), "poll")
		baseline := 0
		for _, e := range b.events(string(p.Name()), "new-keyword", "{"+espresso+"}", "X-Soke-Key", key) {
			if e["baseline"] == true {
				baseline++
			}
		}
		if n := b.proxy.Arrived(key); baseline != 8 || n != 2 {
			b.t.Errorf("%s: the baseline is of %d events after %d researches", p.Name(), baseline, n)
		}
	}
}
