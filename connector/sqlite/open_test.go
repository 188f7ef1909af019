package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
)

func TestTheWriterIsDurableAndTheFileCanShrink(t *testing.T) {
	db := openNew(t)
	want := map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "auto_vacuum": "2",
		"temp_store": "2", "journal_size_limit": "16777216", "busy_timeout": "5000",
	}
	for pragma, value := range want {
		var got string
		must(t, db.writer.pool.QueryRow("PRAGMA "+pragma).Scan(&got))
		if got != value {
			t.Errorf("%s is %s, want %s", pragma, got, value)
		}
	}
}

func TestReadersCannotWrite(t *testing.T) {
	db := openNew(t)
	err := db.read(t.Context(), "try", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE heartbeat SET beats = 1")
		return err
	})
	if storage := (*StorageError)(nil); !errors.As(err, &storage) || storage.Fault != ReadOnly {
		t.Errorf("a write by a reader returned %v, want a storage error that says read-only", err)
	}
}

func TestEveryTableIsStrict(t *testing.T) {
	db := openNew(t)
	rows, err := db.readers.Query("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'goose%'")
	must(t, err)
	defer rows.Close()
	tables := 0
	for rows.Next() {
		var name string
		var strict bool
		must(t, rows.Scan(&name, &strict))
		tables++
		if !strict {
			t.Errorf("table %s is not STRICT", name)
		}
	}
	must(t, rows.Err())
	if tables < 3 {
		t.Errorf("found %d tables, want at least secrets, answers and heartbeat", tables)
	}
}

func TestOpeningAgainKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	db := openAt(t, path)
	keep(t, db, 1, "kept")
	id := db.AnswerID("secret", "", "action", "key")
	closeDB(t, db)

	for range 2 {
		db = openAt(t, path)
		if got := find(t, db, 1); got != "kept" {
			t.Errorf("after opening again the answer is %q", got)
		}
		if db.AnswerID("secret", "", "action", "key") != id {
			t.Error("after opening again the same call has another id")
		}
		closeDB(t, db)
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	db := openNew(t)
	keep(t, db, 1, "x")
	for _, suffix := range []string{"", "-wal", "-shm", ".key", ".lock"} {
		info, err := os.Stat(db.path + suffix)
		must(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", filepath.Base(db.path+suffix), mode)
		}
	}
}

func TestFilesThatOthersCouldReadAreClosedToThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	crashed := openAt(t, path)
	keep(t, crashed, 1, "kept")
	copied := filepath.Join(t.TempDir(), "connector.db")
	for _, suffix := range []string{"", "-wal", ".key"} {
		content, err := os.ReadFile(path + suffix)
		must(t, err)
		must(t, os.WriteFile(copied+suffix, content, 0o600))
	}
	must(t, os.Chmod(copied, 0o644))
	must(t, os.Chmod(copied+"-wal", 0o666))
	db := openAt(t, copied)
	keep(t, db, 2, "kept, too")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(copied + suffix)
		must(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", filepath.Base(copied+suffix), mode)
		}
	}
	if got := find(t, db, 1); got != "kept" {
		t.Errorf("the answer is %q", got)
	}
}

func TestAnyFileNameIsFine(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a#b.db", "100%.db", "a&b=c.db", "ü.db", ":memory:", "file:x.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			db := openAt(t, path)
			keep(t, db, 1, "x")
			closeDB(t, db)
			if info, err := os.Stat(path); err != nil || info.Size() == 0 {
				t.Errorf("the database is not where it was asked for: %v", err)
			}
		})
	}
}

func TestASecondUserOfTheFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, filepath.Join(dir, "connector.db"))
	link := filepath.Join(dir, "link.db")
	must(t, os.Symlink(db.path, link))

	for _, path := range []string{db.path, link} {
		if second, err := Open(t.Context(), Options{Path: path}); !errors.Is(err, ErrInUse) {
			t.Errorf("a second open of %s returned %v, %v, want ErrInUse", filepath.Base(path), second, err)
		}
	}
	out, err := openInAnotherProcess(t, db.path)
	if err == nil || !strings.Contains(out, ErrInUse.Error()) {
		t.Errorf("another process said %q (%v), want %q", out, err, ErrInUse)
	}
	if got := find(t, db, 1); got != "" {
		t.Errorf("the first user is disturbed: %q", got)
	}
	closeDB(t, db)
	if out, err := openInAnotherProcess(t, db.path); err != nil {
		t.Errorf("after closing, another process said %q (%v)", out, err)
	}
}

