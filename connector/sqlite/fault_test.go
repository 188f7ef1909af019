package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
)

// wantFault checks that err is a storage error with one of the faults.
func wantFault(t *testing.T, err error, faults ...Fault) {
	t.Helper()
	storage := (*StorageError)(nil)
	if !errors.As(err, &storage) {
		t.Errorf("got %v, want a storage error", err)
		return
	}
	for _, fault := range faults {
		if storage.Fault == fault {
			return
		}
	}
	t.Errorf("got the fault %q (%v), want %q", storage.Fault, err, faults)
}

// onWriter runs a statement on the writer's connection, outside transactions.
func onWriter(t *testing.T, db *DB, query string) {
	t.Helper()
	must(t, db.writer.alone(context.Background(), query, func(pool *sql.DB) error {
		_, err := pool.Exec(query)
		return err
	}))
}

// wantSound checks that SQLite finds nothing wrong with the database.
func wantSound(t *testing.T, db *DB) {
	t.Helper()
	var verdict string
	must(t, db.readers.QueryRow("PRAGMA integrity_check").Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("the database is damaged: %s", verdict)
	}
}

// large is a body of 1 MiB that does not compress into anything.
var large = bytes.Repeat([]byte("0123456789abcdef"), 1<<16)

func TestAFullDatabaseRefusesAndRecovers(t *testing.T) {
	db := openNew(t)
	keep(t, db, 1, "before")
	onWriter(t, db, "PRAGMA max_page_count = 64")

	release := occupy(t, db)
	type outcome struct{ small, big error }
	outcomes := make(chan outcome)
	jobs := queue(t, db, insert("small"), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO secrets (name, sealed) VALUES ('mark big', ?)", large)
		return err
	})
	go func() { outcomes <- outcome{jobs[0].wait(t.Context()), jobs[1].wait(t.Context())} }()
	release()
	o := <-outcomes
	wantFault(t, o.big, DiskFull)
	if o.small != nil {
		wantFault(t, o.small, DiskFull) // SQLite may take the whole group back; it must not half keep it.
	}
	if got := marks(t, db); (got == "small") != (o.small == nil) || strings.Contains(got, "big") {
		t.Errorf("the database holds %q after small returned %v", got, o.small)
	}
	wantFault(t, db.KeepAnswer(t.Context(), [32]byte{2}, connector.Answer{Body: large}, noon.Add(time.Hour)), DiskFull)
	if got := find(t, db, 1); got != "before" {
		t.Errorf("while the disk is full the answer reads %q", got)
	}

	onWriter(t, db, "PRAGMA max_page_count = 1000000")
	must(t, db.KeepAnswer(t.Context(), [32]byte{2}, connector.Answer{Body: large}, noon.Add(time.Hour)))
	must(t, db.Writable(t.Context()))
	wantSound(t, db)
}

// A file size limit makes the kernel refuse writes in the middle, as a disk does.
func TestAWriteThatTheKernelRefusesIsTakenBackAndTheWriterRecovers(t *testing.T) {
	db := openNew(t)
	keep(t, db, 1, "before")
	restore := limitFiles(t, 256<<10)

	wantFault(t, db.KeepAnswer(t.Context(), [32]byte{2}, connector.Answer{Body: large}, noon.Add(time.Hour)), IOFailure, DiskFull)
	if got := find(t, db, 1); got != "before" {
		t.Errorf("while the disk fails the answer reads %q", got)
	}
	var failed error
	for range 200 { // Until the log itself has grown up to the limit.
		if failed = db.Writable(t.Context()); failed != nil {
			break
		}
	}
	wantFault(t, failed, IOFailure, DiskFull)

	restore()
	must(t, db.Writable(t.Context()))
	if got := find(t, db, 2); got != "" {
		t.Error("the refused answer is there after all")
	}
	must(t, db.KeepAnswer(t.Context(), [32]byte{2}, connector.Answer{Body: large}, noon.Add(time.Hour)))
	must(t, db.Maintain(t.Context()))
	wantSound(t, db)
	closeDB(t, db)
	db = openAt(t, db.path)
	if got := find(t, db, 2); got != string(large) {
		t.Errorf("after opening again the answer has %d bytes, want %d", len(got), len(large))
	}
}

func TestAKeyFileThatCannotBeWrittenStopsARotationWithoutLoss(t *testing.T) {
	db := openNew(t)
	keep(t, db, 1, "kept")
	before, err := os.ReadFile(db.vault.file)
	must(t, err)
	restore := limitFiles(t, 16)
	if err := db.RotateMasterKey(t.Context()); !errors.As(err, new(*KeyFileError)) {
		t.Errorf("rotating returned %v, want a key file error", err)
	}
	restore()
	after, err := os.ReadFile(db.vault.file)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the key file has changed")
	}
	if got := find(t, db, 1); got != "kept" {
		t.Errorf("the answer reads %q", got)
	}
	must(t, db.RotateMasterKey(t.Context()))
}

