package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// push puts a feed's events of a run into the outbox, one delivery for each subscription.
func (db *DB) push(ctx context.Context, tx *sql.Tx, s triggers.Settlement, feedID string, first, last int64) error {
	ids, err := db.subscribers(ctx, tx, "SELECT id FROM subscriptions WHERE feed_id = ? AND state != 'ended' AND test_until IS NULL", feedID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := db.writer.exec(ctx, tx, `
			INSERT INTO deliveries (id, subscription_id, kind, watch_id, run_id, feed_id, first_event, last_event, state, created_at)
			VALUES (?, ?, 'events', ?, ?, ?, ?, ?, 'pending', ?) ON CONFLICT DO NOTHING`,
			triggers.DeliveryID(id, s.Report.Run.ID+feedID), id, s.Claim.ID, s.Report.Run.ID, feedID, first, last, s.At.UnixMilli()); err != nil {
			return err
		}
		if err := db.wakeSubscription(ctx, tx, id, s.At); err != nil {
			return err
		}
	}
	return nil
}

// tellPaused puts the reason of a pause into the outbox of every subscription of the watch that has
// not been told of it.
func (db *DB) tellPaused(ctx context.Context, tx *sql.Tx, s triggers.Settlement) error {
	ids, err := db.subscribers(ctx, tx, "SELECT id FROM subscriptions WHERE watch_id = ? AND state != 'ended' AND test_until IS NULL AND told != ?", s.Claim.ID, string(s.Failure.Code))
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := db.writer.exec(ctx, tx, `
			INSERT INTO deliveries (id, subscription_id, kind, watch_id, run_id, feed_id, body, state, created_at)
			SELECT ?, id, 'paused', watch_id, '', feed_id, ?, 'pending', ? FROM subscriptions WHERE id = ? ON CONFLICT DO NOTHING`,
			triggers.DeliveryID(id, fmt.Sprintf("paused %s %d %d %s", s.Claim.ID, s.Claim.Lease, s.At.UnixMilli(), s.Failure.Code)), s.Failure.Encode(), s.At.UnixMilli(), id); err != nil {
			return err
		}
		if _, err := db.writer.exec(ctx, tx, "UPDATE subscriptions SET told = ? WHERE id = ?", string(s.Failure.Code), id); err != nil {
			return err
		}
		if err := db.wakeSubscription(ctx, tx, id, s.At); err != nil {
			return err
		}
	}
	return nil
}

// endPause takes back what has not been told yet of a pause that is over: it would be told of a
// watch that works.
func (db *DB) endPause(ctx context.Context, tx *sql.Tx, watchID string) error {
	if _, err := db.writer.exec(ctx, tx, `UPDATE deliveries SET state = 'dropped' WHERE state = 'pending' AND kind = 'paused'
		AND subscription_id IN (SELECT id FROM subscriptions WHERE watch_id = ? AND state != 'ended')`, watchID); err != nil {
		return err
	}
	_, err := db.writer.exec(ctx, tx, "UPDATE subscriptions SET told = '' WHERE watch_id = ? AND state != 'ended' AND told != ''", watchID)
	return err
}

// misdatedAfter is how far ahead of the clock an attempt is dated that was dated by a clock that has
// been set back. Such an attempt is due: how long it was to wait is over, or nobody knows. Clocks that
// are kept right step back by less.
const misdatedAfter = time.Minute

