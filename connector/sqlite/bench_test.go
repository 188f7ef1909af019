package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"runtime"
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
