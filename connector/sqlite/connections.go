package sqlite

import (
	"context"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

var (
	keyColumn         = sealedColumn{table: "connections", id: "id", column: "key"}
	previousKeyColumn = sealedColumn{table: "connections", id: "id", column: "previous_key"}
)

// overlap is how long deliveries are signed with the previous key, too, after a rotation.
const overlap = 24 * time.Hour

func (db *DB) keyHash(key soke.Key) []byte {
	hash := db.vault.Lookup("connection", key.Reveal())
	return hash[:]
}

// ConnectionID returns the id of the key's connection, or the one that it would get.
func (db *DB) ConnectionID(ctx context.Context, key soke.Key) (string, error) {
	var id string
	err := db.read(ctx, "find connection", func(ctx context.Context, tx *sql.Tx) (err error) {
		id, err = findConnection(ctx, tx, db.keyHash(key))
		if errors.Is(err, triggers.ErrNoConnection) {
			id, err = db.newConnectionID(ctx, tx, key)
		}
		return err
	})
	return id, err
}

// newConnectionID derives an id from the key by a keyed hash, so that the ids of events do not
// depend on when a connection was made. An id that another connection has, or had when it was
// absorbed, is not given again: the ids of watches are made of it.
func (db *DB) newConnectionID(ctx context.Context, tx *sql.Tx, key soke.Key) (string, error) {
	hash := db.vault.Lookup("connection id", key.Reveal())
	first := "con_" + strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(hash[:16]))
	for id, n := first, 1; ; id, n = fmt.Sprintf("%sx%d", first, n), n+1 {
		var taken bool
		err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM connections WHERE id = ?1) OR EXISTS (SELECT 1 FROM absorbed WHERE id = ?1)", id).Scan(&taken)
		if err != nil || !taken {
			return id, err
		}
	}
}

func findConnection(ctx context.Context, tx *sql.Tx, keyHash []byte) (string, error) {
	var id string
	err := tx.QueryRowContext(ctx, "SELECT id FROM connections WHERE key_hash = ?", keyHash).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", triggers.ErrNoConnection
	}
	return id, err
}

// makeConnection returns the key's connection and makes it if there is none.
func (db *DB) makeConnection(ctx context.Context, tx *sql.Tx, key soke.Key, now time.Time) (string, error) {
	hash := db.keyHash(key)
	id, err := findConnection(ctx, tx, hash)
	if err == nil || !errors.Is(err, triggers.ErrNoConnection) {
		return id, err
	}
	if id, err = db.newConnectionID(ctx, tx, key); err != nil {
		return "", err
	}
	sealed, err := db.vault.Seal([]byte(key.Reveal()), keyColumn.place(id))
	if err != nil {
		return "", err
	}
	_, err = db.writer.exec(ctx, tx, "INSERT INTO connections (id, key_hash, key, created_at) VALUES (?, ?, ?, ?)", id, hash, sealed, now.UnixMilli())
	return id, err
}

// openKey opens a sealed key; nil is none.
func (db *DB) openKey(column sealedColumn, id string, sealed []byte) (soke.Key, error) {
	if sealed == nil {
		return soke.Key{}, nil
	}
	plain, err := db.vault.Open(sealed, column.place(id))
	if err != nil {
		return soke.Key{}, err
	}
	return soke.ParseKey(string(plain))
}

// Rotate moves everything of the connection with the old key to the new one and returns how many
// watches that are. Deliveries are signed with both keys for a day. It fails with ErrNoConnection
// if nothing is known of the old key.
func (db *DB) Rotate(ctx context.Context, from, to soke.Key, now time.Time) (watches int, err error) {
	err = db.write(ctx, "rotate connection", func(ctx context.Context, tx *sql.Tx) error {
		id, err := findConnection(ctx, tx, db.keyHash(from))
		if err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM watches WHERE connection_id = ?", id).Scan(&watches); err != nil {
			return err
		}
		other, err := findConnection(ctx, tx, db.keyHash(to))
		switch {
		case errors.Is(err, triggers.ErrNoConnection):
		case err != nil:
			return err
		case other == id:
			return nil
		default:
			var gone string
			if id, gone, err = elder(ctx, tx, id, other); err != nil {
				return err
			}
			if err := db.absorb(ctx, tx, id, gone, now); err != nil {
				return err
			}
		}
		return db.setKey(ctx, tx, id, from, to, now)
	})
	if err != nil {
		return 0, fmt.Errorf("rotating a connection: %w", err)
	}
	return watches, nil
}

// setKey gives a connection a new key. Watches that wait for their user are looked at again.
func (db *DB) setKey(ctx context.Context, tx *sql.Tx, id string, from, to soke.Key, now time.Time) error {
	sealed, err := db.vault.Seal([]byte(to.Reveal()), keyColumn.place(id))
	if err != nil {
		return err
	}
	previous, err := db.vault.Seal([]byte(from.Reveal()), previousKeyColumn.place(id))
	if err != nil {
		return err
	}
	if _, err := db.writer.exec(ctx, tx, "UPDATE connections SET key_hash = ?, key = ?, previous_key = ?, previous_until = ? WHERE id = ?",
		db.keyHash(to), sealed, previous, now.Add(overlap).UnixMilli(), id); err != nil {
		return err
	}
	for _, query := range forgetPauses {
		if _, err := db.writer.exec(ctx, tx, query, id); err != nil {
			return err
		}
	}
	return db.recheck(ctx, tx, id, now)
}

// forgetPauses takes back what has not been told yet of the pauses of the connection ?1: their reasons
// are the old key's. What the new key is refused for is told.
var forgetPauses = []string{
	`UPDATE subscriptions SET told = '' WHERE connection_id = ?1
		AND EXISTS (SELECT 1 FROM deliveries WHERE subscription_id = subscriptions.id AND state = 'pending' AND kind = 'paused')`,
	`UPDATE deliveries SET state = 'dropped' WHERE state = 'pending' AND kind = 'paused'
		AND subscription_id IN (SELECT id FROM subscriptions WHERE connection_id = ?1)`,
}

// Recheck makes the key's paused watches due now: Soke has just accepted the key.
func (db *DB) Recheck(ctx context.Context, key soke.Key, now time.Time) (found bool, err error) {
	err = db.read(ctx, "find paused watches", func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM watches WHERE state = 'paused' AND claimed = 0 AND next_run_at > ?2
			AND connection_id = (SELECT id FROM connections WHERE key_hash = ?1))`, db.keyHash(key), now.UnixMilli()).Scan(&found)
	})
	if err != nil || !found {
		return false, err
	}
	return true, db.write(ctx, "recheck watches", func(ctx context.Context, tx *sql.Tx) error {
		id, err := findConnection(ctx, tx, db.keyHash(key))
		if err != nil {
			return err
		}
		return db.recheck(ctx, tx, id, now)
	})
}

func (db *DB) recheck(ctx context.Context, tx *sql.Tx, id string, now time.Time) error {
	_, err := db.writer.exec(ctx, tx, "UPDATE watches SET next_run_at = ?1, dated_at = ?1 WHERE connection_id = ?2 AND state = 'paused' AND claimed = 0", now.UnixMilli(), id)
	return err
}
