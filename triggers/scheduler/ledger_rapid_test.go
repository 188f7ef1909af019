package scheduler_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/triggers"
)

// ledger expands the records of a watch into the due times that they stand for: those of the
// schedule, and those that somebody's asking or the end of a pause has made.
func ledger(t interface{ Fatalf(string, ...any) }, h *harness, w triggers.Watch) (scheduled, others []time.Time) {
	for _, o := range h.occurrences(w.ID) {
		at := o.Due
		for range o.Count {
			if w.Schedule.Next(at.Add(-time.Millisecond), w.ID).Equal(at) {
				scheduled = append(scheduled, at)
			} else {
				others = append(others, at)
			}
			at = w.Schedule.Next(at, w.ID)
		}
		if o.Count < 1 {
			t.Fatalf("a record of nothing: %+v", o)
		}
	}
	slices.SortFunc(scheduled, time.Time.Compare)
	return scheduled, others
}

func TestThroughAnyDowntimesAndRefusalsEveryDueTimeIsRecordedOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := build(t)
		defer h.close()
		h.pass(123 * time.Millisecond) // so that nothing else falls on a due time of the schedule
		expression := rapid.SampledFrom([]string{"*/15 * * * *", "0 * * * *", "@hourly", "30 6,18 * * *", "@every 7h", "@daily"}).Draw(rt, "schedule")
		w := h.open("ledger", "new-keyword", "home espresso", expression).Watch
		began := h.clock()
		made := 1 // due times that are not the schedule's: the first
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			before := h.watch(w.ID)
			h.box.Set("sk_live_sandbox_ledger", rapid.SampledFrom([]sandbox.Behaviour{
				sandbox.Active, sandbox.Active, sandbox.Active, sandbox.Broken, sandbox.Expired, sandbox.Revoked, sandbox.NoCredits, sandbox.Garbled,
			}).Draw(rt, "Soke"))
			h.box.SetCredits("sk_live_sandbox_ledger", rapid.SampledFrom([]int{1000, 1000, 0}).Draw(rt, "credits"))
			h.pass(time.Duration(rapid.SampledFrom([]int{1, 20, 300, 900, 3600, 9000, 86400, 700_000}).Draw(rt, "seconds")) * time.Second)
			h.open("ledger", "new-keyword", "home espresso", expression) // somebody asks, so that it stays awake
			h.round()
			now := h.watch(w.ID)
			if before.State == triggers.Paused && now.State == triggers.Active && now.LastRunAt.Equal(h.clock()) {
				made++ // the one run that ends a pause
			}
			if now.State != triggers.Asleep && !now.NextRunAt.After(h.clock()) {
				rt.Fatalf("at %s the watch waits for %s", h.clock(), now.NextRunAt)
			}
		}
		// The last due time that is over: the one before that which the next run stands for.
		end := h.watch(w.ID).DueAt.Add(-time.Second)
		scheduled, others := ledger(rt, h, w)
		var want []time.Time
		for at := w.Schedule.Next(began, w.ID); !at.After(end); at = w.Schedule.Next(at, w.ID) {
			want = append(want, at)
		}
		if !slices.EqualFunc(scheduled, want, time.Time.Equal) {
			rt.Fatalf("%s from %s to %s: %d due times are recorded, want %d\n%s", expression, began, end, len(scheduled), len(want), h.records(w.ID))
		}
		if len(others) > made {
			rt.Fatalf("%d due times are nobody's, want at most %d: %v", len(others), made, others)
		}
	})
}

// records are the records of a watch, oldest first, for people.
func (h *harness) records(id string) string {
	h.t.Helper()
	out := ""
	for _, o := range slices.Backward(h.occurrences(id)) {
		out += fmt.Sprintf("%s %s %s x%d (at %s)\n", o.Due.Format(time.DateTime), o.Outcome, o.Reason, o.Count, o.At.Format(time.DateTime))
	}
	return out
}
