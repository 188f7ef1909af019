package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

const (
	// lateAfter is from when on a run counts as late.
	lateAfter = time.Minute
	// A paused watch is looked at again after so long.
	probeEvery        = time.Hour
	probeCreditsEvery = 15 * time.Minute
	// sleepAfter is how long nobody must have asked for a watch before it sleeps, or three of its
	// intervals if that is longer.
	sleepAfter = 48 * time.Hour
	// probeFor is how long nobody must have asked for a paused watch, however long its intervals, before
	// it is no longer probed. One that has never run need not be probed beyond sleepAfter.
	probeFor = 90 * 24 * time.Hour
	// reportTries is how often a run that the store refuses is compared again.
	reportTries = 100
)

// run carries out one claim and returns the failure of its research, if that failed.
func (s *Scheduler) run(ctx context.Context, c triggers.Claim) error {
	switch {
	case c.Unsettled:
		return s.giveUp(ctx, c)
	case s.forgotten(c):
		return s.settle(ctx, s.sleep(c))
	case c.State == triggers.Paused:
		return s.probe(ctx, c)
	default:
		return s.research(ctx, c, nil)
	}
}

// giveUp ends a run that somebody began and did not settle, because the connector was killed, cut
// short, or could not write. A claim is followed by its research at once, and a research that may
// have been charged is not repeated.
func (s *Scheduler) giveUp(ctx context.Context, c triggers.Claim) error {
	if c.State == triggers.Paused {
		return s.settle(ctx, stillPaused(c, c.Failure, s.Now()))
	}
	return s.fail(ctx, c, &soke.Error{Code: soke.ConnectorError}, nil)
}

// forgotten reports whether nobody wants the watch any more.
func (s *Scheduler) forgotten(c triggers.Claim) bool {
	if c.Subscriptions > 0 {
		return false
	}
	first := c.Schedule.Next(c.PolledAt, c.ID)
	interval := c.Schedule.Next(first, c.ID).Sub(first)
	patience := max(sleepAfter, 3*interval)
	switch {
	case c.State != triggers.Paused:
	case c.Runs == 0:
		patience = sleepAfter
	default:
		patience = min(patience, probeFor)
	}
	return s.Now().Sub(c.PolledAt) > patience
}

func (s *Scheduler) sleep(c triggers.Claim) triggers.Settlement {
	now := s.Now()
	out := triggers.Settlement{Claim: c, At: now, State: triggers.Asleep, Occurred: s.skipped(c, now, "ASLEEP")}
	if c.State == triggers.Paused {
		out.Failure = c.Failure // it wakes as paused as it was
	}
	return out
}

// probe looks, without spending a credit, whether the reason of a pause is gone. If it is, one run
// is made, however many were missed.
func (s *Scheduler) probe(ctx context.Context, c triggers.Claim) error {
	session := s.Soke.Session(soke.Credential{Key: c.Key, AccountID: c.AccountID})
	check, err := session.Check(ctx)
	now := s.Now()
	switch {
	case err != nil:
		return s.settle(ctx, stillPaused(c, triggers.FailureOf(err, now), now))
	case lacksCredits(c) && !affords(check.Limits):
		return s.settle(ctx, stillPaused(c, c.Failure, now))
	}
	reason := ""
	if c.Failure != nil {
		reason = string(c.Failure.Code)
	}
	skipped := s.skipped(c, now, reason)
	c.DueAt = now
	return s.research(ctx, c, skipped)
}

// stillPaused leaves a watch paused until the next probe. A failure that says nothing of the reason,
// such as a Soke that cannot be reached, does not take its place.
func stillPaused(c triggers.Claim, failure *triggers.Failure, now time.Time) triggers.Settlement {
	if failure == nil || !failure.NeedsUser() {
		failure = c.Failure
	}
	return triggers.Settlement{
		Claim: c, At: now, State: triggers.Paused, Failure: failure, DueAt: c.DueAt, NextRunAt: now.Add(probeInterval(failure)),
	}
}

// affords reports whether there may be credits for a run again. Where Soke does not say, the run
// finds out: one that is refused for want of credits costs none.
func affords(l soke.Limits) bool {
	return l.CreditsRemaining == nil || *l.CreditsRemaining >= actions.ResearchCredits
}

func lacksCredits(c triggers.Claim) bool {
	return c.Failure != nil && c.Failure.Code == soke.InsufficientCredits
}

func probeInterval(f *triggers.Failure) time.Duration {
	if f != nil && f.Code == soke.InsufficientCredits {
		return probeCreditsEvery
	}
	return probeEvery
}

