package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/usesoke/soke-connector/connector/sqlite"
)

// pruneBatch is how many rows of a kind one step deletes, so that no step holds the writer for long.
const pruneBatch = 500

// overdue is how long a watch may wait before the connector says that it cannot do its work.
const overdue = 5 * time.Minute

// housekeeping keeps the database small until ctx ends. Nothing here is due to anyone, so it may
// live in memory.
func housekeeping(ctx context.Context, db *sqlite.DB, keep sqlite.Retention, logger *slog.Logger) error {
	clock := cron.New(cron.WithLocation(time.UTC), cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))
	if _, err := clock.AddFunc("@every 1m", func() { tidy(ctx, db, keep, logger) }); err != nil {
		return err
	}
	clock.Start()
	<-ctx.Done()
	<-clock.Stop().Done()
	return nil
}

func tidy(ctx context.Context, db *sqlite.DB, keep sqlite.Retention, logger *slog.Logger) {
	for ctx.Err() == nil {
		answers, err := db.PruneAnswers(ctx, time.Now(), pruneBatch)
		if err != nil {
			logger.WarnContext(ctx, "expired answers could not be deleted", "cause", err.Error())
			return
		}
		more, err := db.Prune(ctx, keep, time.Now(), pruneBatch)
		if err != nil {
			logger.WarnContext(ctx, "what is over could not be deleted", "cause", err.Error())
			return
		}
		if answers < pruneBatch && !more {
			break
		}
	}
	if err := db.Maintain(ctx); err != nil && ctx.Err() == nil {
		logger.WarnContext(ctx, "the database could not be tidied", "cause", err.Error())
	}
}

// crowd is from how many requests in flight on the memory of their arrival is worth a collection.
const crowd = 1000

// relieve gives memory back when a crowd of requests has arrived and waits for Soke. To arrive takes
// deep stacks and leaves garbage; with most goroutines asleep nothing would collect either for as
// long as the crowd waits. Each collection halves stacks that are nearly empty.
func relieve(ctx context.Context, inFlight func() int) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for relieved, before := 0, 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := inFlight()
		arriving := now > before+before/50
		before, relieved = now, min(relieved, 2*now)
		if now >= crowd && now > relieved+relieved/10 && !arriving {
			relieved = now
			for range 2 {
				runtime.GC()
			}
			debug.FreeOSMemory() // collects, too
		}
	}
}

// ready reports why the connector cannot do its work: the database does not take writes, or due
// watches wait for too long.
func ready(db *sqlite.DB) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := db.Writable(ctx); err != nil {
			return err
		}
		now := time.Now()
		due, err := db.OldestDue(ctx, now)
		if err != nil {
			return err
		}
		if age := now.Sub(due); !due.IsZero() && age > overdue {
			return fmt.Errorf("a watch has been due for %s", age.Round(time.Second))
		}
		return nil
	}
}
