package scheduler_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

// unkeeping is a database that keeps no report, as if one could not be written.
type unkeeping struct{ *sqlite.DB }

func (u unkeeping) Settle(ctx context.Context, s triggers.Settlement) error {
	if s.Report != nil {
		return errors.New("this report cannot be written")
	}
	return u.DB.Settle(ctx, s)
}

func TestAPaidRunThatCannotBeKeptWaitsForItsNextDueTime(t *testing.T) {
	h := build(t, func(o *scheduler.Options) { o.Insist = time.Millisecond })
	h.scheduler.Store = unkeeping{h.db}
	w := h.open("active", "new-keyword", "home espresso", "@every 6h").Watch
	h.round()
	got := h.watch(w.ID)
	if got.Failure == nil || got.Failure.Code != soke.ConnectorError || got.State != triggers.Active {
		t.Errorf("the watch says %+v", got.Failure)
	}
	for h.clock().Before(got.NextRunAt.Add(-time.Minute)) { // lease after lease
		h.pass(time.Minute)
		h.round()
	}
	if n := h.calls(); n != 1 {
		t.Errorf("%d calls before the next due time", n)
	}
	h.scheduler.Store = h.db
	h.pass(2 * time.Minute)
	h.round()
	if got := h.watch(w.ID); got.Failure != nil || got.Runs != 1 || h.calls() != 2 {
		t.Errorf("afterwards: %d runs, %d calls, %v", got.Runs, h.calls(), got.Failure)
	}
}

// full is a database that takes claims, and settlements only once it has room again.
type full struct {
	*sqlite.DB
	room *bool
}

func (f full) Settle(ctx context.Context, s triggers.Settlement) error {
	if !*f.room {
		return errors.New("database or disk is full")
	}
	return f.DB.Settle(ctx, s)
}

func TestAStoreThatTakesClaimsAndNoSettlementsCostsOneCall(t *testing.T) {
	room := false
	h := build(t, func(o *scheduler.Options) { o.Insist = time.Millisecond })
	h.scheduler.Store = full{h.db, &room}
	w := h.open("active", "new-keyword", "home espresso", "0 0 * * *").Watch
	for range 6 {
		if _, err := h.scheduler.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.pass(11 * time.Minute)
	}
	room = true
	h.round()
	if got := h.watch(w.ID); h.calls() != 1 || !got.NextRunAt.Equal(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%d calls, next at %s", h.calls(), got.NextRunAt)
	}
}

func TestAPausedWatchThatWasLeftClaimedIsLookedAtWithinTheTimeOfAProbe(t *testing.T) {
	h := build(t)
	s := h.subscribe("expired", "new-keyword", "home espresso", "@every 24h")
	h.round()
	h.pass(time.Hour)
	if _, _, err := h.db.ClaimDue(t.Context(), h.clock(), time.Minute, 1, 1, nil); err != nil {
		t.Fatal(err)
	}
	h.box.Set("sk_live_sandbox_expired", sandbox.Active)
	if err := h.db.ReleaseClaims(t.Context(), h.clock()); err != nil {
		t.Fatal(err)
	}
	h.round()
	if got := h.watch(s.WatchID); got.State != triggers.Paused || got.NextRunAt.Sub(h.clock()) != time.Hour || h.undelivered(s) != 1 {
		t.Errorf("%s, next look in %s, told %d times", got.State, got.NextRunAt.Sub(h.clock()), h.undelivered(s))
	}
	h.pass(time.Hour)
	h.round()
	if got := h.watch(s.WatchID); got.State != triggers.Active || got.Runs != 1 {
		t.Errorf("after the probe %s, %d runs", got.State, got.Runs)
	}
}

// mute is a database that does not say that it has committed.
type mute struct{ *sqlite.DB }

func (m mute) Settle(ctx context.Context, s triggers.Settlement) error {
	if err := m.DB.Settle(ctx, s); err != nil {
		return err
	}
	return errors.New("the disk has gone away")
}

