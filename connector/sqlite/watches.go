package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// watchColumns are the columns that scanWatch reads, of a table called w.
const watchColumns = `w.id, w.connection_id, w.account_id, w.research, w.schedule, w.timezone, w.state,
	coalesce(w.failure, ''), coalesce(w.due_at, 0), coalesce(w.next_run_at, 0), coalesce(w.last_run_at, 0),
	w.polled_at, w.created_at, w.runs, w.attempts,
	(SELECT count(*) FROM feeds WHERE watch_id = w.id)`

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

func findTuple(ctx context.Context, tx *sql.Tx, connection string, o triggers.Opening) (triggers.Watch, error) {
	return scanWatch(tx.QueryRowContext(ctx, "SELECT "+watchColumns+` FROM watches w
		WHERE connection_id = ? AND account_id = ? AND research = ? AND schedule = ? AND timezone = ?`,
		connection, o.AccountID, string(o.Research), o.Schedule.Expression(), o.Schedule.Timezone()).Scan)
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

// TryAgain makes a watch that has never succeeded due at once: somebody waits for its first result.
func (db *DB) TryAgain(ctx context.Context, watchID string, now time.Time) error {
	return db.write(ctx, "try a watch again", func(ctx context.Context, tx *sql.Tx) error {
		_, err := db.writer.exec(ctx, tx, "UPDATE watches SET next_run_at = ?1, dated_at = ?1 WHERE id = ?2 AND runs = 0 AND claimed = 0 AND state = 'active'", now.UnixMilli(), watchID)
		return err
	})
}
