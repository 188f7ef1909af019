package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

func TestANewWatchRunsAtOnceAndThenByItsSchedule(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "0 12 * * *").Watch
	h.round()
	if got := h.watch(w.ID); got.Runs != 1 || !got.DueAt.Equal(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) {
		t.Fatalf("after the first run: %d runs, due %s", got.Runs, got.DueAt)
	}
	h.pass(2 * time.Hour)
	h.round()
	if h.calls() != 1 {
		t.Errorf("it ran before it was due: %d calls", h.calls())
	}
	h.pass(time.Hour)
	h.round()
	if got := h.watch(w.ID); got.Runs != 2 || h.calls() != 2 {
		t.Errorf("at noon: %d runs, %d calls", got.Runs, h.calls())
	}
}

func TestFeedsOfOneWatchShareOneCall(t *testing.T) {
	h := build(t)
	for _, trigger := range []string{"new-keyword", "trend-change", "competition-drop", "research-completed"} {
		h.open("active", trigger, "home espresso", "@hourly")
	}
	h.round()
	if len(h.watches()) != 1 || h.calls() != 1 {
		t.Errorf("%d watches, %d calls", len(h.watches()), h.calls())
	}
}

func TestMissedRunsAreOneAndTheRecordAddsUpToTheSchedule(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "*/15 * * * *").Watch
	h.round()
	h.pass(7*24*time.Hour + 3*time.Minute)
	h.open("active", "new-keyword", "home espresso", "*/15 * * * *") // somebody asks, so that it stays awake
	h.round()
	if h.calls() != 2 {
		t.Errorf("a week of downtime cost %d calls", h.calls()-1)
	}
	total := 0
	outcomes := map[triggers.Outcome]int{}
	for _, o := range h.occurrences(w.ID) {
		total += o.Count
		outcomes[o.Outcome] += o.Count
	}
	if want := 1 + 7*24*4; total != want || outcomes[triggers.Late] != 1 || outcomes[triggers.Coalesced] != want-2 {
		t.Errorf("%d due times recorded, want %d: %v", total, want, outcomes)
	}
}

func TestARefusalThatPassesIsTriedAgainWithinTheInterval(t *testing.T) {
	h := build(t)
	w := h.open("broken", "new-keyword", "home espresso", "@every 24h").Watch
	h.round()
	first := h.watch(w.ID)
	if first.Attempts != 1 || first.Failure == nil || first.Failure.Code != soke.InternalError || first.State != triggers.Active {
		t.Fatalf("after the first try: %+v", first)
	}
	if wait := first.NextRunAt.Sub(h.clock()); wait < 5*time.Second || wait > time.Minute {
		t.Errorf("the next try is in %s", wait)
	}
	h.box.Set("sk_live_sandbox_broken", sandbox.Active)
	h.pass(time.Minute)
	h.round()
	if got := h.watch(w.ID); got.Runs != 1 || got.Failure != nil || got.Attempts != 0 {
		t.Errorf("after the second: %+v", got)
	}
}

func TestAWaitThatSokeAsksForIsKept(t *testing.T) {
	h := build(t)
	for i := range 12 {
		h.open("limited", "new-keyword", fmt.Sprint("topic ", i), "@every 1h")
	}
	h.round()
	calls := h.calls()
	if calls > 8 {
		t.Errorf("%d of 10 requests a minute were used by watches, which leaves no room for actions", calls)
	}
	h.pass(61 * time.Second)
	h.round()
	if h.calls() <= calls {
		t.Error("nothing ran in the next minute")
	}
	for range 4 {
		h.pass(61 * time.Second)
		h.round()
	}
	for _, w := range h.watches() {
		if w.Runs == 0 || w.Failure != nil {
			t.Errorf("%s: %d runs, %v", w.Research, w.Runs, w.Failure)
		}
	}
}

