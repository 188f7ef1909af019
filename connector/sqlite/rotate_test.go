package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
)

// fill keeps n answers, the last ones large enough to end a batch.
func fill(t testing.TB, db *DB, n int) {
	t.Helper()
	for i := range n {
		body := fmt.Append(nil, "answer ", i)
		if i > n-4 {
			body = append(body, bytes.Repeat([]byte("x"), resealBytes/2)...)
		}
		id := db.AnswerID("secret", "", "action", fmt.Sprint(i))
		must(t, db.KeepAnswer(t.Context(), id, connector.Answer{Body: body}, noon.Add(time.Hour)))
	}
}

// wantFilled checks that all of fill's answers are found.
func wantFilled(t testing.TB, db *DB, n int) {
	t.Helper()
	for i := range n {
		a, found, err := db.FindAnswer(t.Context(), db.AnswerID("secret", "", "action", fmt.Sprint(i)), noon)
		if err != nil || !found || !bytes.HasPrefix(a.Body, fmt.Append(nil, "answer ", i)) {
			t.Fatalf("answer %d: found %v, %v", i, found, err)
		}
	}
}

func TestARotatedDatabaseOpensWithTheNewKeyAlone(t *testing.T) {
	const n = 2*resealRows + 10
	db := openNew(t)
	fill(t, db, n)
	old, err := os.ReadFile(db.vault.file)
	must(t, err)
	steps := map[string]int{}
	must(t, db.rotate(t.Context(), func(step string) error { steps[step]++; return nil }))
	if steps["batch of answers"] < 3 {
		t.Errorf("the answers were sealed anew in %d batches, want several", steps["batch of answers"])
	}
	wantFilled(t, db, n)
	fresh, err := os.ReadFile(db.vault.file)
	must(t, err)
	if keys, err := readKeyFile(db.vault.file); err != nil || keys.retired() != 0 || bytes.Equal(old, fresh) {
		t.Errorf("the file holds %v old keys (%v)", keys.retired(), err)
	}
	closeDB(t, db)
	db = openAt(t, db.path)
	wantFilled(t, db, n)
	closeDB(t, db)

	must(t, os.WriteFile(db.path+".key", old, 0o600))
	if _, err := Open(t.Context(), Options{Path: db.path}); !errors.As(err, new(*KeyFileError)) {
		t.Errorf("with the old key file opening returned %v, want that it does not belong", err)
	}
}

// The files are copied after each step: what a crash there would leave behind.
func TestACrashInARotationLosesNothing(t *testing.T) {
	const n = resealRows + 10
	db := openNew(t)
	fill(t, db, n)
	var crashes []string
	must(t, db.rotate(t.Context(), func(step string) error {
		crashes = append(crashes, copyFiles(t, db, fmt.Sprintf("%d %s", len(crashes), step)))
		return nil
	}))
	if len(crashes) < 5 {
		t.Fatalf("the rotation took %d steps, want at least a key, a batch of each table, two of answers and the end", len(crashes))
	}
	for _, path := range crashes {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			db := openAt(t, path)
			wantFilled(t, db, n)
			must(t, db.KeepAnswer(t.Context(), [32]byte{1}, connector.Answer{Body: []byte("new")}, noon.Add(time.Hour)))
			must(t, db.RotateMasterKey(t.Context()))
			wantFilled(t, db, n)
			if left := db.vault.keys.Load().retired(); left != 0 {
				t.Errorf("the second rotation left %d old keys", left)
			}
			closeDB(t, db)
			wantFilled(t, openAt(t, path), n)
		})
	}
}

func copyFiles(t *testing.T, db *DB, name string) (path string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	must(t, os.Mkdir(dir, 0o700))
	path = filepath.Join(dir, filepath.Base(db.path))
	for _, suffix := range []string{"", "-wal", ".key"} {
		content, err := os.ReadFile(db.path + suffix)
		must(t, err)
		must(t, os.WriteFile(path+suffix, content, 0o600))
	}
	return path
}

