package soke

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Bounds of repeats: a caller waits for half a minute at most.
const (
	maxRepeats   = 2
	maxLimitWait = 10 * time.Second
)

// repeat runs an attempt again, at most twice, only where Soke surely did nothing: the request did
// not reach it, or Soke refused it for the rate and the wait fits the caller's time. A signed-in
// session has its token replaced once when Soke refuses it. Everything else may have been charged,
// and is never run again.
func repeat[T any](ctx context.Context, s *Session, until time.Time, attempt func(Token) (T, error)) (T, error) {
	var none T
	var refused Token
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 100 * time.Millisecond
	for repeats := 0; ; {
		token, err := s.token(ctx, refused)
		if err != nil {
			return none, err
		}
		answer, err := attempt(token)
		var failure *Error
		if err == nil || !errors.As(err, &failure) {
			return answer, err
		}
		if failure.Code == Unauthorized && s.source != nil && refused.IsZero() {
			refused = token
			continue
		}
		wait, again := repeatAfter(failure, pause)
		if !again || repeats == maxRepeats || !fits(ctx, until, wait) {
			return none, err
		}
		repeats++
		if s.client.sleep(ctx, wait) != nil {
			failure.Err = ctx.Err()
			return none, failure
		}
	}
}

// token returns what an attempt is authorised with besides a key.
func (s *Session) token(ctx context.Context, refused Token) (Token, error) {
	if s.source == nil {
		return s.cred.Token, nil
	}
	token, err := s.source.fresh(ctx, refused)
	if failure := (*Error)(nil); errors.As(err, &failure) {
		s.remember(Meta{RequestID: failure.RequestID, Limits: failure.Limits})
	}
	return token, err
}

// repeatAfter tells whether and when Soke may be asked again.
func repeatAfter(e *Error, pause *backoff.ExponentialBackOff) (time.Duration, bool) {
	switch {
	case errors.Is(e, context.Canceled):
		return 0, false
	case e.Code == RateLimitExceeded && e.RetryAfter > 0 && e.RetryAfter <= maxLimitWait:
		// A little later than Soke said, so that callers who wait for the same minute do not meet.
		return e.RetryAfter + rand.N(200*time.Millisecond), true
	case e.Code == UpstreamUnavailable && e.NotSent:
		return pause.NextBackOff(), true
	}
	return 0, false
}

// fits reports whether a wait ends within the call's time and the caller's.
func fits(ctx context.Context, until time.Time, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	return time.Until(until) > wait
}

// sleep waits in real time.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
