// Package storetest holds a store of watches to its promises.
//
// A store is whatever keeps watches, events and the outbox for the scheduler, the deliveries and
// the endpoints. What they rely on is written down here, once, as tests that any store runs.
package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/triggers/delivery"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

// Store is all that is asked of one.
type Store interface {
	scheduler.Store
	delivery.Store
	connector.WatchStore
}

// promise is one thing that a store promises, and the check of it.
type promise struct {
	name  string
	check func(h *Harness)
}

// Run checks every promise, each on a new store. open returns an empty store whose clock is now; it
// closes it when t ends.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) Store) {
	for _, p := range slices.Concat(feeds, claims, runs, reports, outbox, subscriptions, tests, rotations, tenants) {
		t.Run(p.name, func(t *testing.T) {
			p.check(New(t, open))
		})
	}
}
