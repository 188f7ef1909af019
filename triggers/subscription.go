package triggers

import (
	"encoding/json"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Subscription pushes a feed's events to a target.
type Subscription struct {
	ID, ConnectionID, Platform string
	WatchID, FeedID, Trigger   string
	Host                       string
	State                      State
	// Reason is why it is paused: a code.
	Reason string
	// TestUntil is when a test subscription ends; zero for others.
	TestUntil time.Time
	CreatedAt time.Time
	// Last is the latest attempt; nil if there was none.
	Last *LastDelivery
	// Undelivered counts the deliveries that wait.
	Undelivered int
}

// LastDelivery is the latest attempt of a subscription.
type LastDelivery struct {
	At time.Time
	// Status is the HTTP status; 0 without an answer.
	Status   int
	Attempts int
}

// DeliveryKind is what a delivery tells.
type DeliveryKind string

// The kinds of deliveries.
const (
	DeliverEvents DeliveryKind = "events"
	// DeliverPaused tells that the watch is paused, and why.
	DeliverPaused DeliveryKind = "paused"
	// DeliverTest shows an editor what events look like.
	DeliverTest DeliveryKind = "test"
)

// Delivery is one POST to a subscription's target.
type Delivery struct {
	ID             string
	Kind           DeliveryKind
	WatchID, RunID string
	// Events are what a delivery of events or a test carries, oldest first.
	Events []json.RawMessage
	// Failure is why the watch is paused.
	Failure   *Failure
	CreatedAt time.Time
	Attempts  int
	Failures  int
	// FailingSince is the first of those failures; zero if there are none.
	FailingSince time.Time
}

// DueDelivery is the oldest delivery that waits of a subscription, with all that is needed to make
// the attempt.
type DueDelivery struct {
	Subscription
	Delivery Delivery
	// Generation tells this attempt's subscribe call from later ones of the same subscription.
	Generation int64
	Target     string
	Key        soke.Key
	// PreviousKey signs, too, for a while after a rotation; zero otherwise.
	PreviousKey soke.Key
}

// Attempt is what became of one try to deliver.
type Attempt struct {
	Delivery DueDelivery
	At       time.Time
	Took     time.Duration
	// Outcome is a status or a word, for people.
	Outcome string
	Status  int // HTTP, 0 without an answer
	// Delivered ends the delivery.
	Delivered bool
	// What the subscription is from now on, unless it was subscribed again meanwhile. State Ended
	// drops what waits.
	State  State
	Reason string
	// NextAt is when to try again; zero is never by itself.
	NextAt time.Time
	// The delivery's own count.
	Attempts, Failures int
	FailingSince       time.Time
}