func TestAFailureThatMayHaveBeenChargedIsNotRepeated(t *testing.T) {
	h := build(t)
	w := h.open("garbled", "new-keyword", "home espresso", "0 * * * *").Watch
	h.round()
	h.pass(10 * time.Minute)
	h.round()
	got := h.watch(w.ID)
	if h.calls() != 1 || !got.DueAt.Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("%d calls, due %s", h.calls(), got.DueAt)
	}
	if o := h.occurrences(w.ID); len(o) != 1 || o[0].Outcome != triggers.Failed || o[0].Reason != string(soke.UpstreamUnavailable) {
		t.Errorf("recorded as %+v", o)
	}
}

func TestAWatchThatOnlyItsUserCanHelpPausesProbesForNothingAndResumesWithOneRun(t *testing.T) {
	for user, code := range map[string]soke.Code{"expired": soke.SubscriptionRequired, "revoked": soke.Unauthorized, "forbidden": soke.Forbidden} {
		h := build(t)
		w := h.open(user, "new-keyword", "home espresso", "@every 30m").Watch
		h.round()
		if got := h.watch(w.ID); got.State != triggers.Paused || got.Failure.Code != code {
			t.Fatalf("%s: %s %v", user, got.State, got.Failure)
		}
		calls := h.calls()
		for range 10 {
			h.pass(time.Hour + time.Second)
			h.round()
		}
		if h.calls() != calls {
			t.Errorf("%s: the pause made %d research calls", user, h.calls()-calls)
		}
		h.box.Set("sk_live_sandbox_"+user, sandbox.Active)
		h.pass(time.Hour + time.Second)
		h.round()
		if got := h.watch(w.ID); got.State != triggers.Active || got.Runs != 1 || h.calls() != calls+1 {
			t.Errorf("%s: after the pause %s, %d runs, %d calls", user, got.State, got.Runs, h.calls()-calls)
		}
	}
}

func TestAPauseIsOverWhenSokeAcceptsTheKeyAlthoughTheRunThatFollowsIsLost(t *testing.T) {
	h := build(t)
	w := h.open("expired", "new-keyword", "home espresso", "@every 24h").Watch
	h.round()
	if got := h.watch(w.ID); got.State != triggers.Paused {
		t.Fatalf("the watch is %s", got.State)
	}
	h.box.Set("sk_live_sandbox_expired", sandbox.Active)
	h.lost.Store(true)
	h.pass(time.Hour + time.Second)
	h.round()
	got := h.watch(w.ID)
	if got.State != triggers.Active || got.Failure == nil || got.Failure.Code != soke.UpstreamUnavailable {
		t.Errorf("after the lost run the watch is %s with %v", got.State, got.Failure)
	}
	for due := got.DueAt; h.clock().Before(due.Add(-time.Hour)); {
		h.pass(time.Hour)
		h.round()
	}
	if charged := h.box.Charged("sk_live_sandbox_expired"); charged != 2 {
		t.Errorf("%d credits were spent before the next due time", charged)
	}
	h.lost.Store(false)
	h.pass(time.Hour + time.Minute)
	h.round()
	if got := h.watch(w.ID); got.Runs != 1 || got.Failure != nil {
		t.Errorf("at the next due time: %d runs, %v", got.Runs, got.Failure)
	}
}

func TestCreditsAreLookedForEveryQuarterOfAnHour(t *testing.T) {
	h := build(t)
	w := h.open("nocredits", "new-keyword", "home espresso", "@every 24h").Watch
	h.round()
	if got := h.watch(w.ID); got.State != triggers.Paused || got.NextRunAt.Sub(h.clock()) != 15*time.Minute {
		t.Fatalf("%s, next look in %s", got.State, got.NextRunAt.Sub(h.clock()))
	}
	h.pass(15 * time.Minute)
	h.round()
	if got := h.watch(w.ID); got.State != triggers.Paused || h.box.Charged("sk_live_sandbox_nocredits") != 0 {
		t.Errorf("still without credits: %s, %d charged", got.State, h.box.Charged("sk_live_sandbox_nocredits"))
	}
	h.box.Set("sk_live_sandbox_nocredits", sandbox.Active)
	h.box.SetCredits("sk_live_sandbox_nocredits", 10)
	h.pass(15 * time.Minute)
	h.round()
	if got := h.watch(w.ID); got.State != triggers.Active || got.Runs != 1 {
		t.Errorf("with credits again: %s, %d runs", got.State, got.Runs)
	}
}

