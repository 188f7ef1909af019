package scheduler

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/usesoke/soke-connector/triggers"
)

// fail settles a claim whose research failed, and returns the failure. before is what has to be
// recorded of the time before.
func (s *Scheduler) fail(ctx context.Context, c triggers.Claim, cause error, before []triggers.Occurrence) error {
	now := s.Now()
	failure := triggers.FailureOf(cause, now)
	settlement := s.afterFailure(c, failure, now)
	settlement.Occurred = append(before, settlement.Occurred...)
	s.Logger.InfoContext(ctx, "run failed", "watch", c.ID, "code", string(failure.Code), "state", string(settlement.State), "next", settlement.NextRunAt)
	s.Observe(Observation{Outcome: triggers.Failed, Lag: now.Sub(c.DueAt)})
	if err := s.settle(ctx, settlement); err != nil {
		return err
	}
	return cause
}

// afterFailure says what becomes of a watch whose run failed: it pauses if only its user can help,
// tries again within its interval if the failure may pass, and else waits for its next due time. That
// is so for a run after a pause, too: Soke had accepted the key just before, so its reason is gone.
func (s *Scheduler) afterFailure(c triggers.Claim, failure *triggers.Failure, now time.Time) triggers.Settlement {
	if c.State == triggers.Paused && failure.NeedsUser() {
		out := stillPaused(c, failure, now)
		out.DueAt = c.Schedule.Next(now, c.ID) // what was due until now is recorded as skipped
		return out
	}
	out := triggers.Settlement{Claim: c, At: now, State: triggers.Active, Failure: failure}
	if failure.NeedsUser() {
		out.State = triggers.Paused
		out.DueAt = following(c, now)
		out.NextRunAt = now.Add(probeInterval(failure))
		out.Occurred = s.gaveUp(c, failure, now)
		return out
	}
	next := following(c, now)
	retry := now.Add(max(wait(c.Attempts), failure.RetryAfter))
	if failure.Passes() && retry.Before(next) {
		out.DueAt, out.NextRunAt, out.Attempts = c.DueAt, retry, c.Attempts+1
		return out
	}
	// A wait that Soke asked for is kept even if the schedule is more eager.
	out.DueAt, out.NextRunAt = next, latest(next, now.Add(failure.RetryAfter))
	out.Occurred = s.gaveUp(c, failure, now)
	return out
}

// gaveUp records the due time of a claim as failed, and those that passed meanwhile.
func (s *Scheduler) gaveUp(c triggers.Claim, failure *triggers.Failure, now time.Time) []triggers.Occurrence {
	failed := triggers.Occurrence{Due: c.DueAt, Outcome: triggers.Failed, Reason: string(failure.Code), Count: 1, At: now}
	return append([]triggers.Occurrence{failed}, s.missed(c, now, triggers.Coalesced, "")...)
}

// missed records the due times after the claim's own that have passed by now.
func (s *Scheduler) missed(c triggers.Claim, now time.Time, outcome triggers.Outcome, reason string) []triggers.Occurrence {
	n := c.Schedule.Missed(c.DueAt, now, c.ID)
	if n == 0 {
		return nil
	}
	return []triggers.Occurrence{{Due: c.Schedule.Next(c.DueAt, c.ID), Outcome: outcome, Reason: reason, Count: n, At: now}}
}

// skipped records every due time from the claim's own to now as not run.
func (s *Scheduler) skipped(c triggers.Claim, now time.Time, reason string) []triggers.Occurrence {
	if c.DueAt.After(now) {
		return nil
	}
	n := 1 + c.Schedule.Missed(c.DueAt, now, c.ID)
	return []triggers.Occurrence{{Due: c.DueAt, Outcome: triggers.Skipped, Reason: reason, Count: n, At: now}}
}

// wait is the pause before the next try of a run that failed so many times before: from ten
// seconds to an hour, with jitter.
func wait(attempts int) time.Duration {
	b := &backoff.ExponentialBackOff{InitialInterval: 10 * time.Second, RandomizationFactor: 0.2, Multiplier: 3, MaxInterval: time.Hour}
	b.Reset()
	d := b.NextBackOff()
	for range min(attempts, 10) {
		d = b.NextBackOff()
	}
	return d
}
