package sqlite

import (
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, read func(scan func(...any) error) (T, error)) (all []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := read(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// scanID reads a row of one id.
func scanID(scan func(...any) error) (id string, err error) {
	err = scan(&id)
	return id, err
}

// scanBody reads an event's JSON.
func scanBody(scan func(...any) error) (json.RawMessage, error) {
	var body string
	err := scan(&body)
	return json.RawMessage(body), err
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

// jsonList is a list of names for json_each.
func jsonList(names []string) string {
	b, _ := json.Marshal(append([]string{}, names...)) // strings always encode
	return string(b)
}

// noWatch says in the words of triggers that there is no such row of watches.
func noWatch(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return triggers.ErrNoWatch
	}
	return err
}