func TestAWatchThatNobodyAsksForSleepsAndWakesWithOneRun(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@every 6h").Watch
	for range 30 {
		h.round()
		h.pass(6 * time.Hour)
	}
	asleep, calls := h.watch(w.ID), h.calls()
	if asleep.State != triggers.Asleep || calls > 10 {
		t.Fatalf("%s after %d calls", asleep.State, calls)
	}
	h.pass(30 * 24 * time.Hour)
	h.round()
	if h.calls() != calls {
		t.Error("it ran in its sleep")
	}
	if opened := h.open("active", "new-keyword", "home espresso", "@every 6h"); !opened.Due {
		t.Error("the next poll does not wake it")
	}
	h.round()
	if got := h.watch(w.ID); got.State != triggers.Active || h.calls() != calls+1 {
		t.Errorf("awake: %s, %d calls", got.State, h.calls()-calls)
	}
}

func TestAWatchOfLongIntervalsSleepsAfterThreeOfThem(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@every 100h").Watch
	for range 3 {
		h.round()
		h.pass(100 * time.Hour)
	}
	h.round()
	if got := h.watch(w.ID); got.State != triggers.Active {
		t.Errorf("%s within three intervals", got.State)
	}
	h.pass(101 * time.Hour)
	h.round()
	if got := h.watch(w.ID); got.State != triggers.Asleep {
		t.Errorf("%s after more than three", got.State)
	}
}

func TestAPausedWatchThatNobodyAsksForIsNotProbedForYears(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name, schedule  string
		ran, subscribed bool
		awake, asleep   time.Duration // after the latest poll; zero is never
	}{
		{"a key that never worked", "0 0 29 2 *", false, false, 47 * time.Hour, 49 * time.Hour},
		{"a key that worked", "0 0 29 2 *", true, false, 89 * day, 91 * day},
		{"shorter intervals", "@every 240h", true, false, 29 * day, 31 * day},
		{"a subscription", "0 0 29 2 *", false, true, 1000 * day, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := build(t)
			h.box.Set("sk_live_sandbox_dead", sandbox.Active)
			w := h.open("dead", "new-keyword", "home espresso", c.schedule).Watch
			polled := h.clock()
			if c.subscribed {
				h.subscribe("dead", "new-keyword", "home espresso", c.schedule)
			}
			if c.ran {
				h.round()
				if err := h.db.Redate(t.Context(), w.ID, h.clock(), h.clock(), h.clock()); err != nil {
					t.Fatal(err)
				}
			}
			h.box.Set("sk_live_sandbox_dead", sandbox.Revoked)
			for _, look := range []struct {
				after time.Duration
				want  triggers.State
			}{{0, triggers.Paused}, {c.awake, triggers.Paused}, {c.asleep, triggers.Asleep}} {
				if look.after == 0 && look.want == triggers.Asleep {
					continue
				}
				h.pass(polled.Add(look.after).Sub(h.clock()))
				h.round()
				if got := h.watch(w.ID); got.State != look.want {
					t.Errorf("%s after the latest poll it is %s, want %s", look.after, got.State, look.want)
				}
			}
			if c.asleep > 0 {
				if o := h.open("dead", "new-keyword", "home espresso", c.schedule); o.Watch.State != triggers.Paused || !o.Due {
					t.Errorf("the next poll finds it %s, due %v", o.Watch.State, o.Due)
				}
			}
		})
	}
}

