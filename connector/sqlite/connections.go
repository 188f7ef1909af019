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
		return err
	})
	if errors.Is(err, triggers.ErrNoConnection) {
		return db.newConnectionID(key), nil
	}
	return id, err
}

// newConnectionID derives an id from the key by a keyed hash, so that the ids of events do not
// depend on when a connection was made.
func (db *DB) newConnectionID(key soke.Key) string {
	hash := db.vault.Lookup("connection id", key.Reveal())
	return "con_" + strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(hash[:16]))
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
	id = db.newConnectionID(key)
	var taken bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM connections WHERE id = ?)", id).Scan(&taken); err != nil {
		return "", err
	}
	if taken { // its first key has been rotated away and now comes back
		id += "x" + triggers.Nonce(4)
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
			if err := db.absorb(ctx, tx, id, other); err != nil {
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
	return db.recheck(ctx, tx, id, now)
}

// Recheck has the paused watches of a key looked at at once: Soke has just accepted the key.
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
	_, err := db.writer.exec(ctx, tx, "UPDATE watches SET next_run_at = ? WHERE connection_id = ? AND state = 'paused' AND claimed = 0", now.UnixMilli(), id)
	return err
}

// absorb moves everything of the connection other into the connection id, and drops other. Where
// both watch the same, the watch of id goes on and knows what both knew.
func (db *DB) absorb(ctx context.Context, tx *sql.Tx, id, other string) error {
	pairs, err := twins(ctx, tx, id, other)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		for _, query := range []string{
			// Subscriptions move to the feed of the watch that goes on; one that is missing moves along.
			`UPDATE subscriptions SET feed_id = coalesce((SELECT k.id FROM feeds k JOIN feeds g ON g.trigger = k.trigger AND g.parameters = k.parameters
				WHERE g.id = subscriptions.feed_id AND k.watch_id = ?1), feed_id), watch_id = ?1 WHERE watch_id = ?2`,
			`UPDATE feeds SET watch_id = ?1 WHERE watch_id = ?2 AND NOT EXISTS
				(SELECT 1 FROM feeds k WHERE k.watch_id = ?1 AND k.trigger = feeds.trigger AND k.parameters = feeds.parameters)`,
			`INSERT INTO known (watch_id, fold, keyword, score, trend) SELECT ?1, fold, keyword, score, trend FROM known WHERE watch_id = ?2
				ON CONFLICT DO NOTHING`,
			`UPDATE watches SET feeds = (SELECT count(*) FROM feeds WHERE watch_id = ?1) WHERE id = ?1`,
			`DELETE FROM watches WHERE id = ?2`,
		} {
			if _, err := db.writer.exec(ctx, tx, query, p.kept, p.gone); err != nil {
				return err
			}
		}
	}
	for _, query := range []string{
		"UPDATE watches SET connection_id = ?1 WHERE connection_id = ?2",
		`DELETE FROM subscriptions WHERE connection_id = ?2 AND EXISTS (SELECT 1 FROM subscriptions s
			WHERE s.connection_id = ?1 AND s.platform = subscriptions.platform AND s.target_hash = subscriptions.target_hash)`,
		"UPDATE subscriptions SET connection_id = ?1 WHERE connection_id = ?2",
		"DELETE FROM connections WHERE id = ?2",
	} {
		if _, err := db.writer.exec(ctx, tx, query, id, other); err != nil {
			return err
		}
	}
	return nil
}

// twin is a watch that two connections have.
type twin struct{ kept, gone string }

func twins(ctx context.Context, tx *sql.Tx, id, other string) ([]twin, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT a.id, b.id FROM watches a JOIN watches b USING (account_id, research, schedule, timezone)
		WHERE a.connection_id = ? AND b.connection_id = ?`, id, other)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (p twin, err error) { return p, scan(&p.kept, &p.gone) })
}

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
