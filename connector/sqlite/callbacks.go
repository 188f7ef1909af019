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

// AddCallback keeps a callback: see connector.CallbackStore.
func (db *DB) AddCallback(ctx context.Context, c connector.Callback) error {
	plain, err := json.Marshal(sealedCallback{
		Key: c.Secret.Credential.Key.Reveal(), Token: c.Secret.Credential.Token.Reveal(), AccountID: c.Secret.Credential.AccountID,
		Input: c.Secret.Input, IdempotencyKey: c.Secret.IdempotencyKey, Target: c.Secret.Target,
	})
	if err != nil {
		return fmt.Errorf("encoding a callback: %w", err)
	}
	return db.write(ctx, "add callback", func(ctx context.Context, tx *sql.Tx) error {
		sealed, err := db.vault.Seal(plain, callbackColumn.place(c.ID))
		if err != nil {
			return err
		}
		_, err = db.writer.exec(ctx, tx, `INSERT INTO callbacks (id, platform, action, request_id, sealed, state, next_attempt_at, created_at)
			VALUES (?1, ?2, ?3, ?4, ?5, 'accepted', ?6, ?6)`, c.ID, c.Platform, c.Action, c.RequestID, sealed, c.Created.UnixMilli())
		return err
	})
}

// DueCallbacks returns callbacks that are due: see connector.CallbackStore.
func (db *DB) DueCallbacks(ctx context.Context, now time.Time, limit int, busy []string) (due []connector.Callback, next time.Time, err error) {
	var broken []string
	err = db.read(ctx, "find due callbacks", func(ctx context.Context, tx *sql.Tx) error {
		due, next, broken = nil, time.Time{}, nil
		rows, err := tx.QueryContext(ctx, `
			SELECT id, platform, action, request_id, sealed, answer, state, attempts, failures, coalesce(failing_since, 0), next_attempt_at, created_at
			FROM callbacks WHERE next_attempt_at IS NOT NULL AND id NOT IN (SELECT value FROM json_each(?))
			ORDER BY next_attempt_at LIMIT ?`, jsonList(busy), limit)
		if err != nil {
			return err
		}
		_, err = collect(rows, func(scan func(...any) error) (none struct{}, err error) {
			var c connector.Callback
			var sealed, answer []byte
			var failing, at, created int64
			if err := scan(&c.ID, &c.Platform, &c.Action, &c.RequestID, &sealed, &answer, &c.State,
				&c.Delivery.Attempts, &c.Delivery.Failures, &failing, &at, &created); err != nil {
				return none, err
			}
			if at > now.UnixMilli() {
				if next.IsZero() {
					next = moment(at)
				}
				return none, nil
			}
			c.Delivery.FailingSince, c.Created = moment(failing), moment(created)
			if c.Secret, err = db.openCallback(c.ID, sealed); err == nil && answer != nil {
				c.Answer, err = db.vault.Open(answer, callbackAnswerColumn.place(c.ID))
			}
			if db.unreadable(ctx, ofRow("callbacks", c.ID, err)) {
				broken = append(broken, c.ID)
				return none, nil
			}
			due = append(due, c)
			return none, nil
		})
		return err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("finding due callbacks: %w", err)
	}
	db.postpone(ctx, "callbacks", broken, now)
	return due, next, nil
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
func (db *DB) AnswerCallback(ctx context.Context, id string, answer []byte, now time.Time) error {
	return db.write(ctx, "answer callback", func(ctx context.Context, tx *sql.Tx) error {
		sealed, err := db.vault.Seal(answer, callbackAnswerColumn.place(id))
		if err != nil {
			return err
		}
		_, err = db.writer.exec(ctx, tx, "UPDATE callbacks SET state = 'answered', answer = ?, next_attempt_at = ? WHERE id = ? AND state != 'done'", sealed, now.UnixMilli(), id)
		return err
	})
}

// SettleCallback keeps what became of an attempt: see connector.CallbackStore.
func (db *DB) SettleCallback(ctx context.Context, id string, s delivery.State, next time.Time) error {
	return db.write(ctx, "settle callback", func(ctx context.Context, tx *sql.Tx) error {
		_, err := db.writer.exec(ctx, tx, `UPDATE callbacks SET attempts = ?, failures = ?, failing_since = ?, next_attempt_at = ?,
			state = CASE WHEN ?4 IS NULL THEN 'done' ELSE state END WHERE id = ?5`,
			s.Attempts, s.Failures, millis(s.FailingSince), millis(next), id)
		return err
	})
}
