package scheduler

import (
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

// reserve is the part of a key's requests a minute that scheduled runs leave to its interactive
// calls: a fifth.
const reserve = 5

// allowance is what Soke said last of a key's rate limit.
type allowance struct {
	limit, remaining int
	reset            time.Time
}

// allowanceOf reads limits. ok is false where Soke did not say.
func allowanceOf(l soke.Limits, now time.Time) (a allowance, ok bool) {
	if l.Limit == nil || l.Remaining == nil || l.Reset == nil || !l.Reset.After(now) {
		return allowance{}, false
	}
	// A minute is what Soke counts in; a clock that differs from ours must not hold for longer.
	reset := *l.Reset
	if latest := now.Add(time.Minute); reset.After(latest) {
		reset = latest
	}
	return allowance{*l.Limit, *l.Remaining, reset}, true
}

func (a allowance) over(now time.Time) bool { return !a.reset.After(now) }

// room is how many more runs may begin while so many are on their way.
func (a allowance) room(running int) int { return a.remaining - running - a.limit/reserve }

// learn keeps what Soke said of a connection's rate limit. Answers of one minute may come in any
// order; the least that was left is the newest.
func (s *Scheduler) learn(connectionID string, l soke.Limits) {
	now := s.Now()
	a, ok := allowanceOf(l, now)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, known := s.room[connectionID]; known && !before.over(now) && a.reset.Sub(before.reset).Abs() <= time.Second {
		a.remaining = min(a.remaining, before.remaining)
	}
	s.room[connectionID] = a
}
