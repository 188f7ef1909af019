package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

const (
	// A batch of a rotation ends after so many rows or bytes, so that writes get their turn.
	resealRows  = 100
	resealBytes = 4 << 20
)

// RotateMasterKey seals everything anew under a new master key and then forgets the old ones.
// The database stays in use meanwhile. Lookups give the same hashes before and after.
//
// It may be stopped at any moment, by ctx or by a crash: the old keys stay in the file until no
// row needs them, and the next RotateMasterKey finishes the work.
//
// The order is what keeps that promise. The new key is on the disk before anything is sealed
// under it. The key changes while the writer stands still, and what is sealed is sealed inside a
// write; so whatever the old key sealed is committed before the rows are gone through, or never.
// The old keys leave the memory when no read is under way that may hold one of their ciphertexts.
func (db *DB) RotateMasterKey(ctx context.Context) error {
	return db.rotate(ctx, func(string) error { return nil })
}

// rotate is RotateMasterKey, and calls after when each step is done. An error of after stops it
// there.
func (db *DB) rotate(ctx context.Context, after func(step string) error) error {
	db.rotating.Lock()
	defer db.rotating.Unlock()

	if err := db.addMasterKey(ctx); err != nil {
		return err
	}
	if err := after("key added"); err != nil {
		return err
	}
	for _, c := range sealedColumns {
		for last, more := any(nil), true; more; {
			var err error
			if last, more, err = db.reseal(ctx, c, last); err != nil {
				return fmt.Errorf("sealing %s anew: %w", c.table, err)
			}
			if err := after("batch of " + c.table); err != nil {
				return err
			}
		}
	}
	if err := db.dropOldKeys(ctx); err != nil {
		return err
	}
	if err := after("old keys dropped"); err != nil {
		return err
	}
	return db.checkpoint(ctx) // The log still holds rows as they were.
}

// addMasterKey makes a new key the primary one, in the file first.
func (db *DB) addMasterKey(ctx context.Context) error {
	return db.writer.alone(ctx, "add master key", func(*sql.DB) error {
		keys, err := db.vault.keys.Load().withNewPrimary()
		if err != nil {
			return err
		}
		if err := writeKeyFile(db.vault.file, keys); err != nil {
			return err
		}
		db.vault.keys.Store(keys)
		return nil
	})
}

// dropOldKeys forgets all keys but the primary one, after a last look that nothing needs them.
func (db *DB) dropOldKeys(ctx context.Context) error {
	return db.writer.alone(ctx, "drop old master keys", func(pool *sql.DB) error {
		keys := db.vault.keys.Load()
		for _, c := range sealedColumns {
			var left bool
			query := fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s)", c.table, c.unlike(keys.mark))
			if err := pool.QueryRowContext(ctx, query, keys.mark).Scan(&left); err != nil {
				return err
			}
			if left {
				return errors.New("the old master keys stay: " + c.table + " still needs them")
			}
		}
		keys, err := keys.primaryOnly()
		if err != nil {
			return err
		}
		if err := writeKeyFile(db.vault.file, keys); err != nil {
			return err
		}
		db.reading.Lock()
		defer db.reading.Unlock()
		db.vault.keys.Store(keys)
		return nil
	})
}

// reseal seals one batch of rows behind the row called last anew (nil: from the start), in one
// transaction. It returns the last row of the batch and whether there may be more.
func (db *DB) reseal(ctx context.Context, c sealedColumn, last any) (_ any, more bool, err error) {
	err = db.writer.alone(ctx, "seal anew", func(pool *sql.DB) error {
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // Does nothing after a commit.
		ids, err := db.oldRows(ctx, tx, c, last)
		if err != nil {
			return err
		}
		more = len(ids) == resealRows
		for i, bytes := 0, 0; i < len(ids); i++ {
			if bytes > resealBytes {
				more = true
				break
			}
			n, err := db.resealRow(ctx, tx, c, ids[i])
			if err != nil {
				return fmt.Errorf("row %x: %w", ids[i], err)
			}
			bytes += n
			last = ids[i]
		}
		return tx.Commit()
	})
	return last, more, err
}

// oldRows returns the first rows behind last whose ciphertext is not the primary key's.
func (db *DB) oldRows(ctx context.Context, tx *sql.Tx, c sealedColumn, last any) ([]any, error) {
	mark := db.vault.keys.Load().mark
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s", c.id, c.table, c.unlike(mark))
	args := []any{mark}
	if last != nil {
		query += fmt.Sprintf(" AND %s > ?", c.id)
		args = append(args, last)
	}
	query += fmt.Sprintf(" ORDER BY %s LIMIT %d", c.id, resealRows)
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err below tells all.
	var ids []any
	for rows.Next() {
		var id any
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// resealRow seals one row anew and returns the size of its ciphertext.
func (db *DB) resealRow(ctx context.Context, tx *sql.Tx, c sealedColumn, id any) (int, error) {
	var sealed []byte
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s = ?", c.column, c.table, c.id)
	if err := tx.QueryRowContext(ctx, query, id).Scan(&sealed); err != nil {
		return 0, err
	}
	plaintext, err := db.vault.Open(sealed, c.place(id))
	if err != nil {
		return 0, err
	}
	if sealed, err = db.vault.Seal(plaintext, c.place(id)); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s = ?", c.table, c.column, c.id), sealed, id)
	return len(sealed), err
}
