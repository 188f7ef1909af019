package sqlite

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"sync/atomic"
)

// ErrSealed says that a sealed value does not open: it was changed, it was moved to another
// place, or the key it was sealed under is gone.
var ErrSealed = errors.New("a secret in the database does not open: it was changed or moved, or its master key is gone")

// vault keeps secrets at rest. It has two keys that live apart: master keys, which seal and may
// be rotated, and a lookup secret, which makes keyed hashes and stays as long as the database
// does, sealed in it.
type vault struct {
	file   string
	keys   atomic.Pointer[keyring]
	lookup []byte
}

// Seal encrypts plaintext and binds it to associatedData, which Open must be given again. Call it
// inside a write only: a value sealed outside could be written after a rotation has dropped its
// key.
func (v *vault) Seal(plaintext, associatedData []byte) ([]byte, error) {
	return v.keys.Load().aead.Encrypt(plaintext, associatedData)
}

// Open decrypts what Seal returned for the same associatedData, or fails with ErrSealed. Call it
// inside the read or write that found the ciphertext.
func (v *vault) Open(ciphertext, associatedData []byte) ([]byte, error) {
	plaintext, err := v.keys.Load().aead.Decrypt(ciphertext, associatedData)
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// Lookup returns a keyed hash (HMAC-SHA256) by which a secret can be found again without being
// kept. Domains keep uses apart. Different parts never hash alike by running into each other.
func (v *vault) Lookup(domain string, parts ...string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, v.lookup)
	message := appendField(nil, domain)
	for _, part := range parts {
		message = appendField(message, part)
	}
	mac.Write(message)
	return [sha256.Size]byte(mac.Sum(nil))
}

// appendField appends a field and, before it, its length: a list of fields written so has one
// reading only.
func appendField[T string | []byte](b []byte, field T) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
	return append(b, field...)
}

var secretColumn = sealedColumn{table: "secrets", id: "name", column: "sealed"}

const (
	lookupName = "lookup"
	lookupSize = 32 // bytes
)

// loadLookupSecret fetches the lookup secret, and draws it on first start. It is also the proof
// that the master keys belong to this database.
func (db *DB) loadLookupSecret(ctx context.Context) error {
	return db.write(ctx, "load lookup secret", func(ctx context.Context, tx *sql.Tx) error {
		place := secretColumn.place(lookupName)
		var sealed []byte
		err := tx.QueryRowContext(ctx, "SELECT sealed FROM secrets WHERE name = ?", lookupName).Scan(&sealed)
		if err == nil {
			if db.vault.lookup, err = db.vault.Open(sealed, place); err != nil {
				return &KeyFileError{Path: db.vault.file, Reason: "does not belong to this database: restore the one that was made with it"}
			}
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		db.vault.lookup = make([]byte, lookupSize)
		_, _ = rand.Read(db.vault.lookup) // It never fails: the runtime would stop the process.
		if sealed, err = db.vault.Seal(db.vault.lookup, place); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO secrets (name, sealed) VALUES (?, ?)", lookupName, sealed)
		return err
	})
}
