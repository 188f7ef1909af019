package scheduler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

func TestWatchesLeaveRoomUnderTheRateLimitForTheKeysActions(t *testing.T) {
	h := build(t)
	for i := range 20 {
		h.open("limited", "new-keyword", fmt.Sprint("topic ", i), "@every 30m")
	}
	for minute := range 5 {
		before := h.calls()
		if err := h.act("limited"); err != nil {
			t.Fatalf("minute %d, before the runs: %v", minute, err)
		}
		h.round()
		h.round()
		if runs := h.calls() - before - 1; minute > 0 && minute < 3 && runs < 4 {
			t.Errorf("minute %d: only %d runs", minute, runs)
		}
		for range 2 {
			if err := h.act("limited"); err != nil {
				t.Errorf("minute %d, after the runs: %v", minute, err)
			}
		}
		h.pass(61 * time.Second)
	}
	for _, w := range h.watches() {
		if w.Runs == 0 || w.Failure != nil {
			t.Errorf("%s: %d runs, %v", w.Research, w.Runs, w.Failure)
		}
	}
}

func TestAWaitThatSokeAsksForIsKeptThoughTheScheduleIsMoreEager(t *testing.T) {
	h := build(t)
	for range 10 {
		if err := h.act("limited"); err != nil {
			t.Fatal(err)
		}
	}
	w := h.open("limited", "new-keyword", "home espresso", "@every 10s").Watch
	h.round()
	got := h.watch(w.ID)
	if got.Failure == nil || got.Failure.Code != soke.RateLimitExceeded || got.State != triggers.Active {
		t.Fatalf("the watch is %+v", got)
	}
	if wait := got.NextRunAt.Sub(h.clock()); wait < got.Failure.RetryAfter || got.Failure.RetryAfter < time.Second {
		t.Errorf("it is tried again in %s, and Soke asked for %s", wait, got.Failure.RetryAfter)
	}
	h.pass(61 * time.Second)
	h.round()
	if got := h.watch(w.ID); got.Runs != 1 || got.Failure != nil {
		t.Errorf("after the wait: %d runs, %v", got.Runs, got.Failure)
	}
}

func TestTriesOfAFailingRunGrowFurtherApartAndEndWithTheInterval(t *testing.T) {
	h := build(t)
	// Each watch has its own place in the day; one is wanted that has most of the interval before it.
	w := h.open("broken", "new-keyword", "home espresso", "@every 24h").Watch
	for i := 0; w.Schedule.Next(h.clock(), w.ID).Sub(h.clock()) < 12*time.Hour; i++ {
		w = h.open("broken", "new-keyword", fmt.Sprintf("home espresso %d", i), "@every 24h").Watch
	}
	end := w.Schedule.Next(h.clock(), w.ID)
	var waits []time.Duration
	for range 100 {
		h.round()
		got := h.watch(w.ID)
		if !got.DueAt.Equal(w.DueAt) {
			break
		}
		waits = append(waits, got.NextRunAt.Sub(h.clock()))
		h.pass(waits[len(waits)-1])
	}
	if len(waits) < 6 || waits[0] > 15*time.Second || waits[5] < 20*time.Minute {
		t.Errorf("it waited %v", waits)
	}
	for i, wait := range waits {
		if wait > 75*time.Minute || wait < 5*time.Second {
			t.Errorf("wait %d is %s", i, wait)
		}
	}
	if got := h.watch(w.ID); !got.DueAt.Equal(end) || got.Attempts != 0 || h.clock().After(end) {
		t.Errorf("at %s it waits for %s, want %s", h.clock(), got.DueAt, end)
	}
	if o := h.occurrences(w.ID); len(o) != 1 || o[0].Outcome != triggers.Failed || o[0].Reason != string(soke.InternalError) {
		t.Errorf("recorded %+v", o)
	}
	if charged := h.box.Charged("sk_live_sandbox_broken"); charged != 0 {
		t.Errorf("it cost %d credits", charged)
	}
}

func TestAPauseIsLookedIntoForNothingAndToldOnce(t *testing.T) {
	for user, every := range map[string]time.Duration{"expired": time.Hour, "revoked": time.Hour, "forbidden": time.Hour, "nocredits": 15 * time.Minute} {
		h := build(t)
		s := h.subscribe(user, "new-keyword", "home espresso", "@every 30m")
		h.round()
		for range 30 {
			h.pass(every)
			h.round()
		}
		if got := h.watch(s.WatchID); got.State != triggers.Paused || !got.NextRunAt.Equal(h.clock().Add(every)) {
			t.Errorf("%s: %s, next look in %s", user, got.State, got.NextRunAt.Sub(h.clock()))
		}
		if charged := h.box.Charged("sk_live_sandbox_" + user); charged != 0 {
			t.Errorf("%s: the pause cost %d credits", user, charged)
		}
		if told := h.undelivered(s); told != 1 {
			t.Errorf("%s: the user was told %d times", user, told)
		}
		h.box.Set("sk_live_sandbox_"+user, sandbox.Active)
		h.box.SetCredits("sk_live_sandbox_"+user, 1000)
		h.pass(every)
		h.round()
		if charged := h.box.Charged("sk_live_sandbox_" + user); charged != 2 {
			t.Errorf("%s: the end of the pause cost %d credits, one run is 2", user, charged)
		}
		if got := h.watch(s.WatchID); got.State != triggers.Active || got.Runs != 1 || !got.NextRunAt.Equal(got.Schedule.Next(h.clock(), got.ID)) {
			t.Errorf("%s: afterwards %s, %d runs, next at %s", user, got.State, got.Runs, got.NextRunAt)
		}
		h.box.Set("sk_live_sandbox_"+user, sandbox.Expired)
		h.pass(time.Hour)
		h.round()
		if told := h.undelivered(s); told != 1 { // what had not been told of the first pause ended with it
			t.Errorf("%s: of the second pause the user was told %d times", user, told)
		}
		h.close()
	}
}