func TestARunWhoseCommitIsNotKnownOfIsKeptOnce(t *testing.T) {
	h := build(t)
	s := h.subscribe("active", "research-completed", "home espresso", "0 * * * *")
	h.round()
	h.scheduler.Store = mute{h.db}
	h.pass(time.Hour)
	h.round()
	if got := h.watch(s.WatchID); got.Runs != 2 || got.Failure != nil || h.calls() != 2 || h.undelivered(s) != 1 {
		t.Errorf("%d runs, %v, %d calls, %d deliveries", got.Runs, got.Failure, h.calls(), h.undelivered(s))
	}
}

// growing is a database in which a feed is opened whenever a run is to be kept.
type growing struct {
	*sqlite.DB
	settled *int
}

func (g growing) Settle(ctx context.Context, s triggers.Settlement) error {
	*g.settled++
	if s.Report != nil {
		return scheduler.ErrStale
	}
	return g.DB.Settle(ctx, s)
}

func TestARunThatAlwaysMissesAFeedIsGivenUp(t *testing.T) {
	settled := 0
	h := build(t)
	h.scheduler.Store = growing{h.db, &settled}
	w := h.open("active", "new-keyword", "home espresso", "0 * * * *").Watch
	h.round()
	if got := h.watch(w.ID); got.Failure == nil || got.Failure.Code != soke.ConnectorError || h.calls() != 1 || settled > 200 {
		t.Errorf("%v after %d calls and %d settlements", got.Failure, h.calls(), settled)
	}
}

// late is a database whose claims for somebody who waits come late.
type late struct {
	*sqlite.DB
	before func()
}

func (l late) ClaimWatch(ctx context.Context, id string, now time.Time, lease time.Duration) (triggers.Claim, bool, bool, error) {
	l.before()
	return l.DB.ClaimWatch(ctx, id, now, lease)
}

func TestARunThatIsOverBeforeWhoeverWantsItCouldClaimItIsTheirs(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@every 1h").Watch
	h.scheduler.Store = late{h.db, h.round}
	if err := h.scheduler.RunNow(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if got := h.watch(w.ID); got.Runs != 1 || h.calls() != 1 {
		t.Errorf("%d runs, %d calls", got.Runs, h.calls())
	}
}

// eager is a database in which a watch is due again as soon as its run is settled, and is claimed
// before the scheduler can know that the run is over.
type eager struct {
	*sqlite.DB
	again func()
}

func (e eager) Settle(ctx context.Context, s triggers.Settlement) error {
	err := e.DB.Settle(ctx, s)
	e.again()
	return err
}

func TestARunMayBeginBeforeTheOneBeforeItIsOver(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@every 1h").Watch
	var once sync.Once
	h.scheduler.Store = eager{h.db, func() {
		once.Do(func() {
			h.pass(time.Hour)
			if _, err := h.scheduler.Round(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}}
	h.round()
	if got := h.watch(w.ID); got.Runs != 2 || h.calls() != 2 {
		t.Errorf("%d runs, %d calls", got.Runs, h.calls())
	}
}

// poisoned is a database of which the knowledge of one watch is more than anybody can bear.
type poisoned struct {
	*sqlite.DB
	id string
}

func (p poisoned) Knowledge(ctx context.Context, watchID string, folds []string) (triggers.Knowledge, error) {
	if watchID == p.id {
		panic("a row like no other")
	}
	return p.DB.Knowledge(ctx, watchID, folds)
}

func TestARunThatPanicsStopsNobodyAndIsNotPaidForAgain(t *testing.T) {
	h := build(t)
	bad := h.open("bad", "new-keyword", "home espresso", "0 0 * * *").Watch
	good := h.open("good", "new-keyword", "home espresso", "0 0 * * *").Watch
	h.scheduler.Store = poisoned{h.db, bad.ID}
	h.round()
	if got := h.watch(good.ID); got.Runs != 1 {
		t.Errorf("the other watch ran %d times", got.Runs)
	}
	for range 5 { // lease after lease
		h.pass(11 * time.Minute)
		h.round()
	}
	if got := h.watch(bad.ID); h.calls() != 2 || got.Failure == nil || got.Failure.Code != soke.ConnectorError {
		t.Errorf("%d calls for two watches, and the one says %+v", h.calls(), got.Failure)
	}
}
