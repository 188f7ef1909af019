package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

func TestAShutdownWaitsForTheRunsThatHaveBegunAndBeginsNone(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@hourly").Watch
	g := h.holdResearch()
	if _, err := h.scheduler.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-g.arrived
	late := h.open("active", "new-keyword", "tea", "@hourly").Watch
	drained := make(chan error)
	go func() { drained <- h.scheduler.Drain(context.Background()) }()
	select {
	case <-drained:
		t.Fatal("it did not wait")
	default:
	}
	close(g.open)
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	if _, err := h.scheduler.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if got := h.watch(w.ID); got.Runs != 1 {
		t.Errorf("the run that had begun: %d runs", got.Runs)
	}
	if got := h.watch(late.ID); got.Runs != 0 || got.NextRunAt.After(h.clock()) {
		t.Errorf("the run that had not: %d runs, next at %s", got.Runs, got.NextRunAt)
	}
}

func TestNobodyWaitsForARunThatTheShutdownDoesNotBegin(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@hourly").Watch
	if err := h.scheduler.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.scheduler.RunNow(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if got := h.watch(w.ID); got.Runs != 0 || h.calls() != 0 || got.NextRunAt.After(h.clock()) {
		t.Errorf("%d runs, %d calls, next at %s", got.Runs, h.calls(), got.NextRunAt)
	}
}

func TestARunThatAShutdownCutsShortIsNotPaidForAgainAndCountsOnce(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "0 * * * *").Watch
	g := h.holdResearch()
	if _, err := h.scheduler.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-g.arrived
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.scheduler.Drain(over); err != nil {
		t.Fatal(err)
	}
	h.gate.Store(nil)
	next := h.newScheduler()
	var refused *soke.Error
	if err := next.RunNow(t.Context(), w); !errors.As(err, &refused) || refused.Code != soke.ConnectorError {
		t.Errorf("whoever asks is told %v", err)
	}
	close(g.open)
	h.settle() // the old run ends now, and finds its claim over
	got := h.watch(w.ID)
	if got.Runs != 0 || h.calls() != 1 || !got.NextRunAt.Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("%d runs, %d calls, next at %s", got.Runs, h.calls(), got.NextRunAt)
	}
	if o := h.occurrences(w.ID); len(o) != 1 || o[0].Outcome != triggers.Failed || o[0].Reason != string(soke.ConnectorError) || o[0].Count != 1 {
		t.Errorf("recorded as %+v", o)
	}
	h.pass(time.Hour)
	h.scheduler = next
	h.round()
	if got := h.watch(w.ID); got.Runs != 1 || got.Failure != nil {
		t.Errorf("at the next due time: %d runs, %v", got.Runs, got.Failure)
	}
}

// closing is a database whose claims come when the scheduler is being stopped.
type closing struct {
	*sqlite.DB
	stop func()
}

func (c closing) ClaimDue(ctx context.Context, now time.Time, lease time.Duration, limit, perConnection int, held []string) ([]triggers.Claim, time.Time, error) {
	defer c.stop()
	return c.DB.ClaimDue(ctx, now, lease, limit, perConnection, held)
}

// ReleaseClaims has nothing to do: no run is under way.
func (c closing) ReleaseClaims(context.Context, time.Time) error { return nil }

func TestAClaimWhoseRunHasNotBegunWhenAShutdownComesIsDueAtOnce(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@hourly").Watch
	h.scheduler.Store = closing{h.db, func() { _ = h.scheduler.Drain(t.Context()) }}
	if _, err := h.scheduler.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.calls() != 0 {
		t.Fatalf("%d calls", h.calls())
	}
	h.scheduler = h.newScheduler()
	h.round()
	if got := h.watch(w.ID); got.Runs != 1 || h.calls() != 1 {
		t.Errorf("%d runs, %d calls", got.Runs, h.calls())
	}
}

func TestACallerWhoGivesUpDoesNotEndTheRun(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@hourly").Watch
	g := h.holdResearch()
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { gaveUp <- h.scheduler.RunNow(ctx, w) }()
	<-g.arrived
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	joined := make(chan error)
	go func() { joined <- h.scheduler.RunNow(t.Context(), w) }()
	close(g.open)
	if err := <-joined; err != nil {
		t.Error(err)
	}
	h.settle()
	if got := h.watch(w.ID); got.Runs != 1 || h.calls() != 1 {
		t.Errorf("%d runs, %d calls", got.Runs, h.calls())
	}
}

