package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/storetest"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// openStore opens a new database for storetest.
func openStore(t *testing.T, now func() time.Time) storetest.Store {
	t.Helper()
	return openClocked(t, filepath.Join(t.TempDir(), "connector.db"), now)
}

// newHarness is a harness and the database in it.
func newHarness(t *testing.T) (*storetest.Harness, *DB) {
	t.Helper()
	h := storetest.New(t, openStore)
	return h, h.Store.(*DB)
}

func TestTheDatabaseKeepsWhatAStoreOfWatchesPromises(t *testing.T) {
	storetest.Run(t, openStore)
}

func TestADatabaseThatIsOpenedAgainHoldsAllThatItHeld(t *testing.T) {
	h, db := newHarness(t)
	populate(h)
	before := dump(t, db)
	closeDB(t, db)
	db = openClocked(t, db.path, h.Clock)
	if after := dump(t, db); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	for table, want := range map[string]int{
		"connections": 2, "watches": 4, "results": 3, "known": 4, "feeds": 4, "marks": 1, "events": 3, "runs": 6, "occurrences": 7,
		"subscriptions": 4, "deliveries": 5, "attempts": 1,
	} {
		if got := count(t, db, "SELECT count(*) FROM "+table); got != want {
			t.Errorf("%d %s, want %d", got, table, want)
		}
	}
	h.Store = db
	if o := h.Open("a", "new-keyword", "espresso"); o.Watch.Runs != 3 || o.Due {
		t.Errorf("the watch is %+v", o.Watch)
	}
}

// populate puts something into every table of watches: two tenants, one of them with a rotated key,
// runs, events, an attempt, a pause that is told, and a test.
func populate(h *storetest.Harness) {
	h.Helper()
	ctx := h.Context()
	h.Queue("canary_old", "https://one.example/canary-one?token=canary-query", 2)
	_, err := h.Rotate(ctx, h.Key("canary_old"), h.Key("a"), h.Clock())
	must(h.T, err)
	h.Queue("b", "https://two.example/canary-two", 1)

	due, _, err := h.DueDeliveries(ctx, h.Clock(), delivery.Room{Limit: 1, Each: 1})
	must(h.T, err)
	must(h.T, h.SettleAttempt(ctx, triggers.Attempt{
		Delivery: due[0], At: h.Clock(), Outcome: "500", Status: 500, State: triggers.Active, NextAt: h.Clock().Add(time.Minute), Attempts: 1, Failures: 1, FailingSince: h.Clock(),
	}))

	s, err := h.Subscribe(ctx, h.Subscribing("b", "competition-drop", "tea", "https://three.example/canary-three"))
	must(h.T, err)
	h.Research(s.WatchID, storetest.Words("kettle")...)
	pause := h.Report(h.Claim(s.WatchID))
	pause.Report, pause.State, pause.Failure = nil, triggers.Paused, &triggers.Failure{Code: "FORBIDDEN", At: h.Clock()}
	must(h.T, h.Settle(ctx, pause))

	_, err = h.SubscribeTest(ctx, triggers.Testing{
		Subscribing: h.Subscribing("b", "new-keyword", "unwatched", "https://four.example/canary-four"), Until: h.Clock().Add(time.Minute),
		Sample: []json.RawMessage{json.RawMessage(`{"keyword":"sample"}`)},
	})
	must(h.T, err)
	h.Open("a", "trend-change", "another topic")
}

func count(t *testing.T, db *DB, query string) (n int) {
	t.Helper()
	must(t, db.read(t.Context(), "count", func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, query).Scan(&n)
	}))
	return n
}

// dump is all that is in the tables of watches, as text.
func dump(t *testing.T, db *DB) string {
	t.Helper()
	var out strings.Builder
	for _, table := range []string{
		"connections", "watches", "results", "known", "feeds", "marks", "events", "runs", "occurrences", "subscriptions", "deliveries", "attempts",
	} {
		must(t, db.read(t.Context(), "dump", func(ctx context.Context, tx *sql.Tx) error { return dumpTable(ctx, tx, &out, table) }))
	}
	return out.String()
}

func dumpTable(ctx context.Context, tx *sql.Tx, out *strings.Builder, table string) (err error) {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY 1, 2")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values := make([]any, len(names))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s:", table)
		for i, v := range values {
			fmt.Fprintf(out, " %s=%v", names[i], *v.(*any))
		}
		fmt.Fprintln(out)
	}
	return rows.Err()
}