// research makes the call and settles what came of it. before is what else has to be recorded.
func (s *Scheduler) research(ctx context.Context, c triggers.Claim, before []triggers.Occurrence) error {
	began := s.Now()
	var input actions.ResearchInput
	if err := json.Unmarshal(c.Research, &input); err != nil {
		return s.fail(ctx, c, fmt.Errorf("reading the research of watch %s: %w", c.ID, err), before)
	}
	session := s.Soke.Session(soke.Credential{Key: c.Key, AccountID: c.AccountID})
	found, err := session.ResearchKeywords(ctx, input.Request())
	s.learn(c.ConnectionID, session.Meta().Limits)
	if err != nil {
		return s.fail(ctx, c, err, before)
	}
	run := triggers.Run{
		ID: triggers.RunID(c.ID, c.DueAt), WatchID: c.ID, Due: c.DueAt, At: began,
		Topic: input.Topic, Region: input.Region, First: c.Runs == 0, Keywords: found.Keywords,
	}
	if run.Topic == "" {
		run.Topic = found.Topic
	}
	for try := 1; ; try++ {
		events, err := s.report(ctx, c, run, found.RequestID, before)
		switch {
		case errors.Is(err, ErrStale) && try < reportTries:
			continue // a feed was opened meanwhile; what was found is still true
		case errors.Is(err, ErrRunTaken) && try < reportTries:
			// What it found is news all the same, so it gets an identity of its own.
			run.Due = run.Due.Add(time.Millisecond)
			run.ID = triggers.RunID(c.ID, run.Due)
			continue
		case errors.Is(err, ErrLost):
			return err
		case err != nil:
			// The claim must not run out: its watch would be due again at once, and paid for again.
			return s.fail(ctx, c, err, before)
		}
		s.Observe(Observation{Outcome: outcomeOf(c, run), Lag: began.Sub(c.DueAt), Events: events, Credits: actions.ResearchCredits})
		return nil
	}
}

// report compares what was found with what is known and settles the claim with it.
func (s *Scheduler) report(ctx context.Context, c triggers.Claim, run triggers.Run, requestID string, before []triggers.Occurrence) (map[string]int, error) {
	var knowledge triggers.Knowledge
	if err := s.insist(ctx, c, func() (err error) {
		knowledge, err = s.Store.Knowledge(ctx, c.ID, triggers.Folds(run.Keywords))
		return err
	}); err != nil {
		return nil, err
	}
	run.Known = knowledge.Known
	report := &triggers.Report{Run: run, Learnt: triggers.Learn(run), KnownFeeds: len(knowledge.Feeds), RequestID: requestID}
	events := map[string]int{}
	for _, feed := range knowledge.Feeds {
		trigger, ok := s.byKey[feed.Trigger]
		if !ok {
			continue // a trigger of another version of the connector
		}
		rule, err := trigger.Rule(feed.Parameters)
		if err != nil {
			// The run has been paid for, and is the other feeds' as well.
			s.Logger.ErrorContext(ctx, "a feed cannot be read and is left out", "feed", feed.ID, "cause", err.Error())
			continue
		}
		detected, marks, err := triggers.Detect(run, feed.Feed, rule, feed.Marks)
		if err != nil {
			return nil, err
		}
		if !run.First {
			events[feed.Trigger] += len(detected)
		}
		report.Feeds = append(report.Feeds, triggers.FeedReport{FeedID: feed.ID, Events: detected, Marks: marks})
	}
	now := s.Now()
	next := following(c, now)
	settlement := triggers.Settlement{
		Claim: c, At: now, State: triggers.Active, DueAt: next, NextRunAt: next, Report: report,
		Occurred: slices.Concat(before, []triggers.Occurrence{{Due: c.DueAt, Outcome: outcomeOf(c, run), Count: 1, At: now}}, s.missed(c, now, triggers.Coalesced, "")),
	}
	if err := s.insist(ctx, c, func() error { return s.Store.Settle(ctx, settlement) }); err != nil {
		return nil, err
	}
	s.Committed()
	return events, nil
}

// outcomeOf tells a run in time from one that its due time had to wait for.
func outcomeOf(c triggers.Claim, run triggers.Run) triggers.Outcome {
	if run.At.Sub(c.DueAt) > lateAfter {
		return triggers.Late
	}
	return triggers.Ran
}

// settle ends a claim that found nothing to report.
func (s *Scheduler) settle(ctx context.Context, settlement triggers.Settlement) error {
	if err := s.insist(ctx, settlement.Claim, func() error { return s.Store.Settle(ctx, settlement) }); err != nil {
		return err
	}
	if settlement.State == triggers.Paused {
		s.Committed()
	}
	return nil
}

// insist repeats a write or read of a run for as long as the claim may hold: what was found has
// been paid for, and a disk that is full may have room again in a minute.
func (s *Scheduler) insist(ctx context.Context, c triggers.Claim, do func() error) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := do()
		if errors.Is(err, ErrLost) || errors.Is(err, ErrStale) || errors.Is(err, ErrRunTaken) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxElapsedTime(s.Insist))
	if err != nil && !errors.Is(err, ErrStale) && !errors.Is(err, ErrRunTaken) {
		s.Logger.ErrorContext(ctx, "a run could not be kept", "watch", c.ID, "cause", err.Error())
	}
	return err
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
