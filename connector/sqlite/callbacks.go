package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

var (
	callbackColumn       = sealedColumn{table: "callbacks", id: "id", column: "sealed"}
	callbackAnswerColumn = sealedColumn{table: "callbacks", id: "id", column: "answer"}
)

// sealedCallback is a callback's secret as it is sealed. It alone holds keys as text.
type sealedCallback struct {
	Key            string          `json:"key,omitempty"`
	Token          string          `json:"token,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	Input          json.RawMessage `json:"input"`
	IdempotencyKey string          `json:"idempotencyKey,omitempty"`
	Target         string          `json:"target"`
}

const (
	// callbacksOfOne and callbacksOfAll are how many callbacks may wait for Soke: what they hold has not
	// been judged by Soke yet, and may be a mebibyte each.
	callbacksOfOne = 256
	callbacksOfAll = 2048
)

// AddCallback keeps a callback: see connector.CallbackStore.
func (db *DB) AddCallback(ctx context.Context, c connector.Callback) error {
	owner := db.callbackOwner(c.Secret.Credential)
	sealed, err := db.sealCallback(c)
	if err != nil {
		return err
	}
	return db.write(ctx, "add callback", func(ctx context.Context, tx *sql.Tx) error {
		var own, all int
		if err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM callbacks WHERE owner = ? AND state IN ('accepted', 'calling')),
			(SELECT count(*) FROM callbacks WHERE state IN ('accepted', 'calling'))`, owner).Scan(&own, &all); err != nil {
			return err
		}
		if own >= callbacksOfOne || all >= callbacksOfAll {
			return connector.ErrTooManyCallbacks
		}
		_, err := db.writer.exec(ctx, tx, `INSERT INTO callbacks (id, owner, platform, action, request_id, sealed, state, next_attempt_at, dated_at, created_at)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'accepted', ?7, ?7, ?7)`, c.ID, owner, c.Platform, c.Action, c.RequestID, sealed, c.Created.UnixMilli())
		return err
	})
}

func (db *DB) callbackOwner(c soke.Credential) []byte {
	hash := db.vault.Lookup("callback owner", c.Key.Reveal(), c.Token.Reveal())
	return hash[:]
}

