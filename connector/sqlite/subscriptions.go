package sqlite

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

var (
	targetColumn = sealedColumn{table: "subscriptions", id: "id", column: "target"}
	tokenColumn  = sealedColumn{table: "subscriptions", id: "id", column: "token"}
)

// subscriptionColumns are the columns that scanSubscription reads, of a table called s.
const subscriptionColumns = `s.id, s.connection_id, s.platform, s.watch_id, s.feed_id, s.trigger, s.host, s.state, s.reason,
	coalesce(s.test_until, 0), s.created_at, s.last_at, s.last_status, s.last_attempts,
	(SELECT count(*) FROM deliveries WHERE subscription_id = s.id AND state = 'pending')`

func scanSubscription(scan func(...any) error, more ...any) (triggers.Subscription, error) {
	var s triggers.Subscription
	var until, created int64
	var at, status, attempts sql.NullInt64
	err := scan(append([]any{
		&s.ID, &s.ConnectionID, &s.Platform, &s.WatchID, &s.FeedID, &s.Trigger, &s.Host, &s.State, &s.Reason,
		&until, &created, &at, &status, &attempts, &s.Undelivered,
	}, more...)...)
	s.TestUntil, s.CreatedAt = moment(until), moment(created)
	if at.Valid {
		s.Last = &triggers.LastDelivery{At: moment(at.Int64), Status: int(status.Int64), Attempts: int(attempts.Int64)}
	}
	return s, err
}

func (db *DB) targetHash(target string) []byte {
	hash := db.vault.Lookup("target", target)
	return hash[:]
}

// Subscribe makes the subscription of (key, platform, target), or gives the one that there is a
// new input, and resumes it if it was paused.
func (db *DB) Subscribe(ctx context.Context, s triggers.Subscribing) (out triggers.Subscribed, err error) {
	err = db.write(ctx, "subscribe", func(ctx context.Context, tx *sql.Tx) error {
		opened, err := db.openFeed(ctx, tx, s.Opening)
		if err != nil {
			return err
		}
		connection, err := findConnection(ctx, tx, db.keyHash(s.Key))
		if err != nil {
			return err
		}
		out, err = db.subscribe(ctx, tx, connection, s, opened.Watch.ID, opened.Feed.ID, time.Time{})
		out.Watch = opened.Watch
		return err
	})
	if err != nil {
		return triggers.Subscribed{}, fmt.Errorf("subscribing: %w", err)
	}
	return out, nil
}

// maxTests is how many test subscriptions a connection may have at a time. They are free, and each
// has the outbox wait for its receiver.
const maxTests = 20

// SubscribeTest makes a subscription for one delivery of the newest events, or of the sample. Asked
// for again, the delivery takes the place of the one that waits. It fails with
// triggers.ErrTooManyTests.
func (db *DB) SubscribeTest(ctx context.Context, t triggers.Testing) (out triggers.Subscribed, err error) {
	err = db.write(ctx, "subscribe for a test", func(ctx context.Context, tx *sql.Tx) error {
		connection, err := db.makeConnection(ctx, tx, t.Key, t.Now)
		if err != nil {
			return err
		}
		watchID, events := triggers.WatchID(connection, t.AccountID, t.Research, t.Schedule), t.Sample
		w, err := findTuple(ctx, tx, connection, t.Opening)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil {
			watchID = w.ID
		}
		feedID := triggers.FeedID(watchID, t.Trigger.Key, string(t.Parameters))
		newest, err := readNewest(ctx, tx, feedID, len(t.Sample))
		if err != nil {
			return err
		}
		if len(newest) > 0 {
			events = newest
		}
		if out, err = db.subscribe(ctx, tx, connection, t.Subscribing, watchID, feedID, t.Until); err != nil {
			return err
		}
		if err := db.boundTests(ctx, tx, connection, t.Now); err != nil {
			return err
		}
		out.Watch = w
		out.Watch.ID = watchID
		body, err := json.Marshal(events)
		if err != nil {
			return err
		}
		if _, err := db.writer.exec(ctx, tx, "UPDATE deliveries SET state = 'dropped' WHERE subscription_id = ? AND kind = 'test' AND state = 'pending'", out.ID); err != nil {
			return err
		}
		if _, err := db.writer.exec(ctx, tx, `
			INSERT INTO deliveries (id, subscription_id, kind, watch_id, run_id, feed_id, body, state, created_at)
			VALUES (?, ?, 'test', ?, '', ?, ?, 'pending', ?)`,
			triggers.DeliveryID(out.ID, "test "+triggers.Nonce(10)), out.ID, watchID, feedID, string(body), t.Now.UnixMilli()); err != nil {
			return err
		}
		if err := db.wakeSubscription(ctx, tx, out.ID, t.Now); err != nil {
			return err
		}
		out.Subscription, err = readSubscription(ctx, tx, out.ID)
		return err
	})
	if errors.Is(err, triggers.ErrTooManyTests) {
		return triggers.Subscribed{}, triggers.ErrTooManyTests
	}
	if err != nil {
		return triggers.Subscribed{}, fmt.Errorf("subscribing for a test: %w", err)
	}
	return out, nil
}