// limitFiles lets no file of this process grow beyond size bytes until restore is called.
func limitFiles(t *testing.T, size uint64) (restore func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // Without it the kernel kills instead of refusing.
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: limit.Max}))
	restore = func() {
		must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
		signal.Reset(syscall.SIGXFSZ)
	}
	t.Cleanup(restore)
	return restore
}

func TestADatabaseThatTurnsReadOnlyRefusesAndRecovers(t *testing.T) {
	db := openNew(t)
	keep(t, db, 1, "before")
	onWriter(t, db, "PRAGMA query_only = ON")
	wantFault(t, db.Writable(t.Context()), ReadOnly)
	wantFault(t, db.KeepAnswer(t.Context(), [32]byte{2}, connector.Answer{}, noon.Add(time.Hour)), ReadOnly)
	if got := find(t, db, 1); got != "before" {
		t.Errorf("while it is read-only the answer reads %q", got)
	}
	onWriter(t, db, "PRAGMA query_only = OFF")
	must(t, db.Writable(t.Context()))
	keep(t, db, 2, "after")
}

func TestAProgramThatHoldsTheFileIsNamedAndOutlived(t *testing.T) {
	db := openNew(t)
	tool, err := openWriter(t.Context(), db.path)
	must(t, err)
	defer tool.Close()
	onWriter(t, db, "PRAGMA busy_timeout = 0")
	tx, err := tool.Begin()
	must(t, err)
	wantFault(t, db.Writable(t.Context()), Locked)
	must(t, tx.Rollback())
	must(t, db.Writable(t.Context()))
}

func TestAWriteInALostTransactionFailsItsWholeGroup(t *testing.T) {
	db := openNew(t)
	release := occupy(t, db)
	jobs := queue(t, db, insert("a"), func(ctx context.Context, tx *sql.Tx) error {
		// What SQLite does by itself when the disk fails in the wrong moment.
		_, err := tx.ExecContext(ctx, "ROLLBACK")
		return errors.Join(err, syscall.EIO)
	}, insert("b"))
	release()
	wantFault(t, jobs[0].wait(t.Context()), IOFailure)
	wantFault(t, jobs[1].wait(t.Context()), IOFailure)
	must(t, jobs[2].wait(t.Context()))
	if got := marks(t, db); got != "b" {
		t.Errorf("the database holds %q, want b: it ran in a group of its own", got)
	}
}

func TestAFileOrDirectoryThatMayNotBeWrittenIsRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		runAsNobody(t)
		return
	}
	t.Run("file", func(t *testing.T) {
		db := openNew(t)
		keep(t, db, 1, "kept")
		closeDB(t, db)
		must(t, os.Chmod(db.path, 0o400))
		_, err := Open(t.Context(), Options{Path: db.path})
		wantFault(t, err, ReadOnly)
		must(t, os.Chmod(db.path, 0o600))
		if got := find(t, openAt(t, db.path), 1); got != "kept" {
			t.Errorf("with the mode restored the answer is %q", got)
		}
	})
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Chmod(dir, 0o500))
		_, err := Open(t.Context(), Options{Path: filepath.Join(dir, "connector.db")})
		wantFault(t, err, ReadOnly)
		must(t, os.Chmod(dir, 0o700))
		openAt(t, filepath.Join(dir, "connector.db"))
	})
	t.Run("directory of the key file", func(t *testing.T) {
		dir := t.TempDir()
		db, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "connector.db"), MasterKeyFile: filepath.Join(dir, "key")})
		must(t, err)
		defer closeDB(t, db)
		keep(t, db, 1, "kept")
		must(t, os.Chmod(dir, 0o500))
		if err := db.RotateMasterKey(t.Context()); !errors.As(err, new(*KeyFileError)) {
			t.Errorf("rotating returned %v, want a key file error", err)
		}
		must(t, os.Chmod(dir, 0o700))
		if got := find(t, db, 1); got != "kept" {
			t.Errorf("the answer reads %q", got)
		}
	})
}

// runAsNobody runs the calling test in a process that file modes bind: they do not bind root.
func runAsNobody(t *testing.T) {
	t.Helper()
	const nobody = 65534
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755)) // nobody has to pass through it.
	self, err := os.Executable()
	must(t, err)
	program, err := os.ReadFile(self)
	must(t, err)
	copied := filepath.Join(dir, "sqlite.test")
	must(t, os.WriteFile(copied, program, 0o755))
	home := filepath.Join(dir, "home")
	must(t, os.Mkdir(home, 0o700))
	must(t, os.Chown(home, nobody, nobody))

	cmd := exec.CommandContext(t.Context(), copied, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "TMPDIR="+home)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}
