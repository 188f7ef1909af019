package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

func TestATestWhoseTimeIsOverLeavesNothingToTheNextOne(t *testing.T) {
	h, db := newHarness(t)
	keep := Retention{Events: time.Hour, Runs: time.Hour, Attempts: time.Hour}
	test := func() triggers.Subscribed {
		t.Helper()
		made, err := db.SubscribeTest(h.Context(), triggers.Testing{
			Subscribing: h.Subscribing("a", "new-keyword", "espresso", "https://one.example/1"), Until: h.Clock().Add(150 * time.Second),
			Sample: []json.RawMessage{json.RawMessage(`{"keyword":"sample"}`)},
		})
		must(t, err)
		return made
	}
	old := test()
	h.Pass(5 * time.Minute)
	for more := true; more; {
		var err error
		more, err = db.Prune(h.Context(), keep, h.Clock(), 1)
		must(t, err)
	}
	ended, _, err := db.FindSubscription(h.Context(), h.Key("a"), "zapier", old.ID)
	must(t, err)
	if ended.State != triggers.Ended || ended.Undelivered != 0 {
		t.Errorf("after its time the test is %s with %d waiting", ended.State, ended.Undelivered)
	}
	real, err := db.Subscribe(h.Context(), h.Subscribing("a", "new-keyword", "espresso", "https://one.example/1"))
	must(t, err)
	if real.Undelivered != 0 {
		t.Errorf("the next subscription begins with %d deliveries", real.Undelivered)
	}
}

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