// boundTests refuses a connection more test subscriptions than it may have.
func (db *DB) boundTests(ctx context.Context, tx *sql.Tx, connection string, now time.Time) error {
	var live int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM subscriptions WHERE connection_id = ? AND test_until > ? AND state != 'ended'",
		connection, now.UnixMilli()).Scan(&live)
	if err == nil && live > maxTests {
		return triggers.ErrTooManyTests
	}
	return err
}

// readNewest returns the newest events of a feed, oldest first.
func readNewest(ctx context.Context, tx *sql.Tx, feed string, limit int) ([]json.RawMessage, error) {
	rows, err := tx.QueryContext(ctx, "SELECT body FROM (SELECT seq, body FROM events WHERE feed_id = ? ORDER BY seq DESC LIMIT ?) ORDER BY seq", feed, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanBody)
}

// subscribe writes the row of a subscription.
func (db *DB) subscribe(ctx context.Context, tx *sql.Tx, connection string, s triggers.Subscribing, watchID, feedID string, until time.Time) (out triggers.Subscribed, err error) {
	hash := db.targetHash(s.Target)
	var id, state string
	var lasting bool
	var sealed []byte
	err = tx.QueryRowContext(ctx, "SELECT id, state, test_until IS NULL, token FROM subscriptions WHERE connection_id = ? AND platform = ? AND target_hash = ?",
		connection, s.Platform, hash).Scan(&id, &state, &lasting, &sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		out.New = true
		if id, out.Token, err = db.insertSubscription(ctx, tx, connection, s, watchID, feedID, hash, until); err != nil {
			return out, err
		}
	case err != nil:
		return out, err
	default:
		token, err := db.vault.Open(sealed, tokenColumn.place(id))
		if err != nil {
			return out, err
		}
		out.Token, out.New = string(token), state == string(triggers.Ended)
		// A test on the target of a lasting subscription is one delivery more; it ends nothing.
		if out.New || !lasting || until.IsZero() {
			if err := db.replaceInput(ctx, tx, id, s, watchID, feedID, until); err != nil {
				return out, err
			}
		}
		if err := db.resume(ctx, tx, id, s.Now); err != nil {
			return out, err
		}
	}
	out.Subscription, err = readSubscription(ctx, tx, id)
	return out, err
}

func readSubscription(ctx context.Context, tx *sql.Tx, id string) (triggers.Subscription, error) {
	return scanSubscription(tx.QueryRowContext(ctx, "SELECT "+subscriptionColumns+" FROM subscriptions s WHERE s.id = ?", id).Scan)
}

func (db *DB) insertSubscription(ctx context.Context, tx *sql.Tx, connection string, s triggers.Subscribing, watchID, feedID string, hash []byte, until time.Time) (id, token string, err error) {
	id, token = "sub_"+triggers.Nonce(15), "unsub_"+triggers.Nonce(20)
	target, err := db.vault.Seal([]byte(s.Target), targetColumn.place(id))
	if err != nil {
		return "", "", err
	}
	sealedToken, err := db.vault.Seal([]byte(token), tokenColumn.place(id))
	if err != nil {
		return "", "", err
	}
	_, err = db.writer.exec(ctx, tx, `
		INSERT INTO subscriptions (id, connection_id, platform, watch_id, feed_id, trigger, target, target_hash, host, token, state, test_until, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?)`,
		id, connection, s.Platform, watchID, feedID, s.Trigger.Key, target, hash, s.Host, sealedToken, millis(until), s.Now.UnixMilli())
	return id, token, err
}

// replaceInput gives a subscription that there is a new input. What waits to be told of the pause of
// another watch is nobody's affair any more.
func (db *DB) replaceInput(ctx context.Context, tx *sql.Tx, id string, s triggers.Subscribing, watchID, feedID string, until time.Time) error {
	if _, err := db.writer.exec(ctx, tx, `UPDATE deliveries SET state = 'dropped'
		WHERE subscription_id = ? AND state = 'pending' AND kind = 'paused' AND watch_id != ?`, id, watchID); err != nil {
		return err
	}
	_, err := db.writer.exec(ctx, tx, `UPDATE subscriptions SET watch_id = ?1, feed_id = ?2, trigger = ?3, test_until = ?4,
			told = CASE WHEN watch_id = ?1 AND state != 'ended' THEN told ELSE '' END WHERE id = ?5`,
		watchID, feedID, s.Trigger.Key, millis(until), id)
	return err
}

