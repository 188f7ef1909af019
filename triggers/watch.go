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
	// Failure is why a paused watch is paused, or why the latest run of another one failed; nil
	// after a success.
	Failure *Failure
	// DueAt is the due time that the next run stands for; zero while asleep.
	DueAt time.Time
	// NextRunAt is when the scheduler looks at the watch next: DueAt, the time of a retry, or of
	// the next probe of a paused watch; zero while asleep.
	NextRunAt time.Time
	LastRunAt time.Time
	PolledAt  time.Time
	CreatedAt time.Time
	// Runs counts the runs that have been committed.
	Runs int
	// Attempts counts the failed tries of the run that is due now.
	Attempts int
	// Feeds counts the feeds, so that a run notices one that was opened meanwhile.
	Feeds int
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

// Outcome is how a due time of a watch ended.
type Outcome string

// Every due time ends as one of these.
const (
	Ran       Outcome = "ran"
	Late      Outcome = "late"      // ran more than a minute after it was due
	Coalesced Outcome = "coalesced" // missed while another run was late; that one stands for it
	Skipped   Outcome = "skipped"   // not run, for the recorded reason
	Failed    Outcome = "failed"    // tried without success, for the recorded reason
)

// Occurrence is how one due time ended, or Count of them from Due on that ended alike.
type Occurrence struct {
	Due     time.Time
	Outcome Outcome
	// Reason is a code for what was skipped or failed.
	Reason string
	Count  int
	// At is when it was recorded.
	At time.Time
}

// Claim is a watch that its holder alone may run, until the lease is over.
type Claim struct {
	Watch
	// Lease tells this claim from later ones of the same watch.
	Lease int64
	// Unsettled tells that the claim before this one was never settled: its holder is gone, and may
	// have made a call that was charged.
	Unsettled bool
	// Subscriptions counts those that have not ended.
	Subscriptions int
	Key           soke.Key
}

// Knowledge is what a run is compared with.
type Knowledge struct {
	// Known is what the watch knew, by folded keyword, of the keywords asked for.
	Known map[string]Known
	// Feeds are all feeds of the watch, with the scores they remember of those keywords.
	Feeds []FeedState
}

// FeedState is a feed and what it remembers.
type FeedState struct {
	Feed
	Marks map[string]float64
}

// HandBack ends the claim as if there had been none: its watch is due at once.
func (c Claim) HandBack(at time.Time) Settlement {
	return Settlement{Claim: c, State: c.State, Failure: c.Failure, DueAt: c.DueAt, NextRunAt: at, Attempts: c.Attempts, At: at}
}

// Settlement is how a claim ends. A store keeps all of it or nothing, and only while the claim
// still holds. One that leaves the watch paused is told through each of its subscriptions, by one
// delivery for each reason that the pause comes to have. One that pauses the watch of a key which
// was rotated since it was claimed hands the claim back instead: the reason is the old key's.
type Settlement struct {
	Claim Claim
	// What the watch is from now on.
	State     State
	Failure   *Failure
	DueAt     time.Time
	NextRunAt time.Time
	Attempts  int
	At        time.Time
	Occurred  []Occurrence
	Report    *Report // what a run found; nil if there was none
}

// Report is what a run found and what it made of it.
type Report struct {
	Run    Run
	Learnt map[string]Known
	Feeds  []FeedReport
	// KnownFeeds is Watch.Feeds as the run saw it: a store refuses the report of a run that has
	// missed a feed.
	KnownFeeds int
	RequestID  string
}

// FeedReport is what a run has to say in one feed.
type FeedReport struct {
	FeedID string
	Events []Event
	Marks  map[string]float64
}

// Result is what the latest run of a watch found, from which the baseline of a new feed is made.
type Result struct {
	RunID    string
	Due, At  time.Time
	Keywords []soke.Keyword
}
