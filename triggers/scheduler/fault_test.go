package scheduler_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

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