func openInAnotherProcess(t *testing.T, path string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), openVariable+"="+path)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	db := openNew(t)
	_, err := db.writer.pool.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	must(t, err)
	closeDB(t, db)

	_, err = Open(t.Context(), Options{Path: db.path})
	if newer := (*VersionError)(nil); !errors.As(err, &newer) || newer.Found != 9999 || newer.Known < 1 {
		t.Errorf("opening returned %v, want a version error", err)
	}
}

func TestAFileThatIsNoDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	must(t, os.WriteFile(path, []byte(strings.Repeat("this is a letter to my aunt. ", 200)), 0o600))
	_, err := Open(t.Context(), Options{Path: path})
	if storage := (*StorageError)(nil); !errors.As(err, &storage) || storage.Fault != Damaged {
		t.Errorf("opening returned %v, want a storage error that says damaged", err)
	}
}

func TestAKeyFileThatCannotBeTrustedIsRefused(t *testing.T) {
	other := openNew(t)
	closeDB(t, other)
	foreign, err := os.ReadFile(other.path + ".key")
	must(t, err)

	tests := []struct {
		name   string
		spoil  func(file string) error
		reason string
	}{
		{"readable by the group", func(f string) error { return os.Chmod(f, 0o640) }, "chmod 600"},
		{"readable by others", func(f string) error { return os.Chmod(f, 0o604) }, "chmod 600"},
		{"missing", os.Remove, "is missing"},
		{"a pipe", func(f string) error { return errors.Join(os.Remove(f), syscall.Mkfifo(f, 0o600)) }, "is no regular file"},
		{"a directory", func(f string) error { return errors.Join(os.Remove(f), os.Mkdir(f, 0o700)) }, "is no regular file"},
		{"of another database", func(f string) error { return os.WriteFile(f, foreign, 0o600) }, "does not belong"},
		{"cut short", func(f string) error { return os.Truncate(f, 40) }, "holds no master keys"},
		{"empty", func(f string) error { return os.Truncate(f, 0) }, "holds no master keys"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db := openNew(t)
			keep(t, db, 1, "kept")
			closeDB(t, db)
			file := db.path + ".key"
			good, err := os.ReadFile(file)
			must(t, err)

			must(t, test.spoil(file))
			_, err = Open(t.Context(), Options{Path: db.path})
			refused := (*KeyFileError)(nil)
			if !errors.As(err, &refused) || !strings.Contains(refused.Reason, test.reason) || refused.Path != file {
				t.Fatalf("opening returned %v, want a key file error that says %q", err, test.reason)
			}
			_ = os.Remove(file) // It may be gone; its mode must not stay.
			must(t, os.WriteFile(file, good, 0o600))
			if got := find(t, openAt(t, db.path), 1); got != "kept" {
				t.Errorf("with the key file restored the answer is %q", got)
			}
		})
	}
}

func TestADamagedKeyFileIsNeverQuoted(t *testing.T) {
	db := openNew(t)
	closeDB(t, db)
	file := db.path + ".key"
	must(t, os.WriteFile(file, []byte(`{"primaryKeyId":1,"key":[{"keyId":"CANARY-key-material"}]}`), 0o600))
	_, err := Open(t.Context(), Options{Path: db.path})
	if err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("opening returned %v", err)
	}
}

func TestAFailedOpenLeavesTheFileFree(t *testing.T) {
	db := openNew(t)
	closeDB(t, db)
	file := db.path + ".key"
	must(t, os.Rename(file, file+".away"))
	if _, err := Open(t.Context(), Options{Path: db.path}); err == nil {
		t.Fatal("opened without the key file")
	}
	must(t, os.Rename(file+".away", file))
	openAt(t, db.path)
}

func TestAMissingDirectoryIsRefused(t *testing.T) {
	_, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "none", "connector.db")})
	if !errors.As(err, new(*StorageError)) {
		t.Errorf("opening returned %v, want a storage error", err)
	}
	if _, err := Open(t.Context(), Options{}); err == nil {
		t.Error("opened a database without a path")
	}
}

func TestAClosedDatabaseSaysSo(t *testing.T) {
	db := openNew(t)
	closeDB(t, db)
	closeDB(t, db)
	calls := map[string]error{
		"keep":     db.KeepAnswer(t.Context(), [32]byte{}, connector.Answer{}, noon.Add(time.Hour)),
		"writable": db.Writable(t.Context()),
		"maintain": db.Maintain(t.Context()),
		"rotate":   db.RotateMasterKey(t.Context()),
	}
	_, _, calls["find"] = db.FindAnswer(t.Context(), [32]byte{}, noon)
	_, calls["prune"] = db.PruneAnswers(t.Context(), noon, 1)
	_, calls["stats"] = db.Stats(t.Context())
	for name, err := range calls {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s returned %v, want ErrClosed", name, err)
		}
	}
}
