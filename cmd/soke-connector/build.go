package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
)

// assembly is the service put together, before it works.
type assembly struct {
	db      *sqlite.DB
	server  *connector.Server
	engines *engines
	logger  *slog.Logger
}

// build wires the service by hand.
func (c *serveCommand) build(ctx context.Context, db *sqlite.DB, client *soke.Client, metrics *connector.Metrics, logger *slog.Logger) (*assembly, error) {
	metrics.Registry.MustRegister(newStorageMetrics(db))
	engines, err := c.engines(ctx, db, client, metrics, logger)
	if err != nil {
		return nil, err
	}
	proxies, err := c.Sockets.proxies()
	if err != nil {
		return nil, usageError{err}
	}
	server, err := connector.New(connector.Config{
		Soke:        client,
		Catalogue:   catalogue(),
		Platforms:   dialects(),
		Watching:    engines.watching,
		Callbacks:   engines.callbacks,
		Answers:     db,
		Ready:       ready(db, engines.scheduler),
		Metrics:     metrics,
		Logger:      logger,
		Version:     version,
		PublicURL:   c.PublicURL,
		CallTimeout: c.UpstreamTimeout,
		BodyTimeout: c.Sockets.BodyTimeout,
		MaxRequests: c.Sockets.connections(c.Sandbox),
		Proxies:     proxies,
	})
	if err != nil {
		return nil, err
	}
	return &assembly{db: db, server: server, engines: engines, logger: logger}, nil
}

// theEnd ends so long after ctx has ended: it is the one deadline of all that finishes then.
func theEnd(ctx context.Context, patience time.Duration) (limit context.Context, cancel func()) {
	limit, cancel = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(patience, cancel) })
	return limit, cancel
}

// work has group serve, and do what is done in the background, until ctx ends; what has begun by then
// may finish until limit ends. served is called when no request is left.
func (c *serveCommand) work(ctx, limit context.Context, group *errgroup.Group, a *assembly, services []service, served func()) {
	group.Go(func() error {
		defer served()
		err := serveUntil(ctx, limit, a.logger, services...)
		// Where a listener has failed, ctx has not ended yet and limit does not run.
		patience, cancel := context.WithTimeout(limit, c.ShutdownTimeout)
		defer cancel()
		if drained := a.server.Drain(patience); err == nil && drained != nil {
			err = fmt.Errorf("paid calls were still running after %s and were cut; allow more with --shutdown-timeout", c.ShutdownTimeout)
		}
		return err
	})
	keep := sqlite.Retention{Events: c.KeepEvents, Runs: c.KeepRuns, Attempts: c.KeepAttempts}
	for _, background := range []func() error{
		func() error { return a.server.Run(ctx) },
		func() error { return relieve(ctx, a.server.InFlight) },
		func() error { return a.engines.run(ctx, limit) },
		func() error { return housekeeping(ctx, a.db, keep, a.logger) },
	} {
		group.Go(func() error {
			if err := background(); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil // the end of ctx is no failure, and must not hide one
		})
	}
}
