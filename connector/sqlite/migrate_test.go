package sqlite

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
)

func TestPausesFromBeforeSubscriptionsRememberedThemAreNotToldAgain(t *testing.T) {
	pool, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "old.db"))
	must(t, err)
	defer func() { _ = pool.Close() }()
	files, err := fs.Sub(migrations, "migrations")
	must(t, err)
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files, goose.WithDisableGlobalRegistry(true))
	must(t, err)
	_, err = provider.UpTo(t.Context(), 4)
	must(t, err)
	for _, query := range []string{
		"INSERT INTO connections (id, key_hash, key, created_at) VALUES ('con', zeroblob(32), x'00', 1)",
		`INSERT INTO watches (id, connection_id, account_id, research, schedule, timezone, state, failure, next_run_at, polled_at, created_at) VALUES
			('paused', 'con', '', '1', '@daily', 'UTC', 'paused', '{"code":"FORBIDDEN"}', 1, 1, 1),
			('failed', 'con', '', '2', '@daily', 'UTC', 'active', '{"code":"INTERNAL_ERROR"}', 1, 1, 1)`,
		`INSERT INTO subscriptions (id, connection_id, platform, watch_id, feed_id, trigger, target, target_hash, host, token, state, created_at) VALUES
			('1', 'con', 'make', 'paused', '', '', x'00', zeroblob(32), '', x'00', 'active', 1),
			('2', 'con', 'n8n', 'failed', '', '', x'00', zeroblob(32), '', x'00', 'active', 1),
			('3', 'con', 'zapier', 'none', '', '', x'00', zeroblob(32), '', x'00', 'active', 1)`,
	} {
		_, err := pool.ExecContext(t.Context(), query)
		must(t, err)
	}
	_, err = provider.Up(t.Context())
	must(t, err)
	var told string
	must(t, pool.QueryRowContext(t.Context(), "SELECT group_concat(id || told, ' ' ORDER BY id) FROM subscriptions").Scan(&told))
	if told != "1FORBIDDEN 2 3" {
		t.Errorf("told of %q", told)
	}
}
