package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Retention says how long what is over is kept.
type Retention struct {
	Events   time.Duration // events and the deliveries of them, delivered or not
	Runs     time.Duration // runs and occurrences
	Attempts time.Duration
}

const (
	// callbackLife is how long a callback that is done, or cannot be posted, is kept.
	callbackLife = 30 * 24 * time.Hour
	// forgottenAfter is when a watch that nobody wants is deleted, with what it knows. One that
	// never found anything goes sooner.
	forgottenAfter      = 180 * 24 * time.Hour
	emptyForgottenAfter = 72 * time.Hour
)

// Prune deletes a small batch of everything that is older than its retention, and reports whether
// there may be more. Call it until there is none.
func (db *DB) Prune(ctx context.Context, keep Retention, now time.Time, limit int) (more bool, err error) {
	events, runs := now.Add(-keep.Events).UnixMilli(), now.Add(-keep.Runs).UnixMilli()
	for _, step := range []struct {
		name, query string
		args        []any
	}{
		{"attempts", `DELETE FROM attempts WHERE (delivery_id, number) IN
			(SELECT delivery_id, number FROM attempts WHERE at < ? ORDER BY at LIMIT ?)`, []any{now.Add(-keep.Attempts).UnixMilli(), limit}},
		{"late deliveries", `UPDATE deliveries SET state = 'dropped' WHERE seq IN
			(SELECT seq FROM deliveries INDEXED BY deliveries_pending WHERE state = 'pending' AND created_at < ? LIMIT ?)`, []any{events, limit}},
		{"deliveries", `DELETE FROM deliveries WHERE seq IN
			(SELECT seq FROM deliveries WHERE state != 'pending' AND created_at < ? ORDER BY created_at LIMIT ?)`, []any{events, limit}},
		// Places rise with time, so the oldest events come first.
		{"events", `DELETE FROM events WHERE seq IN
			(SELECT seq FROM (SELECT seq, occurred_at FROM events ORDER BY seq LIMIT ?2) WHERE occurred_at < ?1)`, []any{events, limit}},
		{"runs", `DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE at < ? ORDER BY at LIMIT ?)`, []any{runs, limit}},
		{"occurrences", `DELETE FROM occurrences WHERE (watch_id, due_at, outcome) IN
			(SELECT watch_id, due_at, outcome FROM occurrences WHERE at < ? ORDER BY at LIMIT ?)`, []any{runs, limit}},
		{"tests", `UPDATE subscriptions SET state = 'ended', next_attempt_at = NULL, ended_at = ?1 WHERE id IN
			(SELECT id FROM subscriptions WHERE test_until < ?1 AND state != 'ended' LIMIT ?2)`, []any{now.UnixMilli(), limit}},
		{"subscriptions", `DELETE FROM subscriptions WHERE id IN
			(SELECT id FROM subscriptions WHERE state = 'ended' AND ended_at < ? LIMIT ?)`, []any{events, limit}},
		{"callbacks", `DELETE FROM callbacks WHERE id IN (SELECT id FROM callbacks WHERE created_at < ? ORDER BY created_at LIMIT ?)`,
			[]any{now.Add(-callbackLife).UnixMilli(), limit}},
		{"watches", `DELETE FROM watches WHERE id IN (SELECT id FROM watches w WHERE state = 'asleep' AND claimed = 0
			AND polled_at < CASE WHEN runs = 0 THEN ?1 ELSE ?2 END
			AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.watch_id = w.id AND s.state != 'ended') LIMIT ?3)`,
			[]any{now.Add(-emptyForgottenAfter).UnixMilli(), now.Add(-forgottenAfter).UnixMilli(), limit}},
		{"connections", `DELETE FROM connections WHERE id IN (SELECT id FROM connections c WHERE created_at < ?
			AND NOT EXISTS (SELECT 1 FROM watches WHERE connection_id = c.id)
			AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE connection_id = c.id) LIMIT ?)`, []any{now.Add(-24 * time.Hour).UnixMilli(), limit}},
	} {
		var n int64
		err := db.write(ctx, "prune "+step.name, func(ctx context.Context, tx *sql.Tx) error {
			result, err := db.writer.exec(ctx, tx, step.query, step.args...)
			if err != nil {
				return err
			}
			n, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return false, fmt.Errorf("pruning %s: %w", step.name, err)
		}
		more = more || n >= int64(limit)
	}
	return more, nil
}

// Backlog is what waits.
type Backlog struct {
	// OldestDue is since when the watch waits that has waited longest; zero if none is due.
	OldestDue time.Time
	// Pending counts deliveries that wait; OldestPending is when the oldest of them was made.
	Pending       int
	OldestPending time.Time
	// Callbacks counts those that are not done.
	Callbacks int
}

// Backlog returns what waits at now.
func (db *DB) Backlog(ctx context.Context, now time.Time) (b Backlog, err error) {
	if b.OldestDue, err = db.OldestDue(ctx, now); err != nil {
		return Backlog{}, err
	}
	err = db.read(ctx, "measure the backlog", func(ctx context.Context, tx *sql.Tx) error {
		var oldest int64
		if err := tx.QueryRowContext(ctx, "SELECT count(*), coalesce(min(created_at), 0) FROM deliveries WHERE state = 'pending'").Scan(&b.Pending, &oldest); err != nil {
			return err
		}
		b.OldestPending = moment(oldest)
		return tx.QueryRowContext(ctx, "SELECT count(*) FROM callbacks WHERE next_attempt_at IS NOT NULL").Scan(&b.Callbacks)
	})
	return b, err
}

// OldestDue returns since when the watch waits that has waited longest; zero if none is due.
func (db *DB) OldestDue(ctx context.Context, now time.Time) (time.Time, error) {
	next, err := db.nextDue(ctx, "[]")
	if err != nil || next.After(now) {
		return time.Time{}, err
	}
	return next, nil
}
