package scheduler_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/triggers"
)

const year = 365 * 24 * time.Hour

func TestWhateverAWatchDidUnderAWrongClockItRunsByTheRightOne(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"an hour": time.Hour, "a year": year} {
		for state, prepare := range map[string]func(h *harness, w triggers.Watch){
			"ran": func(*harness, triggers.Watch) {},
			"failed": func(h *harness, _ triggers.Watch) {
				h.box.Set("sk_live_sandbox_clock", sandbox.Garbled)
			},
			"is tried again": func(h *harness, _ triggers.Watch) {
				h.box.Set("sk_live_sandbox_clock", sandbox.Broken)
			},
			"paused": func(h *harness, _ triggers.Watch) {
				h.box.Set("sk_live_sandbox_clock", sandbox.Expired)
			},
		} {
			for _, fresh := range []bool{false, true} {
				h := build(t)
				s := h.subscribe("clock", "new-keyword", "home espresso", "0 * * * *")
				if !fresh {
					h.round()
				}
				h.pass(ahead)
				if fresh { // nothing that is older than the wrong clock
					h.open("clock", "new-keyword", "another topic", "0 * * * *")
				}
				prepare(h, s.Watch)
				h.round()
				h.box.Set("sk_live_sandbox_clock", sandbox.Active)
				h.pass(-ahead)
				h.round()
				for _, w := range h.watches() {
					if latest := w.Schedule.Next(h.clock(), w.ID); w.NextRunAt.After(latest) {
						t.Errorf("%s ahead, a watch that %s (fresh: %v) waits until %s", name, state, fresh, w.NextRunAt)
					}
				}
				calls := h.calls()
				h.pass(time.Hour)
				h.round()
				for _, w := range h.watches() {
					if w.State != triggers.Active || !w.LastRunAt.Equal(h.clock()) {
						t.Errorf("%s ahead, a watch that %s (fresh: %v) is %s and ran last at %s", name, state, fresh, w.State, w.LastRunAt)
					}
				}
				if ran := h.calls() - calls; ran != len(h.watches()) {
					t.Errorf("%s ahead, watches that %s (fresh: %v) made %d calls in the next hour", name, state, fresh, ran)
				}
				h.close()
			}
		}
	}
}

func TestAConnectorThatWasStartedUnderAWrongClockMendsItWhenItStartsAgain(t *testing.T) {
	h := build(t)
	s := h.subscribe("clock", "new-keyword", "home espresso", "0 * * * *")
	h.pass(year)
	h.round()
	h.pass(-year)
	h.scheduler = h.newScheduler()
	h.round()
	if w := h.watch(s.WatchID); w.NextRunAt.After(h.clock().Add(time.Hour)) {
		t.Errorf("it waits until %s", w.NextRunAt)
	}
}

func TestTheDueTimeThatAClockAheadHasUsedUpIsTheRightOnesAgain(t *testing.T) {
	for _, trigger := range []string{"research-completed", "new-keyword"} {
		h := build(t)
		s := h.subscribe("clock", trigger, "home espresso", "0 * * * *")
		h.round()
		events := func() map[string]bool {
			found, _, err := h.db.Events(t.Context(), triggers.EventQuery{FeedID: s.FeedID, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			ids := map[string]bool{}
			for _, e := range found {
				ids[string(e.Body)] = true
			}
			return ids
		}
		for range 3 {
			told, known, calls := h.undelivered(s), len(events()), h.calls()
			h.pass(time.Hour) // ten o'clock, as the wrong clock has it
			h.round()
			h.pass(-time.Hour)
			h.round()
			if h.calls() != calls+1 || h.undelivered(s) != told+1 || len(events()) == known {
				t.Errorf("%s: after %d calls %d deliveries and %d events more", trigger, h.calls()-calls, h.undelivered(s)-told, len(events())-known)
			}
		}
		if w := h.watch(s.WatchID); w.Failure != nil || w.Runs != 4 {
			t.Errorf("%s: %d runs, %v", trigger, w.Runs, w.Failure)
		}
		h.close()
	}
}

func TestAClockThatJumpsAheadCostsOneRun(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, year} {
		h := build(t)
		s := h.subscribe("clock", "new-keyword", "home espresso", "*/15 * * * *")
		h.round()
		h.pass(ahead)
		h.round()
		if h.calls() != 2 {
			t.Errorf("a jump of %s cost %d calls", ahead, h.calls()-1)
		}
		total := 0
		for _, o := range h.occurrences(s.WatchID) {
			total += o.Count
		}
		if want := 1 + int(ahead/(15*time.Minute)); total != want {
			t.Errorf("after a jump of %s %d due times are recorded, want %d", ahead, total, want)
		}
		h.close()
	}
}

func TestAClockThatJumpsAboutNeitherStopsAWatchNorSetsItLoose(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := build(t)
		defer h.close()
		s := h.subscribe("clock", "new-keyword", "home espresso", rapid.SampledFrom([]string{"0 * * * *", "*/20 * * * *", "@every 7h", "@daily"}).Draw(rt, "schedule"))
		for range rapid.IntRange(1, 15).Draw(rt, "jumps") {
			h.box.Set("sk_live_sandbox_clock", rapid.SampledFrom([]sandbox.Behaviour{sandbox.Active, sandbox.Active, sandbox.Expired, sandbox.Garbled}).Draw(rt, "Soke"))
			h.pass(time.Duration(rapid.SampledFrom([]int{1, 600, 3600, 86400, 31536000, -30, -3600, -86400, -31536000}).Draw(rt, "seconds")) * time.Second)
			calls := h.calls()
			h.round()
			w := h.watch(s.WatchID)
			latest := w.Schedule.Next(h.clock().Add(time.Minute), w.ID) // a minute counts as none
			if w.State == triggers.Paused {
				latest = h.clock().Add(time.Hour + time.Minute)
			}
			if w.NextRunAt.After(latest) || !w.NextRunAt.After(h.clock()) {
				rt.Fatalf("at %s the watch is %s and waits until %s", h.clock(), w.State, w.NextRunAt)
			}
			if h.calls()-calls > 1 {
				rt.Fatalf("one jump made %d calls", h.calls()-calls)
			}
		}
	})
}