// DueDeliveries returns the heads of the queues that are due: see delivery.Store.
func (db *DB) DueDeliveries(ctx context.Context, now time.Time, room delivery.Room) (due []triggers.DueDelivery, next time.Time, err error) {
	var broken []string
	err = db.read(ctx, "find due deliveries", func(ctx context.Context, tx *sql.Tx) error {
		due, next, broken = nil, time.Time{}, nil
		ids, err := turns(ctx, tx, now, room)
		if err != nil {
			return err
		}
		due, broken, err = readable(ctx, db, ids, func(id string) (triggers.DueDelivery, error) { return db.head(ctx, tx, id, now) })
		if err != nil {
			return err
		}
		if len(ids) < room.Limit {
			next, err = nextTurn(ctx, tx, now, room)
		}
		return err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("finding due deliveries: %w", err)
	}
	db.postpone(ctx, "subscriptions", broken, now)
	return due, next, nil
}

// mayTry is what a subscription has to be for an attempt, of a room's lists ?1 to ?4. A paused
// subscription whose waiting deliveries were dropped as too old keeps its time; it is passed over
// until it has a delivery again.
const mayTry = `id NOT IN (SELECT value FROM json_each(?1)) AND connection_id NOT IN (SELECT value FROM json_each(?2))
	AND host NOT IN (SELECT value FROM json_each(?3))
	AND (connection_id, host) NOT IN (SELECT value ->> 'Connection', value ->> 'Host' FROM json_each(?4))
	AND EXISTS (SELECT 1 FROM deliveries WHERE subscription_id = subscriptions.id AND state = 'pending')`

// lists are the parameters of mayTry.
func lists(room delivery.Room) []any {
	pairs, _ := json.Marshal(append([]delivery.Pair{}, room.Pairs...)) // strings always encode
	return []any{jsonList(room.Busy), jsonList(room.Connections), jsonList(room.Hosts), string(pairs)}
}

// turns returns the subscriptions whose attempts are due: a few of each connection that has any, the
// connections in the order of their longest wait.
func turns(ctx context.Context, tx *sql.Tx, now time.Time, room delivery.Room) ([]string, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id FROM subscriptions WHERE dated_at > ?5 AND next_attempt_at > ?6 AND "+mayTry+" ORDER BY dated_at LIMIT ?7",
		append(lists(room), now.Add(misdatedAfter).UnixMilli(), now.UnixMilli(), room.Limit)...)
	if err != nil {
		return nil, err
	}
	misdated, err := collect(rows, scanID)
	if err != nil {
		return nil, err
	}
	rows, err = tx.QueryContext(ctx, `
		SELECT s.id FROM connections c CROSS JOIN subscriptions s ON s.id IN (
			SELECT id FROM subscriptions WHERE connection_id = c.id AND next_attempt_at <= ?5 AND `+mayTry+` ORDER BY next_attempt_at LIMIT ?6)
		WHERE c.next_attempt_at <= ?5 AND c.id NOT IN (SELECT value FROM json_each(?2))
		ORDER BY c.next_attempt_at, s.next_attempt_at LIMIT ?7`,
		append(lists(room), now.UnixMilli(), room.Each, room.Limit-len(misdated))...)
	if err != nil {
		return nil, err
	}
	due, err := collect(rows, scanID)
	return append(misdated, due...), err
}

// nextTurn returns when the next attempt will be due that is not due at now; zero if there is none.
func nextTurn(ctx context.Context, tx *sql.Tx, now time.Time, room delivery.Room) (time.Time, error) {
	var at int64
	err := tx.QueryRowContext(ctx, "SELECT next_attempt_at FROM subscriptions WHERE next_attempt_at > ?5 AND "+mayTry+" ORDER BY next_attempt_at LIMIT 1",
		append(lists(room), now.UnixMilli())...).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return moment(at), err
}

// head reads the oldest waiting delivery of a subscription, with everything to make an attempt.
func (db *DB) head(ctx context.Context, tx *sql.Tx, id string, now time.Time) (d triggers.DueDelivery, err error) {
	var target, key, previous []byte
	var until, failing, created int64
	var first, last sql.NullInt64
	var body sql.NullString
	var feed string
	sub, err := scanSubscription(tx.QueryRowContext(ctx, "SELECT "+subscriptionColumns+`, s.generation, s.target, c.key, c.previous_key, coalesce(c.previous_until, 0),
		d.id, d.kind, d.watch_id, d.run_id, d.feed_id, d.first_event, d.last_event, d.body, d.attempts, d.failures, coalesce(d.failing_since, 0), d.created_at
		FROM subscriptions s JOIN connections c ON c.id = s.connection_id
		JOIN deliveries d ON d.seq = (SELECT seq FROM deliveries WHERE subscription_id = s.id AND state = 'pending' ORDER BY seq LIMIT 1)
		WHERE s.id = ?`, id).Scan, &d.Generation, &target, &key, &previous, &until,
		&d.Delivery.ID, &d.Delivery.Kind, &d.Delivery.WatchID, &d.Delivery.RunID, &feed, &first, &last, &body, &d.Delivery.Attempts, &d.Delivery.Failures, &failing, &created)
	if err != nil {
		return d, err
	}
	d.Subscription = sub
	d.Delivery.FailingSince, d.Delivery.CreatedAt = moment(failing), moment(created)
	if until <= now.UnixMilli() {
		previous = nil
	}
	if err := db.openSecrets(&d, target, key, previous); err != nil {
		return d, ofRow("subscriptions", id, err)
	}
	switch {
	case d.Delivery.Kind == triggers.DeliverPaused:
		d.Delivery.Failure = triggers.DecodeFailure(body.String)
	case body.Valid:
		err = ofRow("deliveries", d.Delivery.ID, json.Unmarshal([]byte(body.String), &d.Delivery.Events))
	default:
		d.Delivery.Events, err = readBodies(ctx, tx, feed, first.Int64, last.Int64)
	}
	return d, err
}

