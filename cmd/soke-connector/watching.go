package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

// sandboxInterval is the shortest interval of watches in the sandbox: long enough to
// see, short enough to watch.
const sandboxInterval = time.Second

// engines are the two that work in the background: due watches become runs, and what runs put into
// the outbox goes to its receivers.
type engines struct {
	scheduler *scheduler.Scheduler
	outbox    *delivery.Engine
	watching  *connector.Watching
	callbacks *connector.Callbacks
}

// guard judges what webhooks and callbacks may reach.
func (c *serveCommand) guard() (*delivery.Guard, error) {
	return delivery.NewGuard(delivery.GuardOptions{AllowLoopback: c.Sandbox, AllowPlainHTTP: c.Sandbox, AllowTargets: c.AllowTargets})
}

// engines makes the engines, which nobody may use before: what a crash has left claimed is nobody's,
// and nobody else has this database.
func (c *serveCommand) engines(ctx context.Context, db *sqlite.DB, client *soke.Client, metrics *connector.Metrics, logger *slog.Logger) (*engines, error) {
	if err := db.ReleaseClaims(ctx, time.Now()); err != nil {
		return nil, err
	}
	guard, err := c.guard()
	if err != nil {
		return nil, err
	}
	e := &engines{}
	if e.outbox, err = delivery.NewEngine(delivery.EngineOptions{
		Store: db, Guard: guard, Receivers: platform.Receivers(dialects()), Logger: logger,
		UserAgent: "soke-connector/" + version, Observe: metrics.ObserveDelivery,
	}); err != nil {
		return nil, err
	}
	if e.scheduler, err = scheduler.New(scheduler.Options{
		Store: db, Soke: client, Triggers: triggers.All(), Logger: logger,
		Committed: e.outbox.Wake, Observe: metrics.ObserveRun,
	}); err != nil {
		return nil, err
	}
	e.watching = &connector.Watching{Store: db, Runner: e.scheduler, Outbox: e.outbox, Targets: guard, MinInterval: c.MinInterval}
	e.callbacks = &connector.Callbacks{Store: db, Targets: guard, Client: guard.Client(delivery.Patience), UserAgent: "soke-connector/" + version}
	return e, nil
}

// run runs both until ctx ends, then lets what has begun finish until limit ends.
func (e *engines) run(ctx, limit context.Context) error {
	stopped := make(chan error, 2)
	go func() { stopped <- e.scheduler.Run(ctx) }()
	go func() { stopped <- e.outbox.Run(ctx) }()
	err := errors.Join(<-stopped, <-stopped)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	// A delivery that is cut stays in the outbox, so that is no failure.
	_ = e.outbox.Drain(limit)
	return errors.Join(err, e.scheduler.Drain(limit))
}
