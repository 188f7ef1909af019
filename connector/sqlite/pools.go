package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strconv"
	"time"

	driver "modernc.org/sqlite"
)

const (
	// busyTimeout is how long a connection waits for a lock. There is one writer, so only tools
	// beside us (a backup, the sqlite3 shell) can hold one against us.
	busyTimeout = 5 * time.Second
	// walLimit is the size in bytes that the write-ahead log is cut back to.
	walLimit = 16 << 20
	// readConnections bounds the reads at one time; each has a page cache of 2 MB.
	readConnections = 4
)

// openWriter returns the pool that the writer owns: one connection, every transaction immediate.
func openWriter(ctx context.Context, path string) (*sql.DB, error) {
	pool, err := connect(path, url.Values{
		"mode":          {"rw"},
		"_txlock":       {"immediate"},
		"_auto_vacuum":  {"INCREMENTAL"}, // Takes effect before the first table only.
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"}, // A commit that was answered survives a power cut.
		"_foreign_keys": {"on"},
		"_pragma":       {"temp_store(MEMORY)", "journal_size_limit(" + strconv.Itoa(walLimit) + ")"},
	})
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	pool.SetMaxIdleConns(1)
	var mode string
	if err := pool.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		_ = pool.Close()
		return nil, storageError("open", err)
	}
	if mode != "wal" {
		_ = pool.Close()
		return nil, fmt.Errorf("the file system does not let SQLite share memory (journal mode is %q, not wal): put the database on a local disk", mode)
	}
	return pool, nil
}

// openReaders returns the pool of connections that can only read.
func openReaders(path string) (*sql.DB, error) {
	pool, err := connect(path, url.Values{
		"mode":        {"ro"},
		"_query_only": {"on"},
		"_pragma":     {"temp_store(MEMORY)"},
	})
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(readConnections)
	pool.SetMaxIdleConns(readConnections)
	return pool, nil
}

func connect(path string, parameters url.Values) (*sql.DB, error) {
	parameters.Set("_busy_timeout", strconv.FormatInt(busyTimeout.Milliseconds(), 10))
	name := (&url.URL{Path: path}).EscapedPath()
	connector, err := driver.NewConnector("file:" + name + "?" + parameters.Encode())
	if err != nil {
		return nil, fmt.Errorf("the path of the database: %w", err)
	}
	return sql.OpenDB(connector), nil
}
