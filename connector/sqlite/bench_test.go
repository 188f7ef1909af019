package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// BenchmarkWrite compares the writer with plain database/sql at one commit a write, on the same
// file settings.
func BenchmarkWrite(b *testing.B) {
	const query = "INSERT INTO answers (id, sealed, expires_at) VALUES (?, ?, 0)"
	sealed := make([]byte, 512)
	ways := map[string]func(*DB) func(context.Context, []byte) error{
		"group": func(db *DB) func(context.Context, []byte) error {
			return func(ctx context.Context, id []byte) error {
				return db.write(ctx, "bench", func(ctx context.Context, tx *sql.Tx) error {
					_, err := db.writer.exec(ctx, tx, query, id, sealed)
					return err
				})
			}
		},
		"single": func(db *DB) func(context.Context, []byte) error {
			s, err := db.writer.pool.Prepare(query)
			must(b, err)
			b.Cleanup(func() { _ = s.Close() })
			return func(ctx context.Context, id []byte) error {
				_, err := s.ExecContext(ctx, id, sealed)
				return err
			}
		},
	}
	for _, way := range []string{"group", "single"} {
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/writers=%d", way, writers), func(b *testing.B) {
				db := openNew(b)
				write := ways[way](db)
				if writers == 1 {
					for b.Loop() {
						must(b, write(b.Context(), newID()))
					}
					return
				}
				b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := write(b.Context(), newID()); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

func newID() []byte {
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	return id
}

// BenchmarkRawRows is the bare rate at which the file takes the rows of runs, 128 runs a commit, as
// the writer groups them under load: what BenchmarkRuns of package connector is compared with.
//
//	go test ./connector/sqlite -run '^$' -bench RawRows -benchtime 20000x
func BenchmarkRawRows(b *testing.B) {
	path := filepath.Join(b.TempDir(), "raw.db")
	crowd(b, path, 2_000)
	ctx := context.Background()
	db, err := Open(ctx, Options{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	keywords := `[` + strings.Repeat(`{"keyword":"home espresso idea","competitionScore":0.42,"trendDirection":"rising","longTail":["for beginners","on a budget"]},`, 19) + `{"keyword":"last"}]`
	if _, err := db.writer.pool.ExecContext(ctx, "INSERT INTO feeds SELECT 'fee_' || id, id, 'new-keyword', '{}', 0 FROM watches"); err != nil {
		b.Fatal(err)
	}
	rows := []struct {
		query string
		args  func(run int, watch string) []any
	}{
		{"UPDATE watches SET claimed = 1, lease = lease + 1 WHERE id = ?", func(_ int, w string) []any { return []any{w} }},
		{"UPDATE watches SET claimed = 0, next_run_at = ?, runs = runs + 1 WHERE id = ?", func(run int, w string) []any { return []any{run, w} }},
		{"INSERT INTO occurrences VALUES (?, ?, 'ran', '', 1, 0)", func(run int, w string) []any { return []any{w, run} }},
		{"INSERT INTO results VALUES (?, '', 0, 0, ?) ON CONFLICT DO UPDATE SET keywords = excluded.keywords", func(_ int, w string) []any { return []any{w, keywords} }},
		{"INSERT INTO known VALUES (?, ?, 'k', 0.5, 'rising') ON CONFLICT DO UPDATE SET score = excluded.score", func(run int, w string) []any { return []any{w, fmt.Sprint("a", run%20)} }},
		{"INSERT INTO known VALUES (?, ?, 'k', 0.5, 'rising') ON CONFLICT DO UPDATE SET score = excluded.score", func(run int, w string) []any { return []any{w, fmt.Sprint("b", run%20)} }},
		{"INSERT INTO events (id, feed_id, occurred_at, baseline, body) VALUES (?, ?, 0, 0, ?)", func(run int, w string) []any { return []any{fmt.Sprint(run), "fee_" + w, keywords[:500]} }},
		{"INSERT INTO runs VALUES (?, ?, 0, 0, 20, 1, '')", func(run int, w string) []any { return []any{fmt.Sprint(run), w} }},
	}
	b.ResetTimer()
	for run := 0; run < b.N; {
		tx, err := db.writer.pool.BeginTx(ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		for range 128 {
			for _, row := range rows {
				if _, err := db.writer.exec(ctx, tx, row.query, row.args(run, fmt.Sprint("wch_", run%2000))...); err != nil {
					b.Fatal(err)
				}
			}
			run++
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		db.writer.prepareMissed()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}
