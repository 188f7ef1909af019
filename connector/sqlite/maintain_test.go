package sqlite

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
)

func TestDeletedRowsGiveTheirSpaceBack(t *testing.T) {
	db := openNew(t)
	for i := range byte(20) {
		must(t, db.KeepAnswer(t.Context(), [32]byte{i}, connector.Answer{Body: large}, noon.Add(time.Minute)))
	}
	must(t, db.Maintain(t.Context()))
	full, err := db.Stats(t.Context())
	must(t, err)
	if full.FileBytes < 20<<20 || full.WALBytes != 0 || full.Pages < 5000 {
		t.Fatalf("full, it is %+v: want 20 MiB in the file and nothing in the log", full)
	}
	if _, err := db.PruneAnswers(t.Context(), noon.Add(time.Hour), 100); err != nil {
		t.Fatal(err)
	}
	pruned, err := db.Stats(t.Context())
	must(t, err)
	if pruned.FreePages < 5000 {
		t.Errorf("pruned, %d pages are free, want most of %d", pruned.FreePages, pruned.Pages)
	}
	must(t, db.Maintain(t.Context()))
	small, err := db.Stats(t.Context())
	must(t, err)
	if small.FileBytes > 2<<20 || small.FreePages > keepFree || small.WALBytes != 0 {
		t.Errorf("maintained, it is %+v: want at most 2 MiB", small)
	}
	wantSound(t, db)
}

func TestASmallLogIsLeftAlone(t *testing.T) {
	db := openNew(t)
	must(t, db.Writable(t.Context()))
	before := walSize(t, db)
	must(t, db.Maintain(t.Context()))
	if after := walSize(t, db); before == 0 || after != before {
		t.Errorf("the log had %d bytes and has %d", before, after)
	}
}

func TestAReaderDelaysTheFoldingOfTheLogAndNothingElse(t *testing.T) {
	db := openNew(t)
	must(t, db.read(t.Context(), "slow", func(ctx context.Context, tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM answers").Scan(&n); err != nil {
			return err
		}
		for i := range byte(6) {
			must(t, db.KeepAnswer(t.Context(), [32]byte{i}, connector.Answer{Body: large}, noon.Add(time.Hour)))
		}
		must(t, db.Maintain(t.Context()))
		must(t, db.Writable(t.Context()))
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM answers").Scan(&n); err != nil || n != 0 {
			t.Errorf("the reader's state has changed: %d answers, %v", n, err)
		}
		return nil
	}))
	if walSize(t, db) < bigWAL {
		t.Error("the log was folded in under a reader")
	}
	must(t, db.Maintain(t.Context()))
	if size := walSize(t, db); size != 0 {
		t.Errorf("without the reader the log still has %d bytes", size)
	}
	var timeout string
	must(t, db.writer.pool.QueryRow("PRAGMA busy_timeout").Scan(&timeout))
	if timeout != "5000" {
		t.Errorf("maintaining left the busy timeout at %s ms", timeout)
	}
}

func TestWritableWritesForReal(t *testing.T) {
	db := openNew(t)
	for range 3 { // All at noon: a probe must write even if the clock stands still.
		before := walSize(t, db)
		must(t, db.Writable(t.Context()))
		if after := walSize(t, db); after <= before {
			t.Errorf("the log had %d bytes before the probe and has %d after it", before, after)
		}
	}
}
