package background

import (
	"context"
	"sync/atomic"
	"time"
)

// pauseAfterFault keeps a store in trouble from being asked without end.
const pauseAfterFault = time.Second

// Loop repeats rounds of background work: at once when something wakes it, and when the round before
// said that more would be due. What is due is never in the loop, it is in the store.
type Loop struct {
	wake  chan struct{}
	round *atomic.Pointer[time.Time] // when the latest round ended that found what is due
}

// NewLoop returns a loop that nothing has woken.
func NewLoop() Loop {
	l := Loop{make(chan struct{}, 1), new(atomic.Pointer[time.Time])}
	l.ended()
	return l
}

// SinceRound returns for how long no round has succeeded: at first, since the loop was made.
func (l Loop) SinceRound() time.Duration { return time.Since(*l.round.Load()) }

func (l Loop) ended() {
	now := time.Now() // holds a monotonic reading, which no change of the clock can hurt
	l.round.Store(&now)
}

// Wake tells the loop that something may have become due.
func (l Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run repeats round until ctx ends, and returns ctx's error. fault is told what a round failed with;
// the next one follows after a pause.
func (l Loop) Run(ctx context.Context, round func(context.Context) (time.Duration, error), fault func(error)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.wake:
		case <-timer.C:
		}
		wait, err := round(ctx)
		switch {
		case err == nil:
			l.ended()
		case ctx.Err() == nil:
			fault(err)
			wait = pauseAfterFault
		}
		timer.Reset(wait)
	}
}
