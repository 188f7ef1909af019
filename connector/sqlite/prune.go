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
	// callbackLife is how long a callback that cannot be posted is kept.
	callbackLife = 30 * 24 * time.Hour
	// forgottenAfter is when a watch that nobody wants is deleted, with what it knows. One that
	// never found anything goes sooner.
	forgottenAfter      = 180 * 24 * time.Hour
	emptyForgottenAfter = 72 * time.Hour
)

// pruning is one step of Prune: change is what becomes of the rows that find finds, at most limit
// of them.
type pruning struct {
	name, change, find string
	args               []any
}

func (keep Retention) prunings(now time.Time, limit int) []pruning {
	before := func(age time.Duration) int64 { return now.Add(-age).UnixMilli() }
	return []pruning{
		{"attempts", "DELETE FROM attempts WHERE (delivery_id, number) IN",
			"SELECT delivery_id, number FROM attempts WHERE at < ?1 ORDER BY at LIMIT ?2", []any{before(keep.Attempts), limit}},
		{"late deliveries", "UPDATE deliveries SET state = 'dropped' WHERE seq IN",
			"SELECT seq FROM deliveries INDEXED BY deliveries_pending WHERE state = 'pending' AND created_at < ?1 LIMIT ?2", []any{before(keep.Events), limit}},
		{"deliveries", "DELETE FROM deliveries WHERE seq IN",
			"SELECT seq FROM deliveries WHERE state != 'pending' AND created_at < ?1 ORDER BY created_at LIMIT ?2", []any{before(keep.Events), limit}},
		// Places rise with time, so the oldest events come first.
		{"events", "DELETE FROM events WHERE seq IN",
			"SELECT seq FROM (SELECT seq, occurred_at FROM events ORDER BY seq LIMIT ?2) WHERE occurred_at < ?1", []any{before(keep.Events), limit}},
		{"runs", "DELETE FROM runs WHERE id IN",
			"SELECT id FROM runs WHERE at < ?1 ORDER BY at LIMIT ?2", []any{before(keep.Runs), limit}},
		{"occurrences", "DELETE FROM occurrences WHERE (watch_id, due_at, outcome) IN",
			"SELECT watch_id, due_at, outcome FROM occurrences WHERE at < ?1 ORDER BY at LIMIT ?2", []any{before(keep.Runs), limit}},
		{"deliveries of tests", "UPDATE deliveries SET state = 'dropped' WHERE seq IN",
			`SELECT d.seq FROM subscriptions s CROSS JOIN deliveries d ON d.subscription_id = s.id AND d.state = 'pending'
			WHERE s.test_until < ?1 AND s.state != 'ended' LIMIT ?2`, []any{now.UnixMilli(), limit}},
		{"tests", "UPDATE subscriptions SET state = 'ended', next_attempt_at = NULL, ended_at = ?1 WHERE id IN",
			"SELECT id FROM subscriptions WHERE test_until < ?1 AND state != 'ended' AND NOT EXISTS (SELECT 1 FROM deliveries WHERE subscription_id = subscriptions.id AND state = 'pending') LIMIT ?2",
			[]any{now.UnixMilli(), limit}},
		{"subscriptions", "DELETE FROM subscriptions WHERE id IN",
			"SELECT id FROM subscriptions WHERE state = 'ended' AND ended_at < ?1 LIMIT ?2", []any{before(keep.Events), limit}},
		{"callbacks", "DELETE FROM callbacks WHERE id IN",
			"SELECT id FROM callbacks WHERE created_at < ?1 ORDER BY created_at LIMIT ?2", []any{before(callbackLife), limit}},
		{"watches", "DELETE FROM watches WHERE id IN",
			`SELECT id FROM watches w WHERE state = 'asleep' AND claimed = 0
			AND polled_at < ?1 AND (polled_at < ?3 OR runs = 0)
			AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.watch_id = w.id AND s.state != 'ended') LIMIT ?2`,
			[]any{before(emptyForgottenAfter), limit, before(forgottenAfter)}},
		{"previous keys", "UPDATE connections SET previous_key = NULL, previous_until = NULL WHERE id IN",
			"SELECT id FROM connections WHERE previous_until < ?1 LIMIT ?2", []any{now.UnixMilli(), limit}},
		{"connections", "DELETE FROM connections WHERE id IN",
			`SELECT id FROM connections c WHERE next_due_at IS NULL AND created_at < ?1
			AND NOT EXISTS (SELECT 1 FROM watches WHERE connection_id = c.id)
			AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE connection_id = c.id) LIMIT ?2`, []any{before(24 * time.Hour), limit}},
	}
}

// Prune deletes a small batch of everything that is older than its retention, and reports whether
// there may be more. Call it until there is none. The writer is asked only where there is something
// to delete.
func (db *DB) Prune(ctx context.Context, keep Retention, now time.Time, limit int) (more bool, err error) {
	for _, p := range keep.prunings(now, limit) {
		n, err := db.prune(ctx, p)
		if err != nil {
			return false, fmt.Errorf("pruning %s: %w", p.name, err)
		}
		more = more || n >= int64(limit)
	}
	return more, nil
}

func (db *DB) prune(ctx context.Context, p pruning) (n int64, err error) {
	var found bool
	err = db.read(ctx, "look for old "+p.name, func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT EXISTS ("+p.find+")", p.args...).Scan(&found)
	})
	if err != nil || !found {
		return 0, err
	}
	err = db.write(ctx, "prune "+p.name, func(ctx context.Context, tx *sql.Tx) error {
		result, err := db.writer.exec(ctx, tx, p.change+" ("+p.find+")", p.args...)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return n, err
}