func TestATenantWithThousandsOfWatchesDoesNotDelayAnother(t *testing.T) {
	h := build(t)
	for i := range 300 {
		h.open("flood", "new-keyword", fmt.Sprint("topic ", i), "@hourly")
	}
	h.pass(time.Second)
	w := h.open("quiet", "new-keyword", "home espresso", "@hourly").Watch
	if _, err := h.scheduler.Round(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := h.scheduler.RunNow(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	if got := h.watch(w.ID); got.Runs != 1 {
		t.Error("the quiet tenant's watch did not run in the first round")
	}
	if calls := h.calls(); calls > 40 {
		t.Errorf("%d runs before the quiet tenant's one", calls)
	}
	h.round()
}

func TestOneWatchIsRunByOneAtATime(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@hourly").Watch
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if err := h.scheduler.RunNow(context.Background(), w); err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() {
			if _, err := h.scheduler.Round(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	h.settle()
	if h.calls() != 1 {
		t.Errorf("%d calls for one run", h.calls())
	}
}

func TestALeaseThatIsOverIsTakenBack(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@hourly").Watch
	ctx := context.Background()
	lost, _, err := h.db.ClaimDue(ctx, h.clock(), time.Minute, 1, 1, nil)
	if err != nil || len(lost) != 1 {
		t.Fatal(lost, err)
	}
	h.round()
	if h.calls() != 0 {
		t.Fatal("a claimed watch ran")
	}
	h.pass(2 * time.Minute)
	h.round()
	if got := h.watch(w.ID); got.Failure == nil || got.Failure.Code != soke.ConnectorError || h.calls() != 0 {
		t.Errorf("the watch that was taken back says %v after %d calls; its holder may have paid for one", got.Failure, h.calls())
	}
	h.pass(time.Hour)
	h.round()
	if got := h.watch(w.ID); got.Runs != 1 {
		t.Error("the watch that was taken back does not run when it is due again")
	}
	err = h.db.Settle(ctx, triggers.Settlement{Claim: lost[0], State: triggers.Active, DueAt: h.clock(), NextRunAt: h.clock(), At: h.clock()})
	if err != scheduler.ErrLost { //nolint:errorlint // the store promises this value.
		t.Errorf("the old claim settles with %v", err)
	}
}

func TestAClockThatWasWrongDoesNotLeaveAWatchForAYear(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "0 * * * *").Watch
	h.round()
	h.pass(365 * 24 * time.Hour)
	h.open("active", "new-keyword", "home espresso", "0 * * * *") // somebody asks, so that it stays awake
	h.round()
	h.pass(-365 * 24 * time.Hour)
	calls := h.calls()
	for range 4 {
		h.pass(time.Hour)
		h.round()
	}
	if h.calls() == calls {
		t.Errorf("it waits until %s, and it is %s", h.watch(w.ID).DueAt, h.clock())
	}
}

func TestAFeedThatCannotBeReadCostsTheOthersOfItsWatchNoEventAndNobodyASecondCall(t *testing.T) {
	h := build(t)
	s := h.subscribe("active", "new-keyword", "home espresso", "@every 1h")
	broken := h.opening("active", "competition-drop", "home espresso", "@every 1h")
	broken.Parameters = json.RawMessage(`{"threshold":"of another version"}`)
	if _, err := h.db.OpenFeed(context.Background(), broken); err != nil {
		t.Fatal(err)
	}
	const runs = 12
	for range runs {
		h.round()
		h.pass(time.Hour)
	}
	if n := h.calls(); n != runs {
		t.Errorf("%d calls in %d hours", n, runs)
	}
	if w := h.watch(s.WatchID); w.Runs != runs || w.Failure != nil {
		t.Errorf("%d runs, %v", w.Runs, w.Failure)
	}
	if h.undelivered(s) == 0 {
		t.Error("the other feed has no event")
	}
}
