package storetest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// Harness is a store, a clock, and what users and engines do with them. Its methods end the test when
// the store fails.
type Harness struct {
	*testing.T
	Store

	mu  sync.Mutex
	now time.Time
}

// New returns a harness with a new store, at nine o'clock.
func New(t *testing.T, open func(t *testing.T, now func() time.Time) Store) *Harness {
	h := &Harness{T: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	h.Store = open(t, h.Clock)
	return h
}

// Clock is the time that the store and the engines see.
func (h *Harness) Clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// Pass lets time pass; a negative time sets the clock back.
func (h *Harness) Pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *Harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// line are values as a line of text.
func line(values ...any) string { return strings.TrimSpace(fmt.Sprintln(values...)) }

func (h *Harness) expect(what string, got, want any) {
	h.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		h.Errorf("%s: %s, want %s", what, g, w)
	}
}

// Key is a user's key.
func (h *Harness) Key(user string) soke.Key {
	h.Helper()
	k, err := soke.ParseKey("sk_live_storetest_" + user)
	h.must(err)
	return k
}

// Opening asks for a feed on a topic that is researched once an hour.
func (h *Harness) Opening(user, trigger, topic string) triggers.Opening {
	h.Helper()
	s, err := triggers.ParseSchedule("0 * * * *", "UTC")
	h.must(err)
	o := triggers.Opening{
		Key: h.Key(user), Research: json.RawMessage(fmt.Sprintf(`{"topic":%q,"region":"US"}`, topic)), Schedule: s,
		Parameters: json.RawMessage(`{}`), Polled: true, Now: h.Clock(),
	}
	switch trigger {
	case "trend-change":
		o.Parameters = json.RawMessage(`{"direction":"any"}`)
	case "competition-drop":
		o.Parameters = json.RawMessage(`{"threshold":0.1}`)
	}
	o.Trigger = h.trigger(trigger)
	return o
}

func (h *Harness) trigger(key string) triggers.Trigger {
	h.Helper()
	for _, t := range triggers.All() {
		if t.Key == key {
			return t
		}
	}
	h.Fatalf("no trigger %s", key)
	return triggers.Trigger{}
}

// Open opens a polled feed.
func (h *Harness) Open(user, trigger, topic string) triggers.Opened {
	h.Helper()
	o, err := h.OpenFeed(h.Context(), h.Opening(user, trigger, topic))
	h.must(err)
	return o
}

func (h *Harness) watch(id string) triggers.Watch {
	h.Helper()
	w, err := h.FindWatch(h.Context(), id)
	h.must(err)
	return w
}

// Subscribing asks for a subscription on a feed, on Zapier.
func (h *Harness) Subscribing(user, trigger, topic, target string) triggers.Subscribing {
	h.Helper()
	u, err := url.Parse(target)
	h.must(err)
	o := h.Opening(user, trigger, topic)
	o.Polled = false
	return triggers.Subscribing{Opening: o, Platform: "zapier", Target: target, Host: u.Host}
}

func (h *Harness) subscribe(user, trigger, topic, target string) triggers.Subscribed {
	h.Helper()
	s, err := h.Subscribe(h.Context(), h.Subscribing(user, trigger, topic, target))
	h.must(err)
	return s
}

// subscription reads a subscription of a user on Zapier.
func (h *Harness) subscription(user, id string) triggers.Subscription {
	h.Helper()
	s, _, err := h.FindSubscription(h.Context(), h.Key(user), "zapier", id)
	h.must(err)
	return s
}

// Claim claims a watch that is due.
func (h *Harness) Claim(watchID string) triggers.Claim {
	h.Helper()
	c, ok, _, err := h.ClaimWatch(h.Context(), watchID, h.Clock(), time.Minute)
	h.must(err)
	if !ok {
		h.Fatalf("watch %s is not due", watchID)
	}
	return c
}

// rest ends a claim without a report; the watch is due again in an hour.
func (h *Harness) rest(c triggers.Claim) triggers.Settlement {
	next := h.Clock().Add(time.Hour)
	return triggers.Settlement{Claim: c, State: triggers.Active, DueAt: next, NextRunAt: next, At: h.Clock()}
}

// pause has Soke refuse a run or a probe of a watch that is due, which is due again in an hour, and
// lets that time pass.
func (h *Harness) pause(watchID string, code soke.Code) {
	h.Helper()
	s := h.rest(h.Claim(watchID))
	s.State, s.Failure = triggers.Paused, &triggers.Failure{Code: code, At: h.Clock()}
	h.must(h.Settle(h.Context(), s))
	h.Pass(time.Hour)
}

