package triggers

import (
	"encoding/json"
	"time"
)

// Inspection is a watch as its operator sees it.
type Inspection struct {
	Watch         Watch
	Feeds         []Feed
	Subscriptions []Subscription
	// Occurrences are the latest ones, newest first.
	Occurrences []Occurrence
	// Runs are what the latest runs found, newest first.
	Runs []RunRecord
}

// RunRecord is what is kept of a run.
type RunRecord struct {
	Due              time.Time
	Keywords, Events int
	RequestID        string // Soke's
}

// DeliveryRecord is what is kept of a delivery, without what it says.
type DeliveryRecord struct {
	ID       string
	Kind     DeliveryKind
	State    string // pending, delivered or dropped
	Created  time.Time
	Attempts []AttemptRecord // oldest first
}

// AttemptRecord is what is kept of an attempt.
type AttemptRecord struct {
	Number  int
	At      time.Time
	Took    time.Duration
	Outcome string
}

// Trace is all that a watch knows of one keyword.
type Trace struct {
	Watch Watch
	Fold  string
	// Known is nil for a keyword that the watch has never seen.
	Known *Known
	// Rank is its place in the latest result, from 1; 0 if it was not in it.
	Rank     int
	LatestAt time.Time
	Feeds    []FeedTrace
}

// FeedTrace is what a feed has to do with a keyword.
type FeedTrace struct {
	Feed
	// Mark is the score that the feed compares with; nil for none.
	Mark *float64
	// Events are its events about the keyword, oldest first.
	Events []json.RawMessage
}
