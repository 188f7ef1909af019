package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/connector"
)

// maxAnswer is the most bytes that the body of a kept answer may have.
const maxAnswer = 8 << 20

// All of an answer is sealed, its input's hash too: inputs are short enough to be guessed from a
// plain hash, and a hash that could be changed would hand the answer to another input.
var answerColumn = sealedColumn{table: "answers", id: "id", column: "sealed"}

// AnswerID names the call under (credential, account, action, idempotency key). It is a keyed
// hash: it gives none of them away, and only this database can compute it.
func (db *DB) AnswerID(credentialSecret, account, action, key string) [32]byte {
	return db.vault.Lookup("answer", credentialSecret, account, action, key)
}

// FindAnswer returns the answer kept under id, unless it has expired by now.
func (db *DB) FindAnswer(ctx context.Context, id [32]byte, now time.Time) (connector.Answer, bool, error) {
	var a connector.Answer
	err := db.read(ctx, "find answer", func(ctx context.Context, tx *sql.Tx) error {
		var sealed []byte
		err := tx.QueryRowContext(ctx, "SELECT sealed FROM answers WHERE id = ? AND expires_at > ?", id[:], now.UnixMilli()).Scan(&sealed)
		if err != nil {
			return err
		}
		plaintext, err := db.vault.Open(sealed, answerColumn.place(id[:]))
		if err != nil {
			return err
		}
		a, err = decodeAnswer(plaintext)
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return connector.Answer{}, false, nil
	case err != nil:
		return connector.Answer{}, false, fmt.Errorf("finding a kept answer: %w", err)
	}
	return a, true, nil
}

// KeepAnswer keeps a under id until expiresAt. The first answer under an id stays: keeping
// another one does nothing, until the first has expired.
func (db *DB) KeepAnswer(ctx context.Context, id [32]byte, a connector.Answer, expiresAt time.Time) error {
	if len(a.Body) > maxAnswer {
		return connector.ErrAnswerTooLarge
	}
	plaintext := encodeAnswer(a)
	now := db.now().UnixMilli()
	err := db.write(ctx, "keep answer", func(ctx context.Context, tx *sql.Tx) error {
		sealed, err := db.vault.Seal(plaintext, answerColumn.place(id[:]))
		if err != nil {
			return err
		}
		_, err = db.writer.exec(ctx, tx, `
			INSERT INTO answers (id, sealed, expires_at) VALUES (?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at
			WHERE answers.expires_at <= ?`, id[:], sealed, expiresAt.UnixMilli(), now)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping an answer: %w", err)
	}
	return nil
}

// PruneAnswers deletes at most limit answers that have expired by now, the oldest first, and
// returns how many.
func (db *DB) PruneAnswers(ctx context.Context, now time.Time, limit int) (int, error) {
	var pruned int64
	err := db.write(ctx, "prune answers", func(ctx context.Context, tx *sql.Tx) error {
		result, err := db.writer.exec(ctx, tx, `
			DELETE FROM answers WHERE rowid IN
			(SELECT rowid FROM answers WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
			now.UnixMilli(), max(limit, 0)) // SQLite reads a negative limit as none.
		if err != nil {
			return err
		}
		pruned, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("pruning answers: %w", err)
	}
	return int(pruned), nil
}

// encodeAnswer writes the input's hash, the request id with its length, and the body.
func encodeAnswer(a connector.Answer) []byte {
	b := make([]byte, 0, len(a.InputHash)+8+len(a.RequestID)+len(a.Body))
	b = append(b, a.InputHash[:]...)
	b = appendField(b, a.RequestID)
	return append(b, a.Body...)
}

func decodeAnswer(b []byte) (connector.Answer, error) {
	var a connector.Answer
	n := copy(a.InputHash[:], b)
	rest := b[n:]
	if len(rest) < 8 || binary.BigEndian.Uint64(rest) > uint64(len(rest)-8) {
		return connector.Answer{}, errors.New("a kept answer is cut short")
	}
	length := 8 + int(binary.BigEndian.Uint64(rest))
	a.RequestID, a.Body = string(rest[8:length]), rest[length:]
	return a, nil
}