// openSecrets opens what an attempt needs of the secrets. A previous key is nil once its time is over.
func (db *DB) openSecrets(d *triggers.DueDelivery, target, key, previous []byte) error {
	plain, err := db.vault.Open(target, targetColumn.place(d.ID))
	if err != nil {
		return err
	}
	d.Target = string(plain)
	if d.Key, err = db.openKey(keyColumn, d.ConnectionID, key); err != nil {
		return err
	}
	d.PreviousKey, err = db.openKey(previousKeyColumn, d.ConnectionID, previous)
	return err
}

func readBodies(ctx context.Context, tx *sql.Tx, feed string, first, last int64) ([]json.RawMessage, error) {
	rows, err := tx.QueryContext(ctx, "SELECT body FROM events WHERE feed_id = ? AND seq BETWEEN ? AND ? ORDER BY seq", feed, first, last)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanBody)
}

// SettleAttempt keeps what became of an attempt: see delivery.Store.
func (db *DB) SettleAttempt(ctx context.Context, a triggers.Attempt) error {
	err := db.write(ctx, "settle attempt", func(ctx context.Context, tx *sql.Tx) error {
		id := a.Delivery.ID
		var current bool
		err := tx.QueryRowContext(ctx, "SELECT generation = ? FROM subscriptions WHERE id = ?", a.Delivery.Generation, id).Scan(&current)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := db.keepAttempt(ctx, tx, a, current); err != nil {
			return err
		}
		if current && a.State == triggers.Ended {
			if err := db.endSubscription(ctx, tx, id, a.At); err != nil {
				return err
			}
		}
		// Somebody may have ended the subscription while the attempt was on its way, or subscribed
		// again: it stays so.
		_, err = db.writer.exec(ctx, tx, `
			UPDATE subscriptions SET last_at = ?2, last_status = ?3, last_attempts = ?4,
				state = CASE WHEN state = 'ended' OR NOT ?9 THEN state ELSE ?5 END,
				reason = CASE WHEN state = 'ended' OR NOT ?9 THEN reason ELSE ?6 END,
				next_attempt_at = CASE WHEN state = 'ended' THEN NULL WHEN ?7 THEN
					CASE WHEN EXISTS (SELECT 1 FROM deliveries WHERE subscription_id = ?1 AND state = 'pending') THEN ?2 END
				WHEN NOT ?9 THEN next_attempt_at ELSE ?8 END,
				dated_at = CASE WHEN ?7 OR ?9 THEN ?2 ELSE dated_at END
			WHERE id = ?1`,
			id, a.At.UnixMilli(), a.Status, a.Attempts, string(a.State), a.Reason, a.Delivered, millis(a.NextAt), current)
		return err
	})
	if err != nil {
		return fmt.Errorf("settling an attempt: %w", err)
	}
	return nil
}

// keepAttempt writes what became of a delivery. Its row of failures is that of the latest subscribe
// call, which an older attempt adds nothing to.
func (db *DB) keepAttempt(ctx context.Context, tx *sql.Tx, a triggers.Attempt, current bool) error {
	id, state := a.Delivery.Delivery.ID, "pending"
	if a.Delivered {
		state = "delivered"
	}
	if _, err := db.writer.exec(ctx, tx, `INSERT INTO attempts (delivery_id, number, at, duration, outcome) SELECT ?1, ?2, ?3, ?4, ?5
		WHERE EXISTS (SELECT 1 FROM deliveries WHERE id = ?1) ON CONFLICT DO NOTHING`,
		id, a.Attempts, a.At.UnixMilli(), a.Took.Milliseconds(), a.Outcome); err != nil {
		return err
	}
	_, err := db.writer.exec(ctx, tx, `
		UPDATE deliveries SET state = ?2, attempts = ?3, failures = CASE WHEN ?6 THEN ?4 ELSE failures END,
			failing_since = CASE WHEN ?6 THEN ?5 ELSE failing_since END
		WHERE id = ?1 AND state = 'pending'`,
		id, state, a.Attempts, a.Failures, millis(a.FailingSince), current)
	return err
}
