package main

import (
	"context"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

// stalled is how long the scheduler may be without a look at what is due before the connector says
// that it cannot do its work. It looks twice a minute at least. A watch that waits for its own key's
// rate limit is no reason: everybody else would be turned away for it.
const stalled = 5 * time.Minute

// ready reports why the connector cannot do its work: the database does not take writes, or the
// scheduler does not look at what is due.
func ready(db *sqlite.DB, s *scheduler.Scheduler) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := db.Writable(ctx); err != nil {
			return err
		}
		if since := s.SinceRound(); since > stalled {
			return fmt.Errorf("the scheduler has not looked at what is due for %s", since.Round(time.Second))
		}
		return nil
	}
}
