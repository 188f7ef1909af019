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

// watchColumns are the columns that scanWatch reads, of a table called w.
const watchColumns = `w.id, w.connection_id, w.account_id, w.research, w.schedule, w.timezone, w.state,
	coalesce(w.failure, ''), coalesce(w.due_at, 0), coalesce(w.next_run_at, 0), coalesce(w.last_run_at, 0),
	w.polled_at, w.created_at, w.runs, w.attempts, w.feeds`

// scanWatch reads a watch. A *rowError leaves it without its schedule.
func scanWatch(scan func(...any) error, more ...any) (triggers.Watch, error) {
	var w triggers.Watch
	var research, schedule, timezone, failure string
	var due, next, last, polled, created int64
	err := scan(append([]any{
		&w.ID, &w.ConnectionID, &w.AccountID, &research, &schedule, &timezone, &w.State,
		&failure, &due, &next, &last, &polled, &created, &w.Runs, &w.Attempts, &w.Feeds,
	}, more...)...)
	if err != nil {
		return w, err
	}
	w.Research, w.Failure = json.RawMessage(research), triggers.DecodeFailure(failure)
	w.DueAt, w.NextRunAt, w.LastRunAt = moment(due), moment(next), moment(last)
	w.PolledAt, w.CreatedAt = moment(polled), moment(created)
	w.Schedule, err = triggers.ParseSchedule(schedule, timezone)
	return w, ofRow("watches", w.ID, err)
}

// moment is a time in Unix milliseconds; 0 is none.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// millis is the inverse of moment; no time is NULL.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// FindWatch returns a watch, or triggers.ErrNoWatch.
func (db *DB) FindWatch(ctx context.Context, id string) (w triggers.Watch, err error) {
	err = db.read(ctx, "find watch", func(ctx context.Context, tx *sql.Tx) error {
		w, err = watchByID(ctx, tx, id)
		return err
	})
	return w, noWatch(err)
}

// watchByID returns a watch, or sql.ErrNoRows.
func watchByID(ctx context.Context, tx *sql.Tx, id string) (triggers.Watch, error) {
	return scanWatch(tx.QueryRowContext(ctx, "SELECT "+watchColumns+" FROM watches w WHERE w.id = ?", id).Scan)
}

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

func findTuple(ctx context.Context, tx *sql.Tx, connection string, o triggers.Opening) (triggers.Watch, error) {
	return scanWatch(tx.QueryRowContext(ctx, "SELECT "+watchColumns+` FROM watches w
		WHERE connection_id = ? AND account_id = ? AND research = ? AND schedule = ? AND timezone = ?`,
		connection, o.AccountID, string(o.Research), o.Schedule.Expression(), o.Schedule.Timezone()).Scan)
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
	if _, err := db.writer.exec(ctx, tx, "UPDATE watches SET feeds = feeds + 1 WHERE id = ?", opened.Watch.ID); err != nil {
		return opened, err
	}
	return opened, db.fillFeed(ctx, tx, o, opened)
}

// makeWatch finds the watch, wakes it if it sleeps, and makes it if there is none. due reports
// that it has become due now.
func (db *DB) makeWatch(ctx context.Context, tx *sql.Tx, connection string, o triggers.Opening) (w triggers.Watch, due bool, err error) {
	now := o.Now.UnixMilli()
	w, err = findTuple(ctx, tx, connection, o)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		id := triggers.WatchID(connection, o.AccountID, o.Research, o.Schedule)
		_, err = db.writer.exec(ctx, tx, `
			INSERT INTO watches (id, connection_id, account_id, research, schedule, timezone, state, due_at, next_run_at, dated_at, polled_at, created_at)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'active', ?7, ?7, ?7, ?7, ?7)`,
			id, connection, o.AccountID, string(o.Research), o.Schedule.Expression(), o.Schedule.Timezone(), now)
		due = true
	case err != nil:
		return w, false, err
	case w.State == triggers.Asleep:
		// What it slept through is not made up for: one run is due now. It wakes into what it was.
		_, err = db.writer.exec(ctx, tx, `
			UPDATE watches SET state = CASE WHEN failure IS NULL THEN 'active' ELSE 'paused' END,
			due_at = ?2, next_run_at = ?2, dated_at = ?2, polled_at = ?2, attempts = 0 WHERE id = ?1`, w.ID, now)
		due = true
	default:
		_, err = db.writer.exec(ctx, tx, "UPDATE watches SET polled_at = max(polled_at, ?) WHERE id = ?", now, w.ID)
	}
	if err != nil {
		return w, false, err
	}
	w, err = findTuple(ctx, tx, connection, o)
	return w, due, err
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
	facts, marks, err := o.Baseline(opened.Watch, opened.Feed, latest)
	if err != nil {
		return err
	}
	_, _, err = db.insertFacts(ctx, tx, triggers.FeedReport{FeedID: opened.Feed.ID, Facts: facts, Marks: marks})
	return err
}

// insertFacts writes the events and marks of a feed, and returns the places of the first and last
// event; both are 0 if there was none that was not known.
func (db *DB) insertFacts(ctx context.Context, tx *sql.Tx, r triggers.FeedReport) (first, last int64, err error) {
	for _, f := range r.Facts {
		result, err := db.writer.exec(ctx, tx, `INSERT INTO events (id, feed_id, occurred_at, baseline, body) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO NOTHING`, f.ID, r.FeedID, f.OccurredAt.UnixMilli(), f.Baseline, string(f.Body))
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

// TryAgain makes a watch that has never succeeded due at once: somebody waits for its first result.
func (db *DB) TryAgain(ctx context.Context, watchID string, now time.Time) error {
	return db.write(ctx, "try a watch again", func(ctx context.Context, tx *sql.Tx) error {
		_, err := db.writer.exec(ctx, tx, "UPDATE watches SET next_run_at = ?1, dated_at = ?1 WHERE id = ?2 AND runs = 0 AND claimed = 0 AND state = 'active'", now.UnixMilli(), watchID)
		return err
	})
}