func TestAStoppedRotationGoesOnInTheSameProcess(t *testing.T) {
	const n = resealRows + 10
	db := openNew(t)
	fill(t, db, n)
	stop := errors.New("stop")
	for at := range 4 {
		step := 0
		err := db.rotate(t.Context(), func(string) error {
			if step++; step > at {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) {
			t.Fatalf("stopped at step %d the rotation returned %v", at, err)
		}
		wantFilled(t, db, n)
	}
	if left := db.vault.keys.Load().retired(); left != 4 {
		t.Errorf("after four stopped rotations %d old keys are kept, want 4", left)
	}
	must(t, db.RotateMasterKey(t.Context()))
	wantFilled(t, db, n)
	if left := db.vault.keys.Load().retired(); left != 0 {
		t.Errorf("%d old keys are left", left)
	}
}

func TestTheOldKeysStayWhileARowNeedsThem(t *testing.T) {
	db := openNew(t)
	keep(t, db, 1, "kept")
	id := [32]byte{1}
	var old []byte
	must(t, db.writer.pool.QueryRow("SELECT sealed FROM answers WHERE id = ?", id[:]).Scan(&old))
	err := db.rotate(t.Context(), func(step string) error {
		if step != "batch of answers" {
			return nil
		}
		_, err := db.writer.pool.Exec("UPDATE answers SET sealed = ? WHERE id = ?", old, id[:])
		return err
	})
	if err == nil {
		t.Error("the rotation dropped a key that a row needs")
	}
	closeDB(t, db)
	if got := find(t, openAt(t, db.path), 1); got != "kept" {
		t.Errorf("the answer reads %q", got)
	}
}

func TestAnEndedContextStopsARotationWithoutLoss(t *testing.T) {
	db := openNew(t)
	fill(t, db, 10)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.rotate(ctx, func(string) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the rotation returned %v", err)
	}
	wantFilled(t, db, 10)
	must(t, db.Writable(t.Context()))
	must(t, db.RotateMasterKey(t.Context()))
	wantFilled(t, db, 10)
}

func TestADraftThatACrashLeftBehindIsReplaced(t *testing.T) {
	db := openNew(t)
	fill(t, db, 4)
	must(t, os.WriteFile(db.vault.file+".new", []byte("half a ke"), 0o600))
	must(t, db.RotateMasterKey(t.Context()))
	if _, err := os.Stat(db.vault.file + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the draft is still there: %v", err)
	}
	wantFilled(t, db, 4)
}

func TestALinkedKeyFileStaysALink(t *testing.T) {
	db := openNew(t)
	closeDB(t, db)
	target := filepath.Join(t.TempDir(), "real.key")
	must(t, os.Rename(db.path+".key", target))
	must(t, os.Symlink(target, db.path+".key"))
	db = openAt(t, db.path)
	must(t, db.RotateMasterKey(t.Context()))
	if to, err := os.Readlink(db.path + ".key"); err != nil || to != target {
		t.Errorf("the link points to %q, %v", to, err)
	}
	closeDB(t, db)
	openAt(t, db.path)
}

// A reader that has fetched a ciphertext of the old key can still open it when the rotation has
// come to its end.
func TestAReadThatBeganBeforeTheEndOfARotationOpensWhatItFound(t *testing.T) {
	db := openNew(t)
	keep(t, db, 1, "kept")
	id := [32]byte{1}
	rotated := make(chan error, 1)
	must(t, db.read(t.Context(), "slow", func(ctx context.Context, tx *sql.Tx) error {
		var sealed []byte
		if err := tx.QueryRowContext(ctx, "SELECT sealed FROM answers WHERE id = ?", id[:]).Scan(&sealed); err != nil {
			return err
		}
		before, err := os.ReadFile(db.vault.file)
		if err != nil {
			return err
		}
		go func() { rotated <- db.RotateMasterKey(context.Background()) }()
		for dropped := false; !dropped; runtime.Gosched() {
			now, err := os.ReadFile(db.vault.file)
			if err != nil {
				return err
			}
			keys, err := readKeyFile(db.vault.file)
			if err != nil {
				return err
			}
			dropped = !bytes.Equal(now, before) && keys.retired() == 0
		}
		for range 1000 {
			if _, err := db.vault.Open(sealed, answerColumn.place(id[:])); err != nil {
				return err
			}
			runtime.Gosched()
		}
		return nil
	}))
	must(t, <-rotated)
	if got := find(t, db, 1); got != "kept" {
		t.Errorf("the answer reads %q", got)
	}
}