// shutStore cannot claim anything, and lets the first who tries wait until others have joined.
type shutStore struct {
	scheduler.Store
	asked, open chan struct{}
}

func (s shutStore) ClaimWatch(context.Context, string, time.Time, time.Duration) (triggers.Claim, bool, bool, error) {
	s.asked <- struct{}{}
	<-s.open
	return triggers.Claim{}, false, false, errors.New("database or disk is full")
}

func TestWhoeverWaitsForARunThatCannotBeginIsToldSo(t *testing.T) {
	store := shutStore{asked: make(chan struct{}, 100), open: make(chan struct{})}
	h := build(t, func(o *scheduler.Options) {
		store.Store = o.Store
		o.Store = store
	})
	const callers = 50
	told := make(chan error, callers)
	for range callers {
		go func() { told <- h.scheduler.RunNow(t.Context(), triggers.Watch{ID: "wch_x"}) }()
	}
	<-store.asked
	close(store.open)
	for range callers {
		if err := <-told; err == nil {
			t.Fatal("somebody was told that the run is over")
		}
	}
}

func TestRunsThatSomebodyWaitsForDoNotLetLooseAllOthers(t *testing.T) {
	h := build(t, func(o *scheduler.Options) { o.Workers = 5 })
	g := h.holdResearch()
	for i := range 5 {
		h.waitForNothing(g, h.open(fmt.Sprint("waiting_", i), "new-keyword", "home espresso", "@hourly").Watch)
	}
	for i := range 20 {
		h.open(fmt.Sprint("due_", i), "new-keyword", "home espresso", "@hourly")
	}
	for range 2 {
		if _, err := h.scheduler.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.waitInVain(h.open("late", "new-keyword", "home espresso", "@hourly").Watch)
	if claimed := h.claimed(); claimed != 10 {
		t.Errorf("%d watches run at a time with five workers and six callers", claimed)
	}
	close(g.open)
	h.settle()
	h.round()
}

func TestThePollsOfOneKeyLeaveItsScheduledRunsAndThoseOfOthersTheirTurn(t *testing.T) {
	h := build(t, func(o *scheduler.Options) { o.Workers = 6 })
	g := h.holdResearch()
	for i := range 4 {
		h.waitForNothing(g, h.open("eager", "new-keyword", fmt.Sprint("topic ", i), "@hourly").Watch)
	}
	for i := range 6 {
		h.waitInVain(h.open("eager", "new-keyword", fmt.Sprint("more ", i), "@hourly").Watch)
	}
	quiet := h.open("quiet", "new-keyword", "home espresso", "@hourly").Watch
	if _, err := h.scheduler.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if claimed := h.claimed(); claimed != 5 || !h.watch(quiet.ID).NextRunAt.After(h.clock()) {
		t.Errorf("%d watches run at a time, want four of the key that is polled and the other's one", claimed)
	}
	close(g.open)
	h.settle()
	h.round()
	for _, w := range h.watches() {
		if w.Runs != 1 {
			t.Errorf("%s ran %d times", w.Research, w.Runs)
		}
	}
}

func TestNoMoreRunsOfAConnectionBeginThanAreMeantThoughSomeHaveBegunBefore(t *testing.T) {
	h := build(t)
	open := func(n int) {
		for i := range n {
			h.open("active", "new-keyword", fmt.Sprint("topic ", len(h.watches()), i), "@hourly")
		}
	}
	h.holdResearch()
	for _, c := range []struct{ due, want int }{{3, 3}, {4, 4}, {1, 4}} {
		open(c.due)
		if _, err := h.scheduler.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if claimed := h.claimed(); claimed != c.want {
			t.Errorf("%d runs of one connection at a time, want %d", claimed, c.want)
		}
	}
	close(h.gate.Load().open)
	h.settle()
	h.round()
	if h.calls() != 8 {
		t.Errorf("%d calls for eight watches", h.calls())
	}
}

func TestWhoeverFindsNoPlaceWaitsForTheTurnOfTheWatch(t *testing.T) {
	h := build(t, func(o *scheduler.Options) { o.Workers = 1 })
	g := h.holdResearch()
	h.waitForNothing(g, h.open("first", "new-keyword", "home espresso", "@hourly").Watch)
	w := h.open("second", "new-keyword", "home espresso", "@hourly").Watch
	told := make(chan error)
	go func() { told <- h.scheduler.RunNow(t.Context(), w) }()
	if _, err := h.scheduler.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-g.arrived
	close(g.open)
	if err := <-told; err != nil {
		t.Error(err)
	}
	if got := h.watch(w.ID); got.Runs != 1 {
		t.Errorf("%d runs", got.Runs)
	}
	if err := h.scheduler.RunNow(t.Context(), h.watch(w.ID)); err != nil {
		t.Error(err)
	}
	h.settle()
	if h.calls() != 2 {
		t.Errorf("%d calls", h.calls())
	}
}

func TestAWaitForARunThatNobodyBeginsLeavesNothingBehind(t *testing.T) {
	h := build(t)
	w := h.open("active", "new-keyword", "home espresso", "@hourly").Watch
	elsewhere, _, _, err := h.db.ClaimWatch(t.Context(), w.ID, h.clock(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	h.waitInVain(w)
	if err := h.db.Settle(t.Context(), triggers.Settlement{Claim: elsewhere, State: triggers.Active, DueAt: h.clock(), NextRunAt: h.clock(), At: h.clock()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := h.scheduler.RunNow(ctx, w); err != nil {
		t.Errorf("the next caller got %v", err)
	}
	if got := h.watch(w.ID); got.Runs != 1 {
		t.Errorf("%d runs", got.Runs)
	}
}

// waitForNothing has a caller wait for a watch until its run has begun, and then give up.
func (h *harness) waitForNothing(g *gate, w triggers.Watch) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	gaveUp := make(chan error)
	go func() { gaveUp <- h.scheduler.RunNow(ctx, w) }()
	<-g.arrived
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		h.t.Errorf("the caller got %v", err)
	}
}

// waitInVain has a caller wait for a run that does not begin.
func (h *harness) waitInVain(w triggers.Watch) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.scheduler.RunNow(ctx, w); !errors.Is(err, context.DeadlineExceeded) {
		h.t.Errorf("the caller got %v", err)
	}
}

// claimed counts the watches that are being run.
func (h *harness) claimed() (n int) {
	h.t.Helper()
	for _, w := range h.watches() {
		if w.NextRunAt.After(h.clock()) {
			n++
		}
	}
	return n
}

func TestNoMoreRunAtATimeThanThereAreWorkers(t *testing.T) {
	h := build(t, func(o *scheduler.Options) { o.Workers = 3 })
	for i := range 10 {
		h.open(fmt.Sprint("user_", i), "new-keyword", "home espresso", "@hourly")
	}
	g := h.holdResearch()
	if wait, err := h.scheduler.Round(t.Context()); err != nil || wait < time.Second {
		t.Fatalf("the next round is in %s, %v", wait, err)
	}
	for range 3 {
		<-g.arrived
	}
	if _, err := h.scheduler.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	h.settle()
	if h.calls() != 3 {
		t.Errorf("%d calls at a time with three workers", h.calls())
	}
	h.round()
	if h.calls() != 10 {
		t.Errorf("%d calls for ten watches", h.calls())
	}
}

func TestNobodyWaitsForATurnThatNoRoundWillGive(t *testing.T) {
	h := build(t)
	g := h.holdResearch()
	wait := func(w triggers.Watch) chan error {
		over := make(chan error, 1)
		go func() { over <- h.scheduler.RunNow(t.Context(), w) }()
		return over
	}
	var begun []chan error
	for i := range 4 { // as many as a key's callers have places
		begun = append(begun, wait(h.open("active", "new-keyword", fmt.Sprint("topic ", i), "@hourly").Watch))
		<-g.arrived
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := h.scheduler.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	select {
	case err := <-wait(h.open("active", "new-keyword", "one more", "@hourly").Watch):
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits though nothing begins any more")
	}
	close(g.open)
	for _, over := range begun {
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
}
