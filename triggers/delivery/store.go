package delivery

import (
	"context"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// Store keeps the outbox. Its methods are safe for concurrent use.
type Store interface {
	// DueDeliveries returns the oldest waiting delivery of subscriptions whose next attempt is due
	// at now, as far as there is room, those connections first that have waited longest. next is
	// when the next of the others that there is room for is due; zero if none is.
	DueDeliveries(ctx context.Context, now time.Time, room Room) (due []triggers.DueDelivery, next time.Time, err error)
	// SettleAttempt keeps what became of an attempt.
	SettleAttempt(ctx context.Context, a triggers.Attempt) error
}

// Room is what attempts may begin.
type Room struct {
	// Limit is how many may, Each how many of one connection.
	Limit, Each int
	// Busy are the subscriptions that have one under way.
	Busy []string
	// Connections and Hosts are those that may have none now.
	Connections, Hosts []string
	// Pairs are connections that may have none on a host now.
	Pairs []Pair
}

// Pair is a connection and a host that its receivers are on.
type Pair struct{ Connection, Host string }
