// Package scheduler runs watches when they are due.
//
// What is due is a row in the store, never a timer: the scheduler claims rows with a lease, runs
// them with bounded concurrency, and settles each claim in one transaction. It takes turns between
// connections, so that nobody's backlog delays somebody else, and it leaves room under Soke's rate
// limit for the interactive calls of the same key.
package scheduler

import (
	"context"
	"errors"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// Errors of a Store that the scheduler knows what to do about.
var (
	// ErrLost says that a claim is over: its lease ended and another holder may have the watch.
	ErrLost = errors.New("the claim of the watch is over")
	// ErrStale says that a report has missed a feed that was opened meanwhile.
	ErrStale = errors.New("the watch has feeds that the run did not see")
	// ErrRunTaken says that a report has the id of another run: a clock that was ahead has used up
	// its due time. It is never the same report once more, whose claim is over.
	ErrRunTaken = errors.New("the watch has had a run with this id")
)

// Store keeps watches. Its methods are safe for concurrent use.
type Store interface {
	// ClaimDue claims watches that are due at now, until lease has passed: at most limit, at most
	// perConnection of one connection, none of the connections in held, those first whose
	// connections have waited longest. next is when the next one of the others is due; zero if
	// none is. A watch whose lease is over is due, and its claim Unsettled.
	ClaimDue(ctx context.Context, now time.Time, lease time.Duration, limit, perConnection int, held []string) (claims []triggers.Claim, next time.Time, err error)
	// ClaimWatch claims one watch if it is due and free. taken tells that somebody has claimed it.
	ClaimWatch(ctx context.Context, id string, now time.Time, lease time.Duration) (claim triggers.Claim, ok, taken bool, err error)
	// Knowledge returns what the watch knows of the folded keywords, and its feeds.
	Knowledge(ctx context.Context, watchID string, folds []string) (triggers.Knowledge, error)
	// Settle ends a claim. It fails with ErrLost, ErrStale or ErrRunTaken, and then keeps nothing.
	Settle(ctx context.Context, s triggers.Settlement) error
	// Misdated returns free watches that were dated after now: the clock was ahead when they were
	// made, settled or woken. Those asleep are not due and are left out.
	Misdated(ctx context.Context, now time.Time, limit int) ([]triggers.Watch, error)
	// Redate gives a free, misdated watch a new due time and a new time for the scheduler to look;
	// neither becomes later than it was.
	Redate(ctx context.Context, id string, due, look, now time.Time) error
	// ReleaseClaims ends the lease of every claim: at start, after a crash, and for what a shutdown
	// has cut short.
	ReleaseClaims(ctx context.Context, now time.Time) error
}
