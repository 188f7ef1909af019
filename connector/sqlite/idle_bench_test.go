package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// BenchmarkDueAmongIdle measures what claiming and settling one due watch costs among 1,000 and
// among 1,000,000 that are not due, and what the crowd costs at start and in memory.
//
//	go test ./connector/sqlite -run '^$' -bench DueAmongIdle
func BenchmarkDueAmongIdle(b *testing.B) {
	for _, idle := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("idle=%d", idle), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "idle.db")
			crowd(b, path, idle)
			began := time.Now()
			db, err := Open(context.Background(), Options{Path: path})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			ctx, now := context.Background(), time.UnixMilli(2_000)
			if err := db.ReleaseClaims(ctx, now); err != nil {
				b.Fatal(err)
			}
			start := time.Since(began)
			b.ResetTimer()
			for range b.N {
				claims, _, err := db.ClaimDue(ctx, now, time.Minute, 10, 4, nil)
				if err != nil || len(claims) != 1 {
					b.Fatal(len(claims), err)
				}
				due := time.UnixMilli(1_000)
				if err := db.Settle(ctx, triggers.Settlement{Claim: claims[0], State: triggers.Active, DueAt: due, NextRunAt: due, At: now}); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			// What an idle connector does once a minute.
			tidied := time.Now()
			if _, err := db.Prune(ctx, Retention{Events: time.Hour, Runs: time.Hour, Attempts: time.Hour}, now, 500); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(tidied).Microseconds())/1000, "prune-ms")
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(start.Milliseconds()), "start-ms")
			b.ReportMetric(float64(m.Sys)/(1<<20), "MB")
		})
	}
}

// crowd writes a database with one watch that is due and many that are not, ten to a connection.
func crowd(b *testing.B, path string, idle int) {
	b.Helper()
	ctx := context.Background()
	db, err := Open(ctx, Options{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.writer.alone(ctx, "crowd", func(pool *sql.DB) error {
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		sealed, err := db.vault.Seal([]byte("sk_live_bench_0000"), keyColumn.place("con_0"))
		if err != nil {
			return err
		}
		for _, s := range []struct {
			query string
			args  []any
		}{
			{`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 / 10)
				INSERT INTO connections (id, key_hash, key, created_at) SELECT 'con_' || i, CAST(printf('%032d', i) AS BLOB), ?2, 0 FROM n`, []any{idle, sealed}},
			{`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
				INSERT INTO watches (id, connection_id, account_id, research, schedule, timezone, state, due_at, next_run_at, polled_at, created_at)
				SELECT 'wch_' || i, 'con_' || (i / 10), '', '{"topic":"' || i || '"}', '@daily', 'UTC', 'active',
				CASE WHEN i = 0 THEN 1000 ELSE 9000000000000 + i END, CASE WHEN i = 0 THEN 1000 ELSE 9000000000000 + i END, 1000, 1000 FROM n`, []any{idle}},
		} {
			if _, err := tx.ExecContext(ctx, s.query, s.args...); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
	if err != nil {
		b.Fatal(err)
	}
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
