package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usesoke/soke-connector/connector"
)

func TestASealedValueOpensInItsPlaceOnly(t *testing.T) {
	db := openNew(t)
	here := answerColumn.place([]byte{1})
	sealed, err := db.vault.Seal([]byte("secret"), here)
	must(t, err)
	if got, err := db.vault.Open(sealed, here); err != nil || string(got) != "secret" {
		t.Errorf("in its place it opens as %q, %v", got, err)
	}
	other := answerColumn
	other.column = "other"
	for name, place := range map[string][]byte{
		"another row":    answerColumn.place([]byte{2}),
		"another table":  secretColumn.place([]byte{1}),
		"another column": other.place([]byte{1}),
		"no place":       nil,
	} {
		if _, err := db.vault.Open(sealed, place); !errors.Is(err, ErrSealed) {
			t.Errorf("in %s it opens with %v, want ErrSealed", name, err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := db.vault.Open(changed, here); !errors.Is(err, ErrSealed) {
			t.Errorf("with byte %d changed it opens with %v, want ErrSealed", i, err)
		}
		if _, err := db.vault.Open(sealed[:i], here); !errors.Is(err, ErrSealed) {
			t.Errorf("cut to %d bytes it opens with %v, want ErrSealed", i, err)
		}
	}
}

func TestARowThatWasChangedOrMovedIsRefused(t *testing.T) {
	spoil := map[string]string{
		"moved":   "UPDATE answers SET sealed = (SELECT sealed FROM answers WHERE id = $other) WHERE id = $id",
		"zeroed":  "UPDATE answers SET sealed = zeroblob(length(sealed)) WHERE id = $id AND $other IS NOT NULL",
		"emptied": "UPDATE answers SET sealed = x'' WHERE id = $id AND $other IS NOT NULL",
	}
	for name, query := range spoil {
		t.Run(name, func(t *testing.T) {
			db := openNew(t)
			keep(t, db, 1, "mine")
			keep(t, db, 2, "yours")
			one, two := [32]byte{1}, [32]byte{2}
			_, err := db.writer.pool.Exec(query, sql.Named("id", one[:]), sql.Named("other", two[:]))
			must(t, err)
			if a, found, err := db.FindAnswer(t.Context(), one, noon); !errors.Is(err, ErrSealed) || found {
				t.Errorf("it was found as %q, %v, %v, want ErrSealed", a.Body, found, err)
			}
			if got := find(t, db, 2); got != "yours" {
				t.Errorf("the other row reads %q", got)
			}
			if err := db.RotateMasterKey(t.Context()); !errors.Is(err, ErrSealed) {
				t.Errorf("rotating over it returned %v, want ErrSealed", err)
			}
			if got := find(t, db, 2); got != "yours" {
				t.Errorf("after the refused rotation the other row reads %q", got)
			}
		})
	}
}

func TestNoSecretLiesInClear(t *testing.T) {
	const (
		key     = "sk_live_CANARY0123456789abcdef"
		account = "acc_CANARY"
		name    = "idempotency-CANARY"
		body    = `{"topic":"CANARY topic of a user"}`
		request = "request-CANARY"
		input   = "CANARY input"
	)
	var logs bytes.Buffer
	dir := t.TempDir()
	db, err := Open(t.Context(), Options{
		Path:   filepath.Join(dir, "connector.db"),
		Logger: slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    func() time.Time { return noon },
	})
	must(t, err)
	id := db.AnswerID(key, account, "action", name)
	hash := sha256.Sum256([]byte(input))
	must(t, db.KeepAnswer(t.Context(), id, connector.Answer{InputHash: hash, Body: []byte(body), RequestID: request}, noon.Add(time.Hour)))
	must(t, db.RotateMasterKey(t.Context()))
	must(t, db.KeepAnswer(t.Context(), db.AnswerID(key, "", "action", name), connector.Answer{Body: []byte(body)}, noon.Add(time.Hour)))

	secrets := map[string][]byte{
		"key": []byte(key), "account": []byte(account), "idempotency key": []byte(name), "body": []byte(body),
		"request id": []byte(request), "input hash": hash[:], "lookup secret": bytes.Clone(db.vault.lookup), "canary": []byte("CANARY"),
	}
	plain := sha256.Sum256([]byte(key))
	secrets["hash of the key"] = plain[:]
	look := func(when string) {
		t.Helper()
		must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			wantNone(t, when+": "+entry.Name(), content, secrets)
			return nil
		}))
	}
	look("open")
	closeDB(t, db)
	look("closed")
	wantNone(t, "the logs", logs.Bytes(), secrets)
	if logs.Len() == 0 {
		t.Error("nothing was logged, so the logs prove nothing")
	}
}

func wantNone(t *testing.T, where string, content []byte, secrets map[string][]byte) {
	t.Helper()
	for name, secret := range secrets {
		for _, form := range [][]byte{
			secret, []byte(hex.EncodeToString(secret)), []byte(base64.StdEncoding.EncodeToString(secret)), []byte(base64.RawURLEncoding.EncodeToString(secret)),
		} {
			if bytes.Contains(content, form) {
				t.Errorf("%s gives the %s away", where, name)
			}
		}
	}
}

func TestLookupsTellDifferentPartsApart(t *testing.T) {
	v := &vault{lookup: []byte("a lookup secret of some length")}
	parts := rapid.SliceOfN(rapid.StringMatching(`[ab\x00]{0,3}`), 1, 4)
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		same := len(a) == len(b)
		for i := 0; same && i < len(a); i++ {
			same = a[i] == b[i]
		}
		if equal := v.Lookup(a[0], a[1:]...) == v.Lookup(b[0], b[1:]...); equal != same {
			t.Fatalf("%q and %q hash alike: %v, want %v", a, b, equal, same)
		}
	})
}

func TestLookupsDifferBetweenDatabases(t *testing.T) {
	a, b := openNew(t), openNew(t)
	if a.AnswerID("k", "a", "b", "c") == b.AnswerID("k", "a", "b", "c") {
		t.Error("two databases give the same call the same id")
	}
}

func TestAFailedFirstStartLeavesNoHalfMadeVault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Options{Path: path}); err == nil {
		t.Fatal("opened although the context had ended")
	}
	db := openAt(t, path)
	keep(t, db, 1, "x")
}
