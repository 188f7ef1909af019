package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/usesoke/soke-connector/connector/sqlite"
)

// pruneBatch is how many rows of a kind one step deletes, so that no step holds the writer for long.
const pruneBatch = 500

// housekeeping keeps the database small until ctx ends. Nothing here is due to anyone, so it may
// live in memory.
func housekeeping(ctx context.Context, db *sqlite.DB, keep sqlite.Retention, logger *slog.Logger) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			tidy(ctx, db, keep, logger)
		}
	}
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
