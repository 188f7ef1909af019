package triggers

import (
	"encoding/json"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Opening asks for a feed. The watch behind it is found, or made and due at once.
type Opening struct {
	Key       soke.Key
	AccountID string
	// Research is canonical JSON with its defaults filled in.
	Research   json.RawMessage
	Schedule   Schedule
	Trigger    Trigger
	Parameters json.RawMessage
	// Polled says that somebody asks for events, which keeps the watch awake.
	Polled bool
	Now    time.Time
}

// Opened is a feed and its watch.
type Opened struct {
	Watch Watch
	Feed  Feed
	// Due reports that the watch has just become due: it is new, or was asleep.
	Due bool
}

// Baseline returns what a feed that is opened on a watch that has already run begins with: the
// latest result, as if it had been the first.
func (o Opening) Baseline(watch Watch, feed Feed, latest Result) ([]Event, map[string]float64, error) {
	rule, err := o.Trigger.Rule(o.Parameters)
	if err != nil {
		return nil, nil, err
	}
	run := Run{
		ID: latest.RunID, WatchID: watch.ID, Due: latest.Due, At: latest.At,
		First: true, Keywords: latest.Keywords,
	}
	run.Topic, run.Region = subject(watch.Research)
	return Detect(run, feed, rule, nil)
}

// subject returns what a research is about.
func subject(research json.RawMessage) (topic, region string) {
	var in struct{ Topic, Region string }
	_ = json.Unmarshal(research, &in) // it was encoded by Bind
	return in.Topic, in.Region
}

// StoredEvent is an event and its place in its feed; later events have higher places.
type StoredEvent struct {
	Place int64
	Body  json.RawMessage
}

// EventQuery asks for events of a feed.
type EventQuery struct {
	FeedID string
	Limit  int
	// After, if not nil, asks for the events after a place, oldest first.
	After *int64
	// Since, if not zero, asks for the events from a time on, inclusive, oldest first.
	Since time.Time
}

// Subscribing asks for a subscription.
type Subscribing struct {
	Opening
	Platform string
	Target   string
	Host     string
}

// Testing asks for a subscription that shows an editor one delivery at once. It needs no watch.
type Testing struct {
	Subscribing
	Until time.Time
	// Sample is what is delivered if the feed has no events.
	Sample []json.RawMessage
}

// Subscribed is a subscription and what only its maker may know.
type Subscribed struct {
	Subscription
	Watch Watch
	Token string
	// New reports that there was none with this target.
	New bool
}
