package connector_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// looking is a store that remembers the latest look at what is due.
type looking struct {
	*sqlite.DB
	room delivery.Room
}

func (l *looking) DueDeliveries(ctx context.Context, now time.Time, room delivery.Room) ([]triggers.DueDelivery, time.Time, error) {
	l.room = room
	return l.DB.DueDeliveries(ctx, now, room)
}

// withRoom gives a connection as many workers as there are.
func withRoom(l *looking) option {
	return func(s *setup) {
		s.engine.PerConnection = 64
		s.outbox = func(db *sqlite.DB) delivery.Store {
			l.DB = db
			return l
		}
	}
}

// hourly is an input whose watch is due in an hour and then not within most of another.
func (w *watching) hourly() string {
	return fmt.Sprintf(`"topic":"home espresso","schedule":"%d * * * *"`, w.clock().Add(-2*time.Minute).Minute())
}

// queue makes n subscriptions on a host, each with a delivery that waits and none that follows within
// most of an hour.
func (w *watching) queue(n int, target string) (ids []string) {
	w.t.Helper()
	hourly := w.hourly()
	for i := range n {
		ids = append(ids, w.subscribe("n8n", "research-completed", hourly, fmt.Sprint(target, "/", i))["id"].(string))
	}
	w.research(0)
	w.research(time.Hour)
	return ids
}

func TestAHostGetsTwentyFiveRequestsASecond(t *testing.T) {
	w := startWatching(t, withRoom(&looking{}))
	in := receive(t)
	w.queue(40, in.URL)
	w.pass(0)
	if n := len(in.all()); n != 25 {
		t.Errorf("%d requests at once, want 25", n)
	}
	w.pass(200 * time.Millisecond)
	if n := len(in.all()); n != 30 {
		t.Errorf("%d requests within a fifth of a second, want five more", n)
	}
	w.pass(time.Second)
	if n := len(in.all()); n != 40 {
		t.Errorf("%d requests, want all 40", n)
	}
}

func TestAHostHasSixteenPlaces(t *testing.T) {
	l := &looking{}
	w := startWatching(t, withRoom(l))
	in, begun := hanging(t)
	w.queue(20, in.URL)
	if _, err := w.outbox.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 16 {
		soon(t, "a request", begun)
	}
	if n := len(l.room.Busy); n != 16 {
		t.Errorf("%d requests are under way, want 16", n)
	}
}

func TestAHostThatIsSilentFiveTimesRestsAndIsAskedOneAtATime(t *testing.T) {
	w := startWatching(t, withRoom(&looking{}))
	var silent atomic.Bool
	var asked atomic.Int32
	silent.Store(true)
	in := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		if silent.Load() {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(in.Close)
	w.queue(4, in.URL)
	expect := func(when string, pass time.Duration, least, most int32) int32 {
		t.Helper()
		w.pass(pass)
		n := asked.Load()
		if n < least || n > most {
			t.Errorf("%s it is asked %d times, want %d to %d", when, n, least, most)
		}
		return n
	}
	expect("at first", 0, 4, 4)
	n := expect("with the fifth silence", 7*time.Second, 5, 8) // those that begin before the fifth has ended go on
	expect("while it rests", 29*time.Second, n, n)
	n = expect("after its rest", 10*time.Second, n+1, n+1)
	silent.Store(false)
	expect("once it speaks", 10*time.Minute, n+4, n+4)
}

func TestAReverseUnsubscribeThatIsTakenEndsTheSubscription(t *testing.T) {
	for status, want := range map[int]triggers.State{200: triggers.Ended, 204: triggers.Ended, 404: triggers.Ended, 410: triggers.Ended, 500: triggers.Active} {
		w := startWatching(t)
		in := receive(t, status)
		made := w.subscribe("zapier", "new-keyword", espresso, in.URL)
		w.pass(0)
		w.sandbox.Set(activeKey, sandbox.Revoked)
		w.pass(time.Hour)
		s := w.stored("zapier", made["id"].(string))
		if len(in.all()) != 1 || in.all()[0].method != http.MethodDelete || s.State != want || (s.Undelivered == 0) != (want == triggers.Ended) {
			t.Errorf("%d: %s with %d waiting after %d requests", status, s.State, s.Undelivered, len(in.all()))
		}
	}
}

// stored is a subscription of the sandbox's good key as the store has it.
func (w *watching) stored(platform, id string) triggers.Subscription {
	w.t.Helper()
	key, err := soke.ParseKey(activeKey)
	if err != nil {
		w.t.Fatal(err)
	}
	s, _, err := w.db.FindSubscription(context.Background(), key, platform, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestAPauseIsToldToASubscriptionThatIsPausedItselfWhenItGoesOn(t *testing.T) {
	w := startWatching(t)
	in := receive(t, 404)
	made := w.subscribe("n8n", "new-keyword", espresso, in.URL)
	w.pass(0)
	w.pass(time.Hour)
	w.sandbox.Set(activeKey, sandbox.Expired)
	w.research(time.Hour)
	if s := w.stored("n8n", made["id"].(string)); s.State != triggers.Paused || s.Undelivered != 2 {
		t.Fatalf("%s with %d waiting", s.State, s.Undelivered)
	}
	in.set(200)
	for range 3 {
		w.pass(time.Hour)
	}
	all := in.all()
	if last := all[len(all)-1]; last.body["type"] != "trigger.paused" {
		t.Errorf("the last of %d messages is %s", len(all), last.raw)
	}
}

func TestATestEndsByItsTimeWithoutAnyHousekeeping(t *testing.T) {
	w := startWatching(t)
	in := receive(t, 500)
	made := w.post("/v1/n8n/triggers/new-keyword/subscriptions", fmt.Sprintf(`{%s,"targetUrl":"%s","test":true}`, espresso, in.URL)).object(t)
	for range 60 {
		w.pass(10 * time.Second)
	}
	// After 5 s, after 30 s more, and not after 120 s more: that is too late.
	if s := w.stored("n8n", made["id"].(string)); s.State != triggers.Ended || s.Undelivered != 0 || len(in.all()) != 3 {
		t.Errorf("%s with %d waiting after %d tries, want three", s.State, s.Undelivered, len(in.all()))
	}
}

func TestWhatPutsADeliveryIntoTheOutboxWakesIt(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	woken := func(what string, by *waker, do func()) {
		t.Helper()
		before := by.count.Load()
		do()
		if by.count.Load() == before {
			t.Errorf("%s does not wake the outbox", what)
		}
	}
	subscribe := func() { w.subscribe("n8n", "new-keyword", espresso, in.URL) }
	subscribe()
	w.research(0)
	woken("a run", &w.committed, func() { w.research(time.Hour) })
	woken("a new subscribe", &w.subscribed, subscribe)
	w.sandbox.Set(activeKey, sandbox.Expired)
	woken("a pause", &w.committed, func() { w.research(time.Hour) })
}
