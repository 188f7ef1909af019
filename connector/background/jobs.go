// Package background is work that repeats, and work that is let finish.
package background

import (
	"context"
	"sync"
)

// Jobs is background work that, once begun, is let finish. The zero value is ready.
type Jobs struct {
	mu    sync.Mutex
	count int
	none  chan struct{} // closed when the last job ends
	ended bool
}

// Begin runs job in the background, and reports whether it does: not once Drain was called.
func (j *Jobs) Begin(job func()) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return false
	}
	if j.count == 0 {
		j.none = make(chan struct{})
	}
	j.count++
	go func() {
		defer j.end()
		job()
	}()
	return true
}

func (j *Jobs) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.count--; j.count == 0 {
		close(j.none)
	}
}

// Ended reports whether nothing more may begin.
func (j *Jobs) Ended() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ended
}

// Drain lets nothing more begin and waits until what has begun is over, or ctx ends.
func (j *Jobs) Drain(ctx context.Context) error {
	j.mu.Lock()
	j.ended = true
	j.mu.Unlock()
	return j.Settled(ctx)
}

// Settled waits until no job is under way, or ctx ends.
func (j *Jobs) Settled(ctx context.Context) error {
	for {
		j.mu.Lock()
		count, none := j.count, j.none
		j.mu.Unlock()
		if count == 0 {
			return nil
		}
		select {
		case <-none:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
