package delivery

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/usesoke/soke-connector/connector/background"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

const (
	// Patience is how long a receiver may take to answer.
	Patience = 15 * time.Second
	// idle is the longest time without a look at what is due.
	idle = 30 * time.Second
	// insists is for how long the engine tries to keep an outcome before it lets the delivery be made
	// again: a disk that is full may have room again soon, and the receiver has its message.
	insists = 10 * time.Minute
	// restAfterFault is how long a connection leaves a host alone whose outcome could not be kept.
	restAfterFault = time.Minute
)

// Receiver is what is peculiar to the receivers of one platform.
type Receiver struct {
	Policy Policy
	// Paused returns the error object that tells why a watch is paused.
	Paused func(*soke.Error) any
	// Unsubscribes are the codes that are told by a DELETE of the target instead of a delivery
	// (Zapier's reverse unsubscribe).
	Unsubscribes []soke.Code
}

// EngineOptions make an Engine. Every field is required unless it says otherwise.
type EngineOptions struct {
	Store     Store
	Guard     *Guard
	Receivers map[string]Receiver // by platform
	Logger    *slog.Logger
	UserAgent string
	// Workers bounds the attempts at one time. 0 is 64.
	Workers int
	// PerConnection bounds those of one connection. 0 is 8.
	PerConnection int
	// Observe, if set, is told of each attempt. It must be safe for concurrent use.
	Observe func(platform string, outcome Outcome, sinceCreated time.Duration)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Engine brings deliveries out of the outbox to their receivers.
type Engine struct {
	EngineOptions
	background.Loop
	client   *http.Client
	hosts    *hosts
	places   *background.Places
	draining chan struct{} // closed by Drain
	drain    sync.Once
	attempts background.Named // by subscription
}

// NewEngine returns an engine. Nothing goes out before Run.
func NewEngine(o EngineOptions) (*Engine, error) {
	if o.Store == nil || o.Guard == nil || o.Logger == nil {
		return nil, errors.New("delivery: incomplete EngineOptions")
	}
	if o.Workers <= 0 {
		o.Workers = 64
	}
	if o.PerConnection <= 0 {
		o.PerConnection = 8
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(string, Outcome, time.Duration) {}
	}
	return &Engine{
		EngineOptions: o, Loop: background.NewLoop(), client: o.Guard.Client(Patience), hosts: newHosts(),
		places: background.NewPlaces(o.Workers, o.PerConnection), draining: make(chan struct{}),
	}, nil
}

// Run delivers what is due until ctx ends. Attempts that have begun go on; Drain waits for them.
func (e *Engine) Run(ctx context.Context) error {
	return e.Loop.Run(ctx, e.Round, func(err error) {
		e.Logger.WarnContext(ctx, "due deliveries could not be read", "cause", err.Error())
	})
}

// Drain waits until the attempts that have begun are over, or ctx ends. What is not delivered
// stays in the outbox. An outcome that cannot be kept is given up.
func (e *Engine) Drain(ctx context.Context) error {
	e.drain.Do(func() { close(e.draining) })
	defer e.client.CloseIdleConnections()
	return e.attempts.Drain(ctx)
}

// Settled waits until no attempt is under way, or ctx ends.
func (e *Engine) Settled(ctx context.Context) error { return e.attempts.Settled(ctx) }

// Round starts the attempts that are due now, as far as there is room, and returns how long
// nothing else will be due. An attempt that ends calls Wake, because it makes room.
func (e *Engine) Round(ctx context.Context) (time.Duration, error) {
	for {
		now := e.Now()
		room, release := e.room(now)
		if room.Limit <= 0 {
			return idle, nil
		}
		due, next, err := e.Store.DueDeliveries(ctx, now, room)
		if err != nil {
			return 0, err
		}
		started := 0
		for _, d := range due {
			if e.start(ctx, d, now) {
				started++
			}
		}
		switch {
		case started > 0:
		case next.IsZero() && len(due) == 0:
			return min(idle, release), nil
		default:
			wait := release
			if !next.IsZero() && len(due) == 0 {
				wait = min(wait, next.Sub(now))
			}
			return min(idle, max(wait, time.Millisecond)), nil
		}
	}
}

// room returns what may begin now, and how long until the first of the hosts that are held
// is free.
func (e *Engine) room(now time.Time) (room Room, release time.Duration) {
	if e.attempts.Ended() {
		return Room{}, idle
	}
	room.Busy = e.attempts.IDs()
	room.Limit, room.Each = e.Workers-len(room.Busy), e.PerConnection
	room.Connections = e.places.Full()
	room.Hosts, room.Pairs, release = e.hosts.held(now)
	return room, release
}

func pairOf(d triggers.DueDelivery) Pair { return Pair{d.ConnectionID, d.Host} }

// start tries a delivery in the background, and reports whether its connection and its host have a
// place for it.
func (e *Engine) start(ctx context.Context, d triggers.DueDelivery, now time.Time) bool {
	if !e.places.Take(d.ConnectionID) {
		return false
	}
	if !e.hosts.enter(pairOf(d), now) {
		e.places.Leave(d.ConnectionID)
		return false
	}
	leave := func() {
		e.hosts.leave(d.Host)
		e.places.Leave(d.ConnectionID)
	}
	begun := e.attempts.Begin(d.ID, func() {
		if err := background.Contain(func() { e.try(context.WithoutCancel(ctx), d) }); err != nil {
			e.Logger.ErrorContext(ctx, "an attempt ended in a panic", append(background.Log(err), "delivery", d.Delivery.ID)...)
			e.hosts.hold(pairOf(d), e.Now().Add(restAfterFault))
		}
	}, func() {
		leave()
		e.Wake()
	})
	if !begun {
		leave()
	}
	return begun
}

// try makes one attempt and keeps what became of it.
func (e *Engine) try(ctx context.Context, d triggers.DueDelivery) {
	receiver := e.Receivers[d.Platform]
	began := e.Now()
	outcome := e.send(ctx, receiver, d)
	now := e.Now()
	e.hosts.answered(pairOf(d), outcome, now)
	e.Observe(d.Platform, outcome, began.Sub(d.Delivery.CreatedAt))
	attempt := settle(receiver, d, outcome, began, now)
	level := slog.LevelDebug
	if !attempt.Delivered {
		level = slog.LevelInfo
	}
	e.Logger.Log(ctx, level, "delivery attempt", "subscription", d.ID, "delivery", d.Delivery.ID, "outcome", outcome.String(), "attempt", attempt.Attempts, "state", string(attempt.State))
	if err := e.keep(ctx, attempt); err != nil {
		// The receiver may see this delivery again, under the same webhook-id.
		e.Logger.ErrorContext(ctx, "a delivery's outcome could not be kept", "delivery", d.Delivery.ID, "cause", err.Error())
		e.hosts.hold(pairOf(d), e.Now().Add(restAfterFault))
	}
}

// keep repeats what the store has to do for an attempt, whose subscription is busy as long.
func (e *Engine) keep(ctx context.Context, a triggers.Attempt) error {
	waiting, giveUp := context.WithCancel(ctx)
	defer giveUp()
	kept := make(chan struct{})
	defer close(kept)
	go func() {
		select {
		case <-e.draining:
			giveUp()
		case <-kept:
		}
	}()
	_, err := backoff.Retry(waiting, func() (struct{}, error) { return struct{}{}, e.Store.SettleAttempt(ctx, a) },
		backoff.WithMaxElapsedTime(insists), backoff.WithNotify(func(err error, _ time.Duration) {
			e.Logger.ErrorContext(ctx, "a delivery's outcome could not be kept yet", "delivery", a.Delivery.Delivery.ID, "cause", err.Error())
		}))
	return err
}

// settle turns an outcome into what becomes of the delivery and its subscription.
func settle(r Receiver, d triggers.DueDelivery, o Outcome, began, now time.Time) triggers.Attempt {
	a := triggers.Attempt{Delivery: d, At: began, Took: now.Sub(began), Outcome: o.String(), Status: o.Status, State: d.State, Reason: d.Reason}
	state := State{Attempts: d.Delivery.Attempts, Failures: d.Delivery.Failures, FailingSince: d.Delivery.FailingSince}
	decision := Next(r.Policy, state, o, now, rand.Float64)
	a.Attempts, a.Failures, a.FailingSince = decision.State.Attempts, decision.State.Failures, decision.State.FailingSince
	switch decision.Step {
	case Delivered:
		a.Delivered, a.State, a.Reason = true, triggers.Active, ""
	case Retry:
		a.NextAt = decision.At
	case Pause:
		a.State, a.Reason, a.NextAt = triggers.Paused, decision.Reason, decision.At
	case End:
		a.State = triggers.Ended
	}
	if r.unsubscribes(d) && (a.Delivered || o.Status == http.StatusNotFound || o.Status == http.StatusGone) {
		a.Delivered, a.State = true, triggers.Ended // the receiver has let go of it
	}
	if !d.TestUntil.IsZero() {
		switch {
		case a.Delivered, !a.NextAt.IsZero() && a.NextAt.After(d.TestUntil), a.State == triggers.Paused:
			a.State = triggers.Ended
		}
	}
	return a
}
