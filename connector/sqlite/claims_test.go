package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/storetest"
	"github.com/usesoke/soke-connector/triggers"
)

// tables are all that a write of a watch may touch.
var tables = []string{"connections", "watches", "results", "known", "feeds", "marks", "events", "runs", "occurrences", "subscriptions", "deliveries", "attempts"}

// faults has act fail at every row that it writes, one after the other, by a trigger that aborts the
// statement. Each time nothing may have changed. In the end act must succeed.
func faults(t *testing.T, db *DB, act func() error) {
	t.Helper()
	exec := func(query string) {
		t.Helper()
		must(t, db.write(t.Context(), "plant a fault", func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, query)
			return err
		}))
	}
	exec("CREATE TABLE writes (n INTEGER PRIMARY KEY)")
	for _, table := range tables {
		for _, kind := range []string{"INSERT", "UPDATE", "DELETE"} {
			exec(fmt.Sprintf(`CREATE TRIGGER fault_%[1]s_%[2]s AFTER %[2]s ON %[1]s BEGIN
				INSERT INTO writes VALUES (NULL);
				SELECT RAISE(ABORT, 'the planted fault') WHERE (SELECT count(*) FROM writes) >= (SELECT at FROM fault);
			END`, table, kind))
		}
	}
	exec("CREATE TABLE fault (at INTEGER NOT NULL)")
	exec("INSERT INTO fault VALUES (1)")
	before := dump(t, db)
	for at := 1; ; at++ {
		if at > 500 {
			t.Fatal("the write does not end")
		}
		exec(fmt.Sprintf("UPDATE fault SET at = %d", at))
		err := act()
		if err == nil {
			if at < 4 {
				t.Errorf("the write has only %d steps", at-1)
			}
			break
		}
		if !strings.Contains(err.Error(), "the planted fault") {
			t.Fatalf("at step %d: %v", at, err)
		}
		if after := dump(t, db); after != before {
			t.Fatalf("the fault at step %d has left\n%s\nof\n%s", at, after, before)
		}
	}
	for _, table := range tables {
		for _, kind := range []string{"INSERT", "UPDATE", "DELETE"} {
			exec(fmt.Sprintf("DROP TRIGGER fault_%s_%s", table, kind))
		}
	}
}

func TestARunThatFailsAtAnyStatementKeepsNothing(t *testing.T) {
	h, db := newHarness(t)
	s := h.Queue("a", "https://one.example/1", 0)
	for _, trigger := range []string{"trend-change", "competition-drop", "research-completed"} {
		_, err := h.Subscribe(t.Context(), h.Subscribing("a", trigger, "espresso", "https://one.example/"+trigger))
		must(t, err)
	}
	h.Research(s.WatchID, storetest.Words("grinder", "kettle")...)
	settlement := h.Report(h.Claim(s.WatchID), storetest.Words("grinder", "cup", "milk")...)
	faults(t, db, func() error { return db.Settle(t.Context(), settlement) })
	events, _, err := db.Events(t.Context(), triggers.EventQuery{FeedID: s.FeedID, Limit: 100})
	must(t, err)
	if len(events) != 4 {
		t.Errorf("%d events of four keywords", len(events))
	}
	if n := count(t, db, "SELECT count(*) FROM deliveries WHERE run_id = (SELECT id FROM runs ORDER BY due_at DESC LIMIT 1)"); n != 2 {
		t.Errorf("%d deliveries of the run", n)
	}
}

func TestAPauseThatFailsAtAnyStatementIsNeitherKeptNorTold(t *testing.T) {
	h, db := newHarness(t)
	s := h.Queue("a", "https://one.example/1", 0)
	settlement := h.Report(h.Claim(s.WatchID))
	settlement.Report, settlement.State = nil, triggers.Paused
	settlement.Failure = &triggers.Failure{Code: "FORBIDDEN"}
	faults(t, db, func() error { return db.Settle(t.Context(), settlement) })
	if n := count(t, db, "SELECT count(*) FROM deliveries WHERE kind = 'paused'"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestASubscribeThatFailsAtAnyStatementKeepsNothing(t *testing.T) {
	h, db := newHarness(t)
	w := h.Open("a", "research-completed", "espresso").Watch
	h.Research(w.ID, storetest.Words("grinder", "kettle")...)
	s := h.Subscribing("a", "new-keyword", "espresso", "https://one.example/1")
	faults(t, db, func() error {
		_, err := db.Subscribe(t.Context(), s)
		return err
	})
}

func TestARotationThatFailsAtAnyStatementMovesNothing(t *testing.T) {
	h, db := newHarness(t)
	h.Queue("a", "https://one.example/1", 2)
	h.Queue("b", "https://one.example/1", 2)
	faults(t, db, func() error {
		_, err := db.Rotate(t.Context(), h.Key("a"), h.Key("b"), h.Clock())
		return err
	})
}

func TestEveryDueTimeIsRecordedOnce(t *testing.T) {
	h, db := newHarness(t)
	w := h.Open("a", "new-keyword", "espresso").Watch
	due := h.Clock()
	for _, o := range [][]triggers.Occurrence{
		{{Due: due, Outcome: triggers.Failed, Reason: "INTERNAL_ERROR", Count: 1}},
		{{Due: due, Outcome: triggers.Failed, Reason: "UPSTREAM_TIMEOUT", Count: 1}, {Due: due.Add(time.Hour), Outcome: triggers.Coalesced, Count: 7}},
		{{Due: due.Add(time.Hour), Outcome: triggers.Coalesced, Count: 5}},
	} {
		s := h.Report(h.Claim(w.ID))
		s.Occurred = o
		must(t, db.Settle(t.Context(), s))
		h.Pass(time.Hour)
	}
	i, err := db.Inspect(t.Context(), w.ID, 10)
	must(t, err)
	var got []string
	for _, o := range i.Occurrences {
		got = append(got, fmt.Sprint(o.Due.Sub(due), " ", o.Outcome, " ", o.Reason, " ", o.Count))
	}
	want := []string{"1h0m0s coalesced  7", "0s failed UPSTREAM_TIMEOUT 1"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}
