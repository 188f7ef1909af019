package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// spoil does to the database what only a fault of the disk or of another version could.
func spoil(t *testing.T, db *DB, query string, args ...any) {
	t.Helper()
	must(t, db.write(t.Context(), "spoil", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	}))
}

func TestWatchesThatCannotBeReadLeaveTheOthersTheirTurn(t *testing.T) {
	for name, query := range map[string]string{
		"a zone that is gone":           "UPDATE watches SET timezone = 'Atlantis/Capital' WHERE id != ?",
		"a schedule of another version": "UPDATE watches SET schedule = '@whenever' WHERE id != ?",
		"a key whose seal is broken":    "UPDATE connections SET key = x'00' WHERE id NOT IN (SELECT connection_id FROM watches WHERE id = ?)",
	} {
		t.Run(name, func(t *testing.T) {
			h, db := newHarness(t)
			for i := range 10 {
				h.Open(fmt.Sprint("bad", i), "new-keyword", "espresso")
			}
			h.Pass(time.Second) // the good one is last in line
			good := h.Open("good", "new-keyword", "espresso").Watch
			spoil(t, db, query, good.ID)
			var claimed []string
			for range 10 {
				claims, _, err := db.ClaimDue(t.Context(), h.Clock(), time.Minute, 4, 4, nil)
				must(t, err)
				for _, c := range claims {
					claimed = append(claimed, c.ID)
				}
			}
			if fmt.Sprint(claimed) != fmt.Sprint([]string{good.ID}) {
				t.Errorf("claimed %v, want the one that can be read, %s", claimed, good.ID)
			}
			// They are looked at again: an operator may have mended what was broken.
			h.Pass(time.Minute)
			if _, next, err := db.ClaimDue(t.Context(), h.Clock(), time.Minute, 4, 4, nil); err != nil || next.After(h.Clock()) {
				t.Errorf("after their lease they wait until %s, %v", next, err)
			}
			if all, err := db.Watches(t.Context(), "", 100); err != nil || len(all) != 11 {
				t.Errorf("%d watches are listed, %v", len(all), err)
			}
			_, err := db.Misdated(t.Context(), h.Clock().Add(-time.Hour), 100)
			must(t, err)
		})
	}
}

func TestAWatchThatCouldNotBeReadHasNotRun(t *testing.T) {
	h, db := newHarness(t)
	w := h.Open("a", "new-keyword", "espresso").Watch
	spoil(t, db, "UPDATE watches SET schedule = '@whenever'")
	if claims, _, err := db.ClaimDue(t.Context(), h.Clock(), time.Minute, 4, 4, nil); err != nil || len(claims) != 0 {
		t.Fatalf("claimed %d, %v", len(claims), err)
	}
	spoil(t, db, "UPDATE watches SET schedule = ?", w.Schedule.Expression())
	h.Pass(time.Minute)
	if c := h.Claim(w.ID); c.Unsettled {
		t.Error("its claim says that it may have been paid for")
	}
}

func TestSubscriptionsThatCannotBeReadLeaveTheOthersTheirTurn(t *testing.T) {
	for name, query := range map[string]string{
		"a target whose seal is broken": "UPDATE subscriptions SET target = x'00' WHERE id != ?",
		"a key whose seal is broken":    "UPDATE connections SET key = x'00' WHERE id NOT IN (SELECT connection_id FROM subscriptions WHERE id = ?)",
		"a body that is no JSON":        "UPDATE deliveries SET body = '{' WHERE subscription_id != ?",
	} {
		t.Run(name, func(t *testing.T) {
			h, db := newHarness(t)
			for i := range 5 {
				h.Queue(fmt.Sprint("bad", i), "https://bad.example/1", 1)
			}
			h.Pass(time.Second)
			good := h.Queue("good", "https://good.example/1", 1)
			spoil(t, db, query, good.ID)
			var due []triggers.DueDelivery
			for range 10 {
				found, _, err := db.DueDeliveries(t.Context(), h.Clock(), delivery.Room{Limit: 2, Each: 2})
				must(t, err)
				if due = found; len(due) > 0 {
					break
				}
			}
			if len(due) != 1 || due[0].ID != good.ID {
				t.Fatalf("due are %+v, want the one that can be read", due)
			}
			_, next, err := db.DueDeliveries(t.Context(), h.Clock(), delivery.Room{Limit: 10, Each: 10, Busy: []string{good.ID}})
			must(t, err)
			if wait := next.Sub(h.Clock()); wait != postponeUnreadable {
				t.Errorf("the others are looked at again in %s", wait)
			}
		})
	}
}

func TestCallbacksThatCannotBeReadLeaveTheOthersTheirTurn(t *testing.T) {
	h, db := newHarness(t)
	for i := range 5 {
		c := connector.Callback{ID: fmt.Sprint("cbk_", i), Platform: "zapier", Action: "chat-completion", Created: h.Clock()}
		c.Secret.Credential.Key, c.Secret.Target, c.Secret.Input = h.Key("a"), "https://zapier.com/1", []byte(`{}`)
		must(t, db.AddCallback(t.Context(), c))
	}
	h.Pass(time.Second)
	spoil(t, db, "UPDATE callbacks SET sealed = x'00' WHERE id != 'cbk_4'")
	var due []connector.Callback
	for range 5 {
		found, _, err := db.DueCallbacks(t.Context(), h.Clock(), 2, 2, nil)
		must(t, err)
		due = append(due, found...)
		if len(due) > 0 {
			break
		}
	}
	if len(due) != 1 || due[0].ID != "cbk_4" {
		t.Errorf("due are %d callbacks, want the one that can be read", len(due))
	}
}
