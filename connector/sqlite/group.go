package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// errPanicked marks a job that panicked, until its caller panics in its place.
var errPanicked = errors.New("a write panicked")

// group runs first, and what waits behind it, in one transaction. Each job stands behind a
// savepoint: a job that fails takes its own changes back and nobody else's.
func (w *writer) group(first *job) {
	ctx := context.Background() // No caller's end may end the transaction of the others.
	began := time.Now()
	var tx *sql.Tx
	var kept []*job // have run and wait for the commit
	for j := first; j != nil; j = w.next(len(kept), began) {
		if !j.claim() {
			continue
		}
		if tx == nil {
			var err error
			if tx, err = w.pool.BeginTx(ctx, nil); err != nil {
				j.finish(err)
				return
			}
		}
		err := w.runInSavepoint(ctx, tx, j)
		if lost := (*lostError)(nil); errors.As(err, &lost) {
			_ = tx.Rollback() // It is gone already; this tells database/sql.
			j.finish(lost.cause)
			finishAll(kept, lost.cause)
			return
		}
		if err != nil {
			j.finish(err)
			continue
		}
		kept = append(kept, j)
	}
	if tx != nil {
		finishAll(kept, tx.Commit())
	}
}

// next returns the next job for a group of n, or nil if it is time to commit.
func (w *writer) next(n int, began time.Time) *job {
	if n >= groupSize || time.Since(began) > groupTime {
		return nil
	}
	select {
	case j := <-w.queue: // nil once the queue is closed and empty
		return j
	default:
		return nil
	}
}

func finishAll(jobs []*job, err error) {
	for _, j := range jobs {
		if err != nil {
			// Each gets a value of its own: the name of its operation is in it.
			j.finish(fmt.Errorf("committing: %w", err))
			continue
		}
		j.finish(nil)
	}
}

// lostError says that the whole transaction is gone: SQLite rolls it back by itself when the disk
// fails in the wrong moment.
type lostError struct{ cause error }

func (e *lostError) Error() string { return "the transaction was lost: " + e.cause.Error() }

func (e *lostError) Unwrap() error { return e.cause }

// runInSavepoint runs one job. Its error is the job's own, or a *lostError.
func (w *writer) runInSavepoint(ctx context.Context, tx *sql.Tx, j *job) error {
	if _, err := w.exec(ctx, tx, "SAVEPOINT job"); err != nil {
		return &lostError{err}
	}
	failure := j.call(func() error { return j.shared(tx) })
	if failure != nil {
		if _, err := w.exec(ctx, tx, "ROLLBACK TO job"); err != nil {
			return &lostError{errors.Join(failure, err)}
		}
	}
	if _, err := w.exec(ctx, tx, "RELEASE job"); err != nil {
		return &lostError{errors.Join(failure, err)}
	}
	return failure
}

// exec executes a statement inside a shared job, prepared once for all of them. Texts are kept for
// ever, so they must be constants.
func (w *writer) exec(ctx context.Context, tx *sql.Tx, query string, args ...any) (sql.Result, error) {
	s, err := w.statement(ctx, tx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // The kept statement stays prepared.
	return s.ExecContext(ctx, args...)
}

// statement is exec for statements that return rows. The caller closes it.
func (w *writer) statement(ctx context.Context, tx *sql.Tx, query string) (*sql.Stmt, error) {
	if s, ok := w.statements[query]; ok {
		return tx.StmtContext(ctx, s), nil
	}
	w.missed = append(w.missed, query)
	return tx.PrepareContext(ctx, query)
}

// prepareMissed keeps the statements that the last group had to prepare for itself.
func (w *writer) prepareMissed() {
	for _, query := range w.missed {
		if _, ok := w.statements[query]; ok {
			continue
		}
		// A text that cannot be prepared has told its caller so.
		if s, err := w.pool.PrepareContext(context.Background(), query); err == nil { //nolint:sqlclosecheck // close does.
			w.statements[query] = s
		}
	}
	w.missed = w.missed[:0]
}