func (db *DB) sealCallback(c connector.Callback) ([]byte, error) {
	plain, err := json.Marshal(sealedCallback{
		Key: c.Secret.Credential.Key.Reveal(), Token: c.Secret.Credential.Token.Reveal(), AccountID: c.Secret.Credential.AccountID,
		Input: c.Secret.Input, IdempotencyKey: c.Secret.IdempotencyKey, Target: c.Secret.Target,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a callback: %w", err)
	}
	return db.vault.Seal(plain, callbackColumn.place(c.ID))
}

// DueCallbacks returns callbacks that are due: see connector.CallbackStore.
func (db *DB) DueCallbacks(ctx context.Context, now time.Time, limit, perOwner int, busy []string) (due []connector.Callback, next time.Time, err error) {
	var broken []string
	err = db.read(ctx, "find due callbacks", func(ctx context.Context, tx *sql.Tx) error {
		due, next, broken = nil, time.Time{}, nil
		ids, err := dueCallbacks(ctx, tx, now, limit, perOwner, jsonList(busy))
		if err != nil {
			return err
		}
		due, broken, err = readable(ctx, db, ids, func(id string) (connector.Callback, error) { return db.callback(ctx, tx, id) })
		if err != nil {
			return err
		}
		var at sql.NullInt64
		if err := tx.QueryRowContext(ctx, "SELECT min(next_attempt_at) FROM callbacks WHERE next_attempt_at > ?1 AND dated_at <= ?2",
			now.UnixMilli(), now.Add(misdatedAfter).UnixMilli()).Scan(&at); err != nil {
			return err
		}
		next = moment(at.Int64)
		return nil
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("finding due callbacks: %w", err)
	}
	db.postpone(ctx, "callbacks", broken, now)
	return due, next, nil
}

// dueCallbacks finds what is due, or was dated by a clock that has been set back, the longest waiting
// first, with no owner at work on more than perOwner at a time.
func dueCallbacks(ctx context.Context, tx *sql.Tx, now time.Time, limit, perOwner int, busy string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `
		WITH working AS (SELECT owner, count(*) AS places FROM callbacks WHERE id IN (SELECT value FROM json_each(?1)) GROUP BY owner),
		waiting AS (
			SELECT id, owner, next_attempt_at, row_number() OVER (PARTITION BY owner ORDER BY next_attempt_at) AS place
			FROM callbacks WHERE (next_attempt_at <= ?2 OR next_attempt_at IS NOT NULL AND dated_at > ?5) AND id NOT IN (SELECT value FROM json_each(?1)))
		SELECT id FROM waiting LEFT JOIN working USING (owner)
		WHERE place + coalesce(places, 0) <= ?3 ORDER BY next_attempt_at LIMIT ?4`, busy, now.UnixMilli(), perOwner, limit, now.Add(misdatedAfter).UnixMilli())
	if err != nil {
		return nil, err
	}
	return collect(rows, scanID)
}

func (db *DB) callback(ctx context.Context, tx *sql.Tx, id string) (c connector.Callback, err error) {
	var sealed, answer []byte
	var failing, created int64
	err = tx.QueryRowContext(ctx, `
		SELECT id, platform, action, request_id, sealed, answer, state, attempts, failures, coalesce(failing_since, 0), created_at
		FROM callbacks WHERE id = ?`, id).Scan(&c.ID, &c.Platform, &c.Action, &c.RequestID, &sealed, &answer, &c.State,
		&c.Delivery.Attempts, &c.Delivery.Failures, &failing, &created)
	if err != nil {
		return c, err
	}
	c.Delivery.FailingSince, c.Created = moment(failing), moment(created)
	if c.Secret, err = db.openCallback(id, sealed); err == nil && answer != nil {
		c.Answer, err = db.vault.Open(answer, callbackAnswerColumn.place(id))
	}
	return c, ofRow("callbacks", id, err)
}

func (db *DB) openCallback(id string, sealed []byte) (s connector.CallbackSecret, err error) {
	plain, err := db.vault.Open(sealed, callbackColumn.place(id))
	if err != nil {
		return s, err
	}
	var c sealedCallback
	if err := json.Unmarshal(plain, &c); err != nil {
		return s, errors.New("a callback does not decode")
	}
	s.Credential.AccountID, s.Input, s.IdempotencyKey, s.Target = c.AccountID, c.Input, c.IdempotencyKey, c.Target
	if c.Key != "" {
		s.Credential.Key, err = soke.ParseKey(c.Key)
	}
	if c.Token != "" && err == nil {
		s.Credential.Token, err = soke.ParseToken(c.Token)
	}
	return s, err
}

// StartCallback moves a callback from accepted to calling: see connector.CallbackStore.
func (db *DB) StartCallback(ctx context.Context, id string) (ok bool, err error) {
	err = db.write(ctx, "start callback", func(ctx context.Context, tx *sql.Tx) error {
		result, err := db.writer.exec(ctx, tx, "UPDATE callbacks SET state = 'calling' WHERE id = ? AND state = 'accepted'", id)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		ok = n == 1
		return err
	})
	return ok, err
}

// AnswerCallback keeps what is to be posted: see connector.CallbackStore.
func (db *DB) AnswerCallback(ctx context.Context, c connector.Callback, now time.Time) error {
	c.Secret = connector.CallbackSecret{Target: c.Secret.Target} // nothing else is needed from now on
	return db.write(ctx, "answer callback", func(ctx context.Context, tx *sql.Tx) error {
		sealed, err := db.sealCallback(c)
		if err != nil {
			return err
		}
		answer, err := db.vault.Seal(c.Answer, callbackAnswerColumn.place(c.ID))
		if err != nil {
			return err
		}
		_, err = db.writer.exec(ctx, tx, "UPDATE callbacks SET state = 'answered', sealed = ?1, answer = ?2, next_attempt_at = ?3, dated_at = ?3 WHERE id = ?4",
			sealed, answer, now.UnixMilli(), c.ID)
		return err
	})
}

// SettleCallback keeps what became of an attempt: see connector.CallbackStore.
func (db *DB) SettleCallback(ctx context.Context, id string, s delivery.State, next time.Time) error {
	return db.write(ctx, "settle callback", func(ctx context.Context, tx *sql.Tx) error {
		if next.IsZero() {
			_, err := db.writer.exec(ctx, tx, "DELETE FROM callbacks WHERE id = ?", id)
			return err
		}
		_, err := db.writer.exec(ctx, tx, "UPDATE callbacks SET attempts = ?, failures = ?, failing_since = ?, next_attempt_at = ?, dated_at = ? WHERE id = ?",
			s.Attempts, s.Failures, millis(s.FailingSince), millis(next), db.now().UnixMilli(), id)
		return err
	})
}
