package delivery

import (
	"context"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// Store keeps the outbox. Its methods are safe for concurrent use.
type Store interface {
	// DueDeliveries returns the oldest waiting delivery of subscriptions whose next attempt is due
	// at now, the longest waiting first: at most limit, none of the subscriptions in busy, none of
	// the hosts in held. next is when the next of the others is due; zero if none is.
	DueDeliveries(ctx context.Context, now time.Time, limit int, busy, held []string) (due []triggers.DueDelivery, next time.Time, err error)
	// SettleAttempt keeps what became of an attempt.
	SettleAttempt(ctx context.Context, a triggers.Attempt) error
}