// resume starts what waits at once: whoever subscribes again says that the target is there. What an
// attempt that is under way says of it is older.
func (db *DB) resume(ctx context.Context, tx *sql.Tx, id string, now time.Time) error {
	if _, err := db.writer.exec(ctx, tx, "UPDATE deliveries SET failures = 0, failing_since = NULL WHERE subscription_id = ? AND state = 'pending'", id); err != nil {
		return err
	}
	_, err := db.writer.exec(ctx, tx, `
		UPDATE subscriptions SET state = 'active', reason = '', ended_at = NULL, generation = generation + 1, dated_at = ?2,
			next_attempt_at = CASE WHEN EXISTS (SELECT 1 FROM deliveries WHERE subscription_id = ?1 AND state = 'pending') THEN ?2 END
		WHERE id = ?1`, id, now.UnixMilli())
	return err
}

// FindSubscription returns a subscription of the key by its id, with its watch; a test
// subscription may have no watch. It fails with triggers.ErrNoSubscription.
func (db *DB) FindSubscription(ctx context.Context, key soke.Key, platform, id string) (triggers.Subscription, triggers.Watch, error) {
	return db.findSubscription(ctx, key, "s.platform = ? AND s.id = ?", platform, id)
}

// FindTarget returns the subscription of the key with a target that has not ended.
func (db *DB) FindTarget(ctx context.Context, key soke.Key, platform, target string) (triggers.Subscription, triggers.Watch, error) {
	return db.findSubscription(ctx, key, "s.platform = ? AND s.target_hash = ? AND s.state != 'ended'", platform, db.targetHash(target))
}

func (db *DB) findSubscription(ctx context.Context, key soke.Key, condition string, args ...any) (s triggers.Subscription, w triggers.Watch, err error) {
	err = db.read(ctx, "find subscription", func(ctx context.Context, tx *sql.Tx) error {
		var err error
		s, err = scanSubscription(tx.QueryRowContext(ctx, "SELECT "+subscriptionColumns+` FROM subscriptions s
			JOIN connections c ON c.id = s.connection_id WHERE c.key_hash = ? AND `+condition, append([]any{db.keyHash(key)}, args...)...).Scan)
		if err != nil {
			return err
		}
		w, err = watchByID(ctx, tx, s.WatchID)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return s, w, triggers.ErrNoSubscription
	}
	return s, w, err
}

// EndSubscription ends a subscription of the key, or the one that the token belongs to. What was
// not delivered is dropped. It fails with ErrNoSubscription if the subscription is somebody
// else's or another platform's; ending one that is gone is no failure.
func (db *DB) EndSubscription(ctx context.Context, key soke.Key, token, platform, id string, now time.Time) error {
	err := db.write(ctx, "unsubscribe", func(ctx context.Context, tx *sql.Tx) error {
		var hash, sealed []byte
		var of string
		err := tx.QueryRowContext(ctx, `SELECT c.key_hash, s.token, s.platform FROM subscriptions s JOIN connections c ON c.id = s.connection_id
			WHERE s.id = ?`, id).Scan(&hash, &sealed, &of)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		owns := !key.IsZero() && subtle.ConstantTimeCompare(hash, db.keyHash(key)) == 1
		if !owns && token != "" {
			plain, err := db.vault.Open(sealed, tokenColumn.place(id))
			if err != nil {
				return err
			}
			owns = subtle.ConstantTimeCompare(plain, []byte(token)) == 1
		}
		if !owns || of != platform {
			return triggers.ErrNoSubscription
		}
		return db.endSubscription(ctx, tx, id, now)
	})
	if errors.Is(err, triggers.ErrNoSubscription) {
		return triggers.ErrNoSubscription
	}
	return err
}

func (db *DB) endSubscription(ctx context.Context, tx *sql.Tx, id string, now time.Time) error {
	if _, err := db.writer.exec(ctx, tx, "UPDATE deliveries SET state = 'dropped' WHERE subscription_id = ? AND state = 'pending'", id); err != nil {
		return err
	}
	_, err := db.writer.exec(ctx, tx, `UPDATE subscriptions SET state = 'ended', next_attempt_at = NULL, ended_at = coalesce(ended_at, ?) WHERE id = ?`, now.UnixMilli(), id)
	return err
}

// wakeSubscription makes an attempt due, unless one is planned or the target has to come back first.
func (db *DB) wakeSubscription(ctx context.Context, tx *sql.Tx, id string, now time.Time) error {
	_, err := db.writer.exec(ctx, tx, "UPDATE subscriptions SET next_attempt_at = ?1, dated_at = ?1 WHERE id = ?2 AND state = 'active' AND next_attempt_at IS NULL", now.UnixMilli(), id)
	return err
}

func (db *DB) subscribers(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	statement, err := db.writer.statement(ctx, tx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = statement.Close() }()
	rows, err := statement.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanID)
}
