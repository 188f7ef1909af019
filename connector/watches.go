package connector

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

// Watching is what triggers need beyond what actions do.
type Watching struct {
	Store WatchStore
	// Runner runs watches, Outbox delivers their events.
	Runner Runner
	Outbox interface{ Wake() }
	// Targets judges what webhooks may reach.
	Targets Targets
	// MinInterval is the shortest time between two runs of a watch.
	MinInterval time.Duration
}

// Runner runs watches that are due.
type Runner interface {
	// RunNow runs a watch that is due and returns what became of it, or ctx's error.
	RunNow(ctx context.Context, watch triggers.Watch) error
	// Wake has it look at what is due.
	Wake()
}

// Targets judges the URLs of webhooks. Refusals are *delivery.TargetError.
type Targets interface {
	CheckURL(raw string) (*url.URL, error)
	CheckHost(ctx context.Context, u *url.URL) error
}

// WatchStore keeps watches, their events and their subscriptions. Its errors are
// triggers.ErrNoConnection, triggers.ErrNoSubscription, and the storage's own.
type WatchStore interface {
	// ConnectionID returns the id of the key's connection, or the one it would get.
	ConnectionID(ctx context.Context, key soke.Key) (string, error)
	OpenFeed(ctx context.Context, o triggers.Opening) (triggers.Opened, error)
	FindWatch(ctx context.Context, id string) (triggers.Watch, error)
	// TryAgain makes a watch that has never succeeded due at once.
	TryAgain(ctx context.Context, watchID string, now time.Time) error
	// Events returns events, and whether there are more.
	Events(ctx context.Context, q triggers.EventQuery) ([]triggers.StoredEvent, bool, error)
	// Uses counts the uses of the key's watch; 0 if there is none.
	Uses(ctx context.Context, key soke.Key, o triggers.Opening) (int, error)
	Subscribe(ctx context.Context, s triggers.Subscribing) (triggers.Subscribed, error)
	// SubscribeTest fails with triggers.ErrTooManyTests, too.
	SubscribeTest(ctx context.Context, t triggers.Testing) (triggers.Subscribed, error)
	FindSubscription(ctx context.Context, key soke.Key, platform, id string) (triggers.Subscription, triggers.Watch, error)
	FindTarget(ctx context.Context, key soke.Key, platform, target string) (triggers.Subscription, triggers.Watch, error)
	EndSubscription(ctx context.Context, key soke.Key, token, platform, id string, now time.Time) error
	// Rotate moves everything from a key to another and counts the watches.
	Rotate(ctx context.Context, from, to soke.Key, now time.Time) (int, error)
	// Recheck makes the key's paused watches due now: Soke has just accepted the key.
	Recheck(ctx context.Context, key soke.Key, now time.Time) (found bool, err error)
}

// needKey refuses a sign-in where only a key will do.
func needKey(cred soke.Credential) error {
	if !cred.Key.IsZero() {
		return nil
	}
	return &soke.Error{
		Code: soke.InvalidInput, NotSent: true, Field: headerKey, Label: "API key",
		Message: "Triggers need an API key (sk_live_…): they run while you are away, when a sign-in has long expired.",
	}
}

// opening binds a trigger's input to the caller.
func (s *Server) opening(cred soke.Credential, t triggers.Trigger, form *schemas.Object) (triggers.Opening, error) {
	if err := needKey(cred); err != nil {
		return triggers.Opening{}, err
	}
	bound, err := t.Bind(form)
	if err != nil {
		return triggers.Opening{}, err
	}
	now := s.Now()
	if err := bound.Schedule.CheckInterval(s.Watching.MinInterval, now); err != nil {
		return triggers.Opening{}, err
	}
	research, err := json.Marshal(bound.Research)
	if err != nil {
		return triggers.Opening{}, err
	}
	return triggers.Opening{
		Key: cred.Key, AccountID: cred.AccountID, Research: research, Schedule: bound.Schedule,
		Trigger: t, Parameters: bound.Parameters, Now: now,
	}, nil
}

// recheck has paused watches looked at because Soke has just accepted their key. It is a help, not
// a promise: the next probe does the same.
func (s *Server) recheck(ctx context.Context, key soke.Key) {
	if s.Watching == nil || key.IsZero() {
		return
	}
	found, err := s.Watching.Store.Recheck(ctx, key, s.Now())
	if err != nil && !errors.Is(err, triggers.ErrNoConnection) {
		s.Logger.WarnContext(ctx, "paused watches could not be looked at", "cause", err.Error())
	}
	if found {
		s.Watching.Runner.Wake()
	}
}
