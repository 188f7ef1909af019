package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

// OpenFeed finds or makes a feed, its watch and its connection.
func (db *DB) OpenFeed(ctx context.Context, o triggers.Opening) (triggers.Opened, error) {
	found, fresh, err := db.findFeed(ctx, o)
	if err != nil || fresh {
		return found, err
	}
	var opened triggers.Opened
	err = db.write(ctx, "open feed", func(ctx context.Context, tx *sql.Tx) (err error) {
		opened, err = db.openFeed(ctx, tx, o)
		return err
	})
	if err != nil {
		return triggers.Opened{}, fmt.Errorf("opening a feed: %w", err)
	}
	return opened, nil
}

// noteEvery is how stale the time of a watch's latest poll may be: polls are frequent, and the
// rule that it serves counts in days.
const noteEvery = 10 * time.Minute

// findFeed is OpenFeed as far as reading goes. fresh reports that nothing needs to be written.
func (db *DB) findFeed(ctx context.Context, o triggers.Opening) (found triggers.Opened, fresh bool, err error) {
	err = db.read(ctx, "find feed", func(ctx context.Context, tx *sql.Tx) error {
		connection, err := findConnection(ctx, tx, db.keyHash(o.Key))
		if err != nil {
			return err
		}
		if found.Watch, err = findTuple(ctx, tx, connection, o); err != nil {
			return err
		}
		found.Feed, err = findFeedOf(ctx, tx, found.Watch.ID, o)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, triggers.ErrNoConnection) {
		return found, false, nil
	}
	fresh = found.Watch.State != triggers.Asleep && (!o.Polled || o.Now.Sub(found.Watch.PolledAt) < noteEvery)
	return found, fresh, err
}

func findFeedOf(ctx context.Context, tx *sql.Tx, watchID string, o triggers.Opening) (triggers.Feed, error) {
	f := triggers.Feed{WatchID: watchID, Trigger: o.Trigger.Key, Parameters: o.Parameters}
	err := tx.QueryRowContext(ctx, "SELECT id FROM feeds WHERE watch_id = ? AND trigger = ? AND parameters = ?",
		watchID, f.Trigger, string(f.Parameters)).Scan(&f.ID)
	return f, err
}

// openFeed is OpenFeed inside a write.
func (db *DB) openFeed(ctx context.Context, tx *sql.Tx, o triggers.Opening) (opened triggers.Opened, err error) {
	connection, err := db.makeConnection(ctx, tx, o.Key, o.Now)
	if err != nil {
		return opened, err
	}
	if opened.Watch, opened.Due, err = db.makeWatch(ctx, tx, connection, o); err != nil {
		return opened, err
	}
	opened.Feed, err = findFeedOf(ctx, tx, opened.Watch.ID, o)
	if !errors.Is(err, sql.ErrNoRows) {
		return opened, err
	}
	opened.Feed.ID = triggers.FeedID(opened.Watch.ID, o.Trigger.Key, string(o.Parameters))
	if _, err := db.writer.exec(ctx, tx, "INSERT INTO feeds (id, watch_id, trigger, parameters, created_at) VALUES (?, ?, ?, ?, ?)",
		opened.Feed.ID, opened.Watch.ID, o.Trigger.Key, string(o.Parameters), o.Now.UnixMilli()); err != nil {
		return opened, err
	}
	return opened, db.fillFeed(ctx, tx, o, opened)
}

// fillFeed writes what a new feed begins with.
func (db *DB) fillFeed(ctx context.Context, tx *sql.Tx, o triggers.Opening, opened triggers.Opened) error {
	var latest triggers.Result
	var due, at int64
	var keywords string
	err := tx.QueryRowContext(ctx, "SELECT run_id, due_at, at, keywords FROM results WHERE watch_id = ?", opened.Watch.ID).
		Scan(&latest.RunID, &due, &at, &keywords)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the first run fills it
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(keywords), &latest.Keywords); err != nil {
		return err
	}
	latest.Due, latest.At = moment(due), moment(at)
	events, marks, err := o.Baseline(opened.Watch, opened.Feed, latest)
	if err != nil {
		return err
	}
	_, _, err = db.insertEvents(ctx, tx, triggers.FeedReport{FeedID: opened.Feed.ID, Events: events, Marks: marks})
	return err
}

// insertEvents writes the events and marks of a feed, and returns the places of the first and last
// event; both are 0 if there was none that was not known.
func (db *DB) insertEvents(ctx context.Context, tx *sql.Tx, r triggers.FeedReport) (first, last int64, err error) {
	for _, e := range r.Events {
		result, err := db.writer.exec(ctx, tx, `INSERT INTO events (id, feed_id, occurred_at, baseline, body) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO NOTHING`, e.ID, r.FeedID, e.OccurredAt.UnixMilli(), e.Baseline, string(e.Body))
		if err != nil {
			return 0, 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, 0, err
		}
		if n == 0 {
			continue
		}
		if last, err = result.LastInsertId(); err != nil {
			return 0, 0, err
		}
		if first == 0 {
			first = last
		}
	}
	for fold, score := range r.Marks {
		if _, err := db.writer.exec(ctx, tx, `INSERT INTO marks (feed_id, fold, score) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET score = excluded.score`, r.FeedID, fold, score); err != nil {
			return 0, 0, err
		}
	}
	return first, last, nil
}

// Events returns events of a feed and whether there are more: the newest ones, newest first, or
// what the query asks for.
func (db *DB) Events(ctx context.Context, q triggers.EventQuery) (events []triggers.StoredEvent, more bool, err error) {
	query, args := "SELECT seq, body FROM events WHERE feed_id = ? ORDER BY seq DESC LIMIT ?", []any{q.FeedID, q.Limit + 1}
	switch {
	case q.After != nil:
		query, args = "SELECT seq, body FROM events WHERE feed_id = ? AND seq > ? ORDER BY seq LIMIT ?", []any{q.FeedID, *q.After, q.Limit + 1}
	case !q.Since.IsZero():
		query, args = "SELECT seq, body FROM events WHERE feed_id = ? AND occurred_at >= ? ORDER BY seq LIMIT ?", []any{q.FeedID, q.Since.UnixMilli(), q.Limit + 1}
	}
	err = db.read(ctx, "read events", func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		events, err = collect(rows, func(scan func(...any) error) (e triggers.StoredEvent, err error) {
			var body string
			err = scan(&e.Place, &body)
			e.Body = json.RawMessage(body)
			return e, err
		})
		return err
	})
	if len(events) > q.Limit {
		events, more = events[:q.Limit], true
	}
	return events, more, err
}

// Uses counts the feeds and subscriptions of the key's watch; 0 if there is no such watch.
func (db *DB) Uses(ctx context.Context, key soke.Key, o triggers.Opening) (uses int, err error) {
	err = db.read(ctx, "count uses", func(ctx context.Context, tx *sql.Tx) error {
		connection, err := findConnection(ctx, tx, db.keyHash(key))
		if err != nil {
			return err
		}
		w, err := findTuple(ctx, tx, connection, o)
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `
			SELECT (SELECT count(*) FROM subscriptions WHERE watch_id = ?1 AND state != 'ended' AND test_until IS NULL)
			     + (SELECT count(*) FROM feeds f WHERE watch_id = ?1 AND NOT EXISTS
			        (SELECT 1 FROM subscriptions s WHERE s.feed_id = f.id AND s.state != 'ended'))`, w.ID).Scan(&uses)
	})
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, triggers.ErrNoConnection) {
		return 0, nil
	}
	return uses, err
}
