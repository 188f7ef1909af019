package sqlite

import (
	"runtime"
	"testing"
)

func TestCloseRunsWhatWaits(t *testing.T) {
	db := openNew(t)
	release := occupy(t, db)
	jobs := queue(t, db, insert("a"), insert("b"))
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	for isClosed := false; !isClosed; runtime.Gosched() {
		db.writer.mu.RLock()
		isClosed = db.writer.closed
		db.writer.mu.RUnlock()
	}
	release()
	must(t, <-closed)
	for _, j := range jobs {
		must(t, j.wait(t.Context()))
	}
	db = openAt(t, db.path)
	if got := marks(t, db); got != "a b" {
		t.Errorf("the database holds %q, want a b", got)
	}
}

// SQLite folds the log in by itself when the last connection closes; with a backup tool beside us
// ours is not the last.
func TestCloseFoldsTheLogInThoughAToolHasTheFileOpen(t *testing.T) {
	db := openNew(t)
	tool, err := openReaders(db.path)
	must(t, err)
	defer tool.Close()
	must(t, tool.Ping())
	must(t, db.Writable(t.Context()))
	closeDB(t, db)
	if size := walSize(t, db); size != 0 {
		t.Errorf("closing left a log of %d bytes", size)
	}
}
