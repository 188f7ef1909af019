package connector_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// fullOutbox is a store that cannot keep outcomes for a while.
type fullOutbox struct {
	*sqlite.DB
	failures atomic.Int32 // how many more fail
	failed   chan struct{}
}

func withFullOutbox(o *fullOutbox, failures int32) option {
	o.failures.Store(failures)
	o.failed = make(chan struct{}, 100)
	return func(s *setup) {
		s.outbox = func(db *sqlite.DB) delivery.Store {
			o.DB = db
			return o
		}
	}
}

func (o *fullOutbox) SettleAttempt(ctx context.Context, a triggers.Attempt) error {
	if o.failures.Add(-1) >= 0 {
		o.failed <- struct{}{}
		return errDiskFull
	}
	return o.DB.SettleAttempt(ctx, a)
}

func TestADeliveryWhoseOutcomeCannotBeKeptIsNotSentAgain(t *testing.T) {
	full := &fullOutbox{}
	w := startWatching(t, withFullOutbox(full, 2))
	in := receive(t)
	made := w.subscribe("n8n", "research-completed", espresso, in.URL)
	w.research(0)
	w.pass(time.Hour)
	if n := len(in.all()); n != 1 || len(full.failed) != 2 {
		t.Errorf("%d posts of one delivery, and %d failures", n, len(full.failed))
	}
	state := w.call("GET", "/v1/n8n/triggers/research-completed/subscriptions/"+made["id"].(string), "", "X-Soke-Key", activeKey).object(t)
	if last, _ := state["lastDelivery"].(map[string]any); state["undelivered"] != 0.0 || last["attempts"] != 1.0 {
		t.Errorf("what was kept at last: %v", state)
	}
}

func TestAnOutcomeThatCannotBeKeptHoldsUpNoStop(t *testing.T) {
	full := &fullOutbox{}
	w := startWatching(t, withFullOutbox(full, 1_000_000))
	in := receive(t)
	w.subscribe("n8n", "research-completed", espresso, in.URL)
	w.research(0)
	w.research(time.Hour)
	if _, err := w.outbox.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-full.failed
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.outbox.Drain(ctx); err != nil || len(in.all()) != 1 {
		t.Errorf("%v after %d posts", err, len(in.all()))
	}
}
