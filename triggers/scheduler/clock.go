package scheduler

import (
	"context"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// setBack is from how far on a clock that reads an earlier time counts as set back.
const setBack = time.Minute

// mendBatch is how many watches are mended at a time.
const mendBatch = 500

// mendDates gives watches new due times that a clock which was ahead has put off: they would wait
// until that time comes again. It looks at the first round and whenever the clock was set back.
func (s *Scheduler) mendDates(ctx context.Context) error {
	now := s.Now()
	s.mu.Lock()
	due := s.latest.IsZero() || now.Before(s.latest.Add(-setBack))
	s.mu.Unlock()
	if due {
		if err := s.mendAll(ctx, now); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if due {
		clear(s.room) // what Soke said of a minute belongs to the other clock
		s.latest = now
	}
	s.latest = latest(s.latest, now)
	return nil
}

func (s *Scheduler) mendAll(ctx context.Context, now time.Time) error {
	for {
		misdated, err := s.Store.Misdated(ctx, now.Add(setBack), mendBatch)
		if err != nil || len(misdated) == 0 {
			return err
		}
		for _, w := range misdated {
			due := w.Schedule.Next(now, w.ID)
			look := due
			switch {
			case w.State == triggers.Paused:
				look = now // a probe costs nothing
			case w.Runs == 0:
				due, look = now, now // somebody waits for the first result
			}
			if err := s.Store.Redate(ctx, w.ID, due, look, now); err != nil {
				return err
			}
		}
		s.Logger.WarnContext(ctx, "the clock was set back; due times were computed again", "watches", len(misdated))
	}
}

// following returns the due time that follows a claim's. A claim's time that is well ahead of now is
// that of a clock which was set back since: nobody waits for it to come again.
func following(c triggers.Claim, now time.Time) time.Time {
	from := latest(now, c.DueAt)
	if from.Sub(now) > setBack {
		from = now
	}
	return c.Schedule.Next(from, c.ID)
}
