package triggers

import (
	"encoding/json"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

// State is what a watch or a subscription is doing.
type State string

// States of watches and subscriptions.
const (
	Active State = "active"
	// Paused waits for its user: a watch until Soke accepts it again, a subscription until its
	// target answers again.
	Paused State = "paused"
	// Asleep is a watch that nobody has asked about for long: no runs, no credits.
	Asleep State = "asleep"
	// Ended is a subscription that is over.
	Ended State = "ended"
)

// Watch is one research that the connector repeats for one connection.
type Watch struct {
	ID           string
	ConnectionID string
	AccountID    string
	// Research is the input as canonical JSON, with its defaults filled in.
	Research json.RawMessage
	Schedule Schedule
	State    State
	// Reason is why a paused watch is paused.
	Reason soke.Code
	// NextRunAt is when the next run, or while paused the next probe, is due; zero while asleep.
	NextRunAt time.Time
	LastRunAt time.Time
	PolledAt  time.Time
	CreatedAt time.Time
	// Runs counts the runs that have been committed.
	Runs int
	// Attempts counts the failed tries of the run that is due now.
	Attempts int
}

// Feed is what one trigger with its parameters reports of a watch.
type Feed struct {
	ID, WatchID, Trigger string
	// Parameters is canonical JSON of what belongs to the trigger and not to the watch.
	Parameters json.RawMessage
}

// Known is what a watch knows of a keyword from the runs before.
type Known struct {
	Keyword          string
	CompetitionScore *float64
	TrendDirection   string
}

// Occurrence is how one due time of a watch ended.
type Occurrence string

// Every due time ends as one of these.
const (
	Ran       Occurrence = "ran"
	Late      Occurrence = "late"      // ran more than a minute after it was due
	Coalesced Occurrence = "coalesced" // missed while the connector was down; one run stands for all
	Skipped   Occurrence = "skipped"   // not run, for the recorded reason
	Failed    Occurrence = "failed"    // tried without success
)
