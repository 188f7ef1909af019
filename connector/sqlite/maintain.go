package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"
)

const (
	// keepFree is how many free pages stay in the file: the next writes will want them.
	keepFree = 256
	// vacuumPages is how many pages one step gives back, and vacuumSteps how many steps one
	// Maintain takes, so that writes get their turn.
	vacuumPages = 512
	vacuumSteps = 64
	// checkpointWait bounds, in milliseconds, how long the writer stands still for readers.
	checkpointWait = 250
	// bigWAL is the size in bytes from which the write-ahead log is folded in.
	bigWAL = 4 << 20
)

// Stats are numbers for metrics.
type Stats struct {
	FileBytes int64 // the database file
	WALBytes  int64 // the write-ahead log
	Pages     int64 // pages of the database, the log's included
	FreePages int64 // pages of it that hold nothing
	Queued    int   // writes that wait
}

// Stats returns the present numbers.
func (db *DB) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Queued: len(db.writer.queue)}
	err := db.read(ctx, "stats", func(ctx context.Context, tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "PRAGMA page_count").Scan(&s.Pages); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&s.FreePages)
	})
	if err != nil {
		return Stats{}, err
	}
	// Files are looked at, never opened: closing one would drop SQLite's locks on it.
	if s.FileBytes, err = fileSize(db.path); err != nil {
		return Stats{}, storageError("stats", err)
	}
	if s.WALBytes, err = fileSize(db.path + "-wal"); err != nil {
		return Stats{}, storageError("stats", err)
	}
	return s, nil
}

// Backlog is what waits.
type Backlog struct {
	// OldestDue is since when the watch waits that has waited longest; zero if none is due.
	OldestDue time.Time
	// Pending counts deliveries that wait; OldestPending is when the oldest of them was made.
	Pending       int
	OldestPending time.Time
	// Callbacks counts those that are not done.
	Callbacks int
}

// Backlog returns what waits at now.
func (db *DB) Backlog(ctx context.Context, now time.Time) (b Backlog, err error) {
	if b.OldestDue, err = db.oldestDue(ctx, now); err != nil {
		return Backlog{}, err
	}
	err = db.read(ctx, "measure the backlog", func(ctx context.Context, tx *sql.Tx) error {
		var oldest int64
		if err := tx.QueryRowContext(ctx, "SELECT count(*), coalesce(min(created_at), 0) FROM deliveries WHERE state = 'pending'").Scan(&b.Pending, &oldest); err != nil {
			return err
		}
		b.OldestPending = moment(oldest)
		return tx.QueryRowContext(ctx, "SELECT count(*) FROM callbacks WHERE next_attempt_at IS NOT NULL").Scan(&b.Callbacks)
	})
	return b, err
}

// oldestDue returns since when the watch waits that has waited longest; zero if none is due.
func (db *DB) oldestDue(ctx context.Context, now time.Time) (time.Time, error) {
	next, err := db.nextDue(ctx, "[]")
	if err != nil || next.After(now) {
		return time.Time{}, err
	}
	return next, nil
}

// fileSize returns the size of a file, 0 if there is none.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Writable proves by a write of its own that writes become durable.
func (db *DB) Writable(ctx context.Context) error {
	return db.write(ctx, "heartbeat", func(ctx context.Context, tx *sql.Tx) error {
		_, err := db.writer.exec(ctx, tx, "UPDATE heartbeat SET beats = beats + 1 WHERE only = 1")
		return err
	})
}

// Maintain gives space back that deleted rows have left, and folds a big write-ahead log into
// the database. It works in small steps and waits its turn between them; what one call does not
// finish the next one does. Call it every few minutes.
func (db *DB) Maintain(ctx context.Context) error {
	shrunk, err := db.vacuum(ctx)
	if err != nil {
		return err
	}
	wal, err := fileSize(db.path + "-wal")
	if err != nil {
		return storageError("maintain", err)
	}
	if !shrunk && wal < bigWAL {
		return nil
	}
	return db.checkpoint(ctx) // The file shrinks only when the log has been folded in.
}

// vacuum hands free pages back and reports whether there were any.
func (db *DB) vacuum(ctx context.Context) (shrunk bool, err error) {
	for range vacuumSteps {
		var free int64
		err := db.writer.alone(ctx, "vacuum", func(pool *sql.DB) error {
			if err := pool.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil {
				return err
			}
			free -= keepFree
			if free <= 0 {
				return nil
			}
			_, err := pool.ExecContext(ctx, "PRAGMA incremental_vacuum("+strconv.FormatInt(min(free, vacuumPages), 10)+")")
			return err
		})
		if err != nil || free <= 0 {
			return shrunk, err
		}
		shrunk = true
	}
	return shrunk, nil
}

// checkpoint folds the write-ahead log into the database and cuts it to nothing. A reader that
// does not end in time stops it halfway; that is no failure, the next one goes on.
func (db *DB) checkpoint(ctx context.Context) error {
	return db.writer.alone(ctx, "checkpoint", func(pool *sql.DB) error { return foldLog(ctx, pool) })
}

func foldLog(ctx context.Context, pool *sql.DB) (err error) {
	if _, err := pool.ExecContext(ctx, "PRAGMA busy_timeout = "+strconv.Itoa(checkpointWait)); err != nil {
		return err
	}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		_, e := pool.ExecContext(ctx, "PRAGMA busy_timeout = "+strconv.FormatInt(busyTimeout.Milliseconds(), 10))
		err = errors.Join(err, e)
	}()
	var busy, pages, folded int
	return pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &folded)
}
