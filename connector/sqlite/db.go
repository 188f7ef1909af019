// Package sqlite is the connector's one database: SQL, migrations, and the encryption of what
// must not lie in clear.
//
// One goroutine writes and groups what waits into one durable commit. Reads have connections of
// their own and never wait for the writer. A value that must stay secret is sealed inside a write
// and opened inside a read or a write, never outside: that is what lets master keys rotate under
// load (see RotateMasterKey).
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Options says where the database lies.
type Options struct {
	// Path is the database file. It is created with mode 0600. Beside it lie the write-ahead log
	// (Path-wal, Path-shm) and the lock (Path.lock).
	Path string
	// MasterKeyFile holds the keys that everything secret is encrypted under; "" is Path.key. It
	// is created with mode 0600 on first start and belongs to one database only. Without it the
	// secrets in the database are lost, so it is backed up apart from the database.
	MasterKeyFile string
	// Logger is for what no caller can be told. Nil discards it.
	Logger *slog.Logger
	// Now is the clock. Nil is time.Now.
	Now func() time.Time
}

// DB is the open database. Its methods may be used by many goroutines at once.
type DB struct {
	path    string
	now     func() time.Time
	logger  *slog.Logger
	lock    *flock.Flock
	writer  *writer
	readers *sql.DB
	vault   *vault
	// kept are the reads that every run makes, prepared once.
	kept map[string]*sql.Stmt

	// reading is held shared by every read, so that Close and the last step of a rotation can
	// wait for the reads that began before them.
	reading  sync.RWMutex
	closed   bool // guarded by reading
	closing  sync.Once
	closeErr error
	rotating sync.Mutex
}

// Open opens the database, creates it on first start and brings its tables up to date.
//
// It fails with ErrInUse while another process, or another part of this one, has the same file
// open; with *KeyFileError if the master key file is missing, open to others or foreign; with
// *VersionError if a newer connector has written the database; and with *StorageError if the disk
// does not play along.
func Open(ctx context.Context, o Options) (*DB, error) {
	path, err := resolve(o.Path)
	if err != nil {
		return nil, fmt.Errorf("opening the database %q: %w", o.Path, storageError("open", err))
	}
	db := &DB{path: path, now: o.Now, logger: o.Logger}
	if db.now == nil {
		db.now = time.Now
	}
	if db.logger == nil {
		db.logger = slog.New(slog.DiscardHandler)
	}
	keyFile := o.MasterKeyFile
	if keyFile == "" {
		keyFile = path + ".key"
	}
	if err := db.open(ctx, keyFile); err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", path, errors.Join(err, db.release()))
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, keyFile string) error {
	if err := db.acquire(); err != nil {
		return err
	}
	pool, err := openWriter(ctx, db.path)
	if err != nil {
		return err
	}
	db.writer = startWriter(pool)
	keys, err := prepare(ctx, pool, keyFile, db.logger)
	if err != nil {
		return err
	}
	if db.readers, err = openReaders(db.path); err != nil {
		return err
	}
	if err := db.keepReads(ctx); err != nil {
		return err
	}
	db.vault = &vault{file: keyFile}
	db.vault.keys.Store(keys)
	return db.loadLookupSecret(ctx)
}

// acquire makes this the only user of the database file, and makes the file.
func (db *DB) acquire() error {
	db.lock = flock.New(db.path + ".lock")
	held, err := db.lock.TryLock()
	if err != nil {
		return storageError("lock", err)
	}
	if !held {
		return ErrInUse
	}
	// SQLite would create the file with the process's umask; WAL and shm files take its mode.
	f, err := os.OpenFile(db.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return storageError("open", err)
	}
	return storageError("open", errors.Join(f.Close(), db.closeToOthers()))
}

// closeToOthers takes the rights of other users away from the files, which a copy or a restore may
// have given them. Those that a crash has left keep their mode, so each is looked at.
func (db *DB) closeToOthers() error {
	for _, path := range []string{db.path, db.path + "-wal", db.path + "-shm"} {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			db.logger.Warn("the database was open to other users and is closed to them", "file", path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
			err = os.Chmod(path, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// resolve returns the one absolute name of a database file, so that the lock is the same however
// the file is called. The file itself need not exist.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("a database needs a path")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// Close waits for the writes and reads that have begun, folds the write-ahead log into the
// database and lets go of the file. Later calls of any method fail with ErrClosed; Close itself
// may be called again.
func (db *DB) Close() error {
	db.closing.Do(func() {
		db.reading.Lock()
		db.closed = true
		db.reading.Unlock()
		db.closeErr = db.release()
	})
	return db.closeErr
}

// release frees what Open has taken, as far as it got.
func (db *DB) release() error {
	var errs []error
	for _, s := range db.kept {
		errs = append(errs, s.Close())
	}
	if db.readers != nil {
		errs = append(errs, db.readers.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Unlock())
	}
	return errors.Join(errs...)
}

// write runs fn in the writer's next transaction and returns when it is durable. It returns
// ErrBusy at once if too many writes wait already, and ctx.Err() if ctx ends before fn's turn.
// Once begun fn runs to its end: the ctx that it gets carries the values of ctx, not its end,
// because an interrupted statement could take its neighbours' writes with it.
//
// An error of fn undoes what fn did and nothing else; fn must return the first error that it
// meets. fn must not keep tx, wait for another write, or do anything slow.
func (db *DB) write(ctx context.Context, name string, fn func(context.Context, *sql.Tx) error) error {
	settled := context.WithoutCancel(ctx)
	return db.writer.do(ctx, name, func(tx *sql.Tx) error { return fn(settled, tx) })
}

// read runs fn on one consistent state of the database. fn must not write, nor wait for a write.
func (db *DB) read(ctx context.Context, name string, fn func(context.Context, *sql.Tx) error) error {
	db.reading.RLock()
	defer db.reading.RUnlock()
	if db.closed {
		return ErrClosed
	}
	tx, err := db.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return storageError(name, err)
	}
	defer func() { _ = tx.Rollback() }() // There is nothing to keep, whatever happens.
	return storageError(name, fn(ctx, tx))
}

// keepReads prepares the reads that every run makes.
func (db *DB) keepReads(ctx context.Context) error {
	db.kept = map[string]*sql.Stmt{}
	for _, query := range []string{knownQuery, feedsQuery, marksQuery, nextDueQuery} {
		s, err := db.readers.PrepareContext(ctx, query) //nolint:sqlclosecheck // release does.
		if err != nil {
			return storageError("prepare", err)
		}
		db.kept[query] = s
	}
	return nil
}

// query is tx.QueryContext inside a read, for the queries that are kept.
func (db *DB) query(ctx context.Context, tx *sql.Tx, query string, args ...any) (*sql.Rows, error) {
	return tx.StmtContext(ctx, db.kept[query]).QueryContext(ctx, args...) //nolint:sqlclosecheck // the transaction closes it
}
