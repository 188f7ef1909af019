package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"
)

func TestPruningLooksAtNoRowThatItDoesNotDelete(t *testing.T) {
	db := openNew(t)
	keep := Retention{Events: time.Hour, Runs: time.Hour, Attempts: time.Hour}
	// The oldest events are first in the table; what waits is what somebody may still deliver.
	bounded := map[string]string{"events": "SCAN events", "late deliveries": "SCAN deliveries USING INDEX deliveries_pending"}
	for _, p := range keep.prunings(noon, 500) {
		plan := explain(t, db, p.find, p.args...)
		for _, line := range plan {
			if strings.HasPrefix(line, "SCAN") && line != bounded[p.name] && !strings.HasPrefix(line, "SCAN (subquery") {
				t.Errorf("%s: %q", p.name, plan)
			}
		}
	}
}

// explain returns the lines of SQLite's plan of a query.
func explain(t *testing.T, db *DB, query string, args ...any) (plan []string) {
	t.Helper()
	must(t, db.read(t.Context(), "explain", func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			return err
		}
		plan, err = collect(rows, func(scan func(...any) error) (detail string, err error) {
			var a, b, c int
			err = scan(&a, &b, &c, &detail)
			return detail, err
		})
		return err
	}))
	return plan
}

func TestAKeyThatWasRotatedAwayIsForgottenOnceItSignsNoMore(t *testing.T) {
	h, db := newHarness(t)
	h.Queue("a", "https://one.example/1", 1)
	_, err := db.Rotate(t.Context(), h.Key("a"), h.Key("b"), h.Clock())
	must(t, err)
	keep := Retention{Events: 100 * time.Hour, Runs: 100 * time.Hour, Attempts: 100 * time.Hour}
	for _, c := range []struct {
		pass time.Duration
		want int
	}{{24*time.Hour - time.Minute, 1}, {2 * time.Minute, 0}} {
		h.Pass(c.pass)
		_, err := db.Prune(t.Context(), keep, h.Clock(), 500)
		must(t, err)
		if got := count(t, db, "SELECT count(*) FROM connections WHERE previous_key IS NOT NULL OR previous_until IS NOT NULL"); got != c.want {
			t.Errorf("%d previous keys, want %d", got, c.want)
		}
	}
}
