package connector

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/usesoke/soke-connector/connector/background"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

const (
	// callbackWorkers bounds the callbacks at work at one time.
	callbackWorkers = 512
	// callbackShare bounds those of one credential, so that its slow calls leave room for others'.
	callbackShare = 64
	// callbackIdle is the longest time without a look at what is due.
	callbackIdle = 30 * time.Second
	// callbackInsists is for how long the engine tries to keep what became of a callback: the answer
	// has been paid for, and a disk that is full may have room again soon.
	callbackInsists = time.Hour
	// callbackRest is how long a callback is left alone that could not be worked on.
	callbackRest = time.Hour
	// lookupWait bounds the look-up of a target's name.
	lookupWait = 5 * time.Second
)

// Callbacks is what actions with callbacks need.
type Callbacks struct {
	Store   CallbackStore
	Targets CallbackTargets
	// Client reaches what Targets admits and nothing else.
	Client *http.Client
	// UserAgent is how posts name their sender.
	UserAgent string
}

// CallbackTargets judges where answers may be posted.
type CallbackTargets interface {
	Targets
	// Allowed reports whether the operator has allowed the target's host by name or address.
	Allowed(u *url.URL) bool
}

// callbackEngine makes the calls of callbacks and posts their answers.
type callbackEngine struct {
	Callbacks
	background.Loop
	answer func(context.Context, Callback) []byte
	now    func() time.Time
	logger *slog.Logger
	jobs   background.Named // by callback
}

func newCallbackEngine(c Callbacks, s *Server) *callbackEngine {
	return &callbackEngine{
		Callbacks: c, Loop: background.NewLoop(), answer: s.answerCallback, now: s.Now, logger: s.Logger,
	}
}

// run works until ctx ends. What has begun goes on; drain waits for it.
func (e *callbackEngine) run(ctx context.Context) error {
	return e.Run(ctx, e.round, func(err error) {
		e.logger.WarnContext(ctx, "due callbacks could not be read", "cause", err.Error())
	})
}

// round starts what is due and returns how long nothing else will be.
func (e *callbackEngine) round(ctx context.Context) (time.Duration, error) {
	busy := e.jobs.IDs()
	if len(busy) >= callbackWorkers {
		return callbackIdle, nil
	}
	now := e.now()
	due, next, err := e.Store.DueCallbacks(ctx, now, callbackWorkers-len(busy), callbackShare, busy)
	if err != nil {
		return 0, err
	}
	for _, c := range due {
		e.start(ctx, c)
	}
	if next.IsZero() {
		return callbackIdle, nil
	}
	return min(callbackIdle, max(next.Sub(now), time.Millisecond)), nil
}

func (e *callbackEngine) start(ctx context.Context, c Callback) {
	ctx = context.WithoutCancel(ctx)
	e.jobs.Begin(c.ID, func() {
		var err error
		if panicked := background.Contain(func() { err = e.advance(ctx, c) }); panicked != nil {
			// What it has come to is in the store; it goes on from there, but not at once.
			err = e.Store.SettleCallback(ctx, c.ID, c.Delivery, e.now().Add(callbackRest))
			e.logger.ErrorContext(ctx, "a callback ended in a panic", append(background.Log(panicked), "callback", c.ID)...)
		}
		if err != nil {
			e.logger.ErrorContext(ctx, "a callback could not be kept", "callback", c.ID, "cause", err.Error())
		}
	}, e.Wake)
}

// advance brings a callback as far as it goes now.
func (e *callbackEngine) advance(ctx context.Context, c Callback) error {
	var keep func() error // keeps the answer, if that is still to be done
	if c.State != CallbackAnswered {
		if c.State == CallbackAccepted {
			// From here on the call counts as sent, whatever happens to this process.
			started := false
			if err := e.insist(ctx, c, func() (err error) {
				started, err = e.Store.StartCallback(ctx, c.ID)
				return err
			}); err != nil || !started {
				return err
			}
		}
		c.Answer = e.answer(ctx, c)
		keep = func() error { return e.Store.AnswerCallback(ctx, c, e.now()) }
		if err := keep(); err != nil {
			e.logger.ErrorContext(ctx, "a paid answer could not be kept for its callback yet", "callback", c.ID, "cause", err.Error())
		} else {
			keep = nil
		}
	}
	outcome := e.post(ctx, c)
	decision := delivery.Next(delivery.Policy{Ends: []int{http.StatusNotFound, http.StatusGone}}, c.Delivery, outcome, e.now(), rand.Float64)
	next := decision.At
	if decision.Step != delivery.Retry {
		next = time.Time{}
	}
	e.logger.InfoContext(ctx, "callback attempt", "callback", c.ID, "outcome", outcome.String(), "step", string(decision.Step))
	return e.insist(ctx, c, func() error {
		if keep != nil && decision.Step == delivery.Retry {
			if err := keep(); err != nil {
				return err
			}
			keep = nil
		}
		return e.Store.SettleCallback(ctx, c.ID, decision.State, next)
	})
}

// insist repeats what the store has to do for a callback. The callback is busy as long.
func (e *callbackEngine) insist(ctx context.Context, c Callback, do func() error) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, do() },
		backoff.WithMaxElapsedTime(callbackInsists), backoff.WithNotify(func(err error, _ time.Duration) {
			e.logger.ErrorContext(ctx, "a callback could not be kept yet", "callback", c.ID, "cause", err.Error())
		}))
	return err
}

func (e *callbackEngine) post(ctx context.Context, c Callback) delivery.Outcome {
	ctx, cancel := context.WithTimeout(ctx, delivery.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Secret.Target, bytes.NewReader(c.Answer))
	if err != nil {
		return delivery.Outcome{Failure: delivery.NoConnection}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", e.UserAgent)
	return delivery.Exchange(e.Client, request, delivery.Policy{}, e.now)
}

// drain waits for what has begun, until ctx ends.
func (e *callbackEngine) drain(ctx context.Context) error { return e.jobs.Drain(ctx) }
