package main

import (
	"context"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/connector/sqlite"
)

// overdue is how long a watch may wait before the connector says that it cannot do its work.
const overdue = 5 * time.Minute

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
