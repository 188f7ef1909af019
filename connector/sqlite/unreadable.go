package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// rowError is a row that does not say what it must, in a database that answers: a secret whose seal
// is broken, a text of a version that is gone. It concerns the row's owner alone. Whoever works
// through the rows of many owners logs it and goes on.
type rowError struct {
	table, id string
	err       error
}

// Error names the row.
func (e *rowError) Error() string { return fmt.Sprintf("row %s of %s: %v", e.id, e.table, e.err) }

// Unwrap returns the cause.
func (e *rowError) Unwrap() error { return e.err }

// ofRow returns err as one of a row, and nil for nil.
func ofRow(table, id string, err error) error {
	if err == nil {
		return nil
	}
	return &rowError{table, id, err}
}

// unreadable reports whether err is one of a row alone, and then logs it.
func (db *DB) unreadable(ctx context.Context, err error) bool {
	row := (*rowError)(nil)
	if !errors.As(err, &row) {
		return false
	}
	db.logger.ErrorContext(ctx, "a row of the database cannot be read and is left out", "table", row.table, "id", row.id, "cause", row.err.Error())
	return true
}

// postponeUnreadable is when a row that could not be read is looked at again: an operator may have
// brought back the master key that it was sealed with.
const postponeUnreadable = time.Hour

// postpone puts rows off that could not be read, because what is due and stays due is always first
// in line. That it fails is no reason to hold up the rows that could be read.
func (db *DB) postpone(ctx context.Context, table string, ids []string, now time.Time) {
	if len(ids) == 0 {
		return
	}
	err := db.write(ctx, "postpone unreadable rows", func(ctx context.Context, tx *sql.Tx) error {
		_, err := db.writer.exec(ctx, tx, "UPDATE "+table+" SET next_attempt_at = ?1, dated_at = ?2 WHERE id IN (SELECT value FROM json_each(?3))",
			now.Add(postponeUnreadable).UnixMilli(), now.UnixMilli(), jsonList(ids))
		return err
	})
	if err != nil {
		db.logger.ErrorContext(ctx, "unreadable rows could not be put off", "table", table, "cause", err.Error())
	}
}

// readable reads rows by their ids, and tells those that cannot be read from the others.
func readable[T any](ctx context.Context, db *DB, ids []string, read func(id string) (T, error)) (rows []T, broken []string, err error) {
	for _, id := range ids {
		row, err := read(id)
		switch {
		case db.unreadable(ctx, err):
			broken = append(broken, id)
		case err != nil:
			return nil, nil, err
		default:
			rows = append(rows, row)
		}
	}
	return rows, broken, nil
}