// Report ends a claim as the scheduler would with what a research found.
func (h *Harness) Report(c triggers.Claim, found ...soke.Keyword) triggers.Settlement {
	h.Helper()
	known, err := h.Knowledge(h.Context(), c.ID, triggers.Folds(found))
	h.must(err)
	run := triggers.Run{
		ID: triggers.RunID(c.ID, c.DueAt), WatchID: c.ID, Due: c.DueAt, At: h.Clock(), Topic: "topic", Region: "US",
		First: c.Runs == 0, Keywords: found, Known: known.Known,
	}
	out := h.rest(c)
	out.Report = &triggers.Report{Run: run, Learnt: triggers.Learn(run), KnownFeeds: len(known.Feeds), RequestID: "req"}
	for _, f := range known.Feeds {
		rule, err := h.trigger(f.Trigger).Rule(f.Parameters)
		h.must(err)
		events, marks, err := triggers.Detect(run, f.Feed, rule, f.Marks)
		h.must(err)
		out.Report.Feeds = append(out.Report.Feeds, triggers.FeedReport{FeedID: f.ID, Events: events, Marks: marks})
	}
	out.Occurred = []triggers.Occurrence{{Due: c.DueAt, Outcome: triggers.Ran, Count: 1, At: h.Clock()}}
	return out
}

// Research has the watch run with what a research found, and lets the time pass until the next run.
func (h *Harness) Research(watchID string, found ...soke.Keyword) {
	h.Helper()
	h.must(h.Settle(h.Context(), h.Report(h.Claim(watchID), found...)))
	h.Pass(time.Hour)
}

// word is a keyword that Soke found.
func word(text string, score float64, trend string) soke.Keyword {
	var k soke.Keyword
	_ = json.Unmarshal(fmt.Appendf(nil, `{"keyword":%q,"competitionScore":%g,"trendDirection":%q}`, text, score, trend), &k)
	return k
}

// Words are keywords that differ in nothing but their text.
func Words(texts ...string) []soke.Keyword {
	all := make([]soke.Keyword, len(texts))
	for i, text := range texts {
		all[i] = word(text, 0.5, "stable")
	}
	return all
}

// told are the keywords in the bodies of events.
func (h *Harness) told(bodies []json.RawMessage) []string {
	h.Helper()
	out := []string{}
	for _, b := range bodies {
		var e struct{ Keyword string }
		h.must(json.Unmarshal(b, &e))
		out = append(out, e.Keyword)
	}
	return out
}

// newest are the keywords of the newest events of a feed, newest first.
func (h *Harness) newest(feedID string) []string {
	h.Helper()
	events, _, err := h.Events(h.Context(), triggers.EventQuery{FeedID: feedID, Limit: 100})
	h.must(err)
	bodies := make([]json.RawMessage, len(events))
	for i, e := range events {
		bodies[i] = e.Body
	}
	return h.told(bodies)
}

// due returns the deliveries that are due now.
func (h *Harness) due() []triggers.DueDelivery {
	h.Helper()
	due, _, err := h.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 1000, Each: 1000})
	h.must(err)
	return due
}

// one returns the delivery that is due, if it is the only one.
func (h *Harness) one() triggers.DueDelivery {
	h.Helper()
	due := h.due()
	if len(due) != 1 {
		h.Fatalf("%d deliveries are due, want one", len(due))
	}
	return due[0]
}

// delivered settles an attempt that has succeeded.
func (h *Harness) delivered(d triggers.DueDelivery) {
	h.Helper()
	h.must(h.SettleAttempt(h.Context(), triggers.Attempt{
		Delivery: d, At: h.Clock(), Took: time.Millisecond, Outcome: "200", Status: 200, Delivered: true,
		State: triggers.Active, Attempts: d.Delivery.Attempts + 1,
	}))
}

// failed settles an attempt that has not.
func (h *Harness) failed(d triggers.DueDelivery, state triggers.State, next time.Time) {
	h.Helper()
	a := triggers.Attempt{
		Delivery: d, At: h.Clock(), Took: time.Millisecond, Outcome: "500", Status: 500,
		State: state, NextAt: next, Attempts: d.Delivery.Attempts + 1, Failures: d.Delivery.Failures + 1, FailingSince: h.Clock(),
	}
	if state == triggers.Paused {
		a.Reason = "TARGET_FAILING"
	}
	h.must(h.SettleAttempt(h.Context(), a))
}
