package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"runtime"
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
