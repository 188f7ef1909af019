package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

// Watches returns watches in the order of their ids, from after an id on.
func (db *DB) Watches(ctx context.Context, after string, limit int) (all []triggers.Watch, err error) {
	err = db.read(ctx, "list watches", func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT "+watchColumns+" FROM watches w WHERE w.id > ? ORDER BY w.id LIMIT ?", after, limit)
		if err != nil {
			return err
		}
		all, err = collect(rows, func(scan func(...any) error) (triggers.Watch, error) {
			w, err := scanWatch(scan)
			if db.unreadable(ctx, err) {
				err = nil // the operator sees it, without its schedule
			}
			return w, err
		})
		return err
	})
	return all, err
}

// Inspect returns a watch with its feeds, its subscriptions, its latest occurrences and runs, or
// triggers.ErrNoWatch.
func (db *DB) Inspect(ctx context.Context, id string, occurrences int) (i triggers.Inspection, err error) {
	err = db.read(ctx, "inspect watch", func(ctx context.Context, tx *sql.Tx) error {
		if i.Watch, err = watchByID(ctx, tx, id); err != nil {
			return err
		}
		states, err := db.readFeeds(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, f := range states {
			i.Feeds = append(i.Feeds, f.Feed)
		}
		rows, err := tx.QueryContext(ctx, "SELECT "+subscriptionColumns+" FROM subscriptions s WHERE s.watch_id = ? ORDER BY s.created_at", id)
		if err != nil {
			return err
		}
		if i.Subscriptions, err = collect(rows, func(scan func(...any) error) (triggers.Subscription, error) { return scanSubscription(scan) }); err != nil {
			return err
		}
		if rows, err = tx.QueryContext(ctx, "SELECT due_at, outcome, reason, count, at FROM occurrences WHERE watch_id = ? ORDER BY due_at DESC LIMIT ?", id, occurrences); err != nil {
			return err
		}
		i.Occurrences, err = collect(rows, func(scan func(...any) error) (o triggers.Occurrence, err error) {
			var due, at int64
			err = scan(&due, &o.Outcome, &o.Reason, &o.Count, &at)
			o.Due, o.At = moment(due), moment(at)
			return o, err
		})
		if err != nil {
			return err
		}
		if rows, err = tx.QueryContext(ctx, "SELECT due_at, keywords, events, request_id FROM runs WHERE watch_id = ? ORDER BY due_at DESC LIMIT ?", id, occurrences); err != nil {
			return err
		}
		i.Runs, err = collect(rows, func(scan func(...any) error) (r triggers.RunRecord, err error) {
			var due int64
			err = scan(&due, &r.Keywords, &r.Events, &r.RequestID)
			r.Due = moment(due)
			return r, err
		})
		return err
	})
	return i, noWatch(err)
}

// Deliveries returns the latest deliveries of a subscription, newest first, or
// triggers.ErrNoSubscription.
func (db *DB) Deliveries(ctx context.Context, subscriptionID string, limit int) (all []triggers.DeliveryRecord, err error) {
	err = db.read(ctx, "list deliveries", func(ctx context.Context, tx *sql.Tx) error {
		var known bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM subscriptions WHERE id = ?)", subscriptionID).Scan(&known); err != nil {
			return err
		}
		if !known {
			return triggers.ErrNoSubscription
		}
		rows, err := tx.QueryContext(ctx, "SELECT id, kind, state, created_at FROM deliveries WHERE subscription_id = ? ORDER BY seq DESC LIMIT ?", subscriptionID, limit)
		if err != nil {
			return err
		}
		all, err = collect(rows, func(scan func(...any) error) (d triggers.DeliveryRecord, err error) {
			var created int64
			err = scan(&d.ID, &d.Kind, &d.State, &created)
			d.Created = moment(created)
			return d, err
		})
		for i := range all {
			if err == nil {
				all[i].Attempts, err = attemptsOf(ctx, tx, all[i].ID)
			}
		}
		return err
	})
	return all, err
}

func attemptsOf(ctx context.Context, tx *sql.Tx, deliveryID string) ([]triggers.AttemptRecord, error) {
	rows, err := tx.QueryContext(ctx, "SELECT number, at, duration, outcome FROM attempts WHERE delivery_id = ? ORDER BY number", deliveryID)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (a triggers.AttemptRecord, err error) {
		var at, took int64
		err = scan(&a.Number, &at, &took, &a.Outcome)
		a.At, a.Took = moment(at), time.Duration(took)*time.Millisecond
		return a, err
	})
}

// Trace returns all that a watch knows of a keyword, or triggers.ErrNoWatch.
func (db *DB) Trace(ctx context.Context, id, keyword string) (t triggers.Trace, err error) {
	t.Fold = triggers.Fold(keyword)
	asked := jsonList([]string{t.Fold})
	err = db.read(ctx, "trace keyword", func(ctx context.Context, tx *sql.Tx) error {
		if t.Watch, err = watchByID(ctx, tx, id); err != nil {
			return err
		}
		known := map[string]triggers.Known{}
		if err := db.readKnown(ctx, tx, id, asked, known); err != nil {
			return err
		}
		if k, ok := known[t.Fold]; ok {
			t.Known = &k
		}
		if t.Rank, t.LatestAt, err = rankOf(ctx, tx, id, t.Fold); err != nil {
			return err
		}
		states, err := db.readFeeds(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := db.readMarks(ctx, tx, id, asked, states); err != nil {
			return err
		}
		for _, f := range states {
			trace := triggers.FeedTrace{Feed: f.Feed}
			if mark, ok := f.Marks[t.Fold]; ok {
				trace.Mark = &mark
			}
			if trace.Events, err = eventsAbout(ctx, tx, f.ID, t.Fold); err != nil {
				return err
			}
			t.Feeds = append(t.Feeds, trace)
		}
		return nil
	})
	return t, noWatch(err)
}

// rankOf finds a keyword in the latest result of a watch.
func rankOf(ctx context.Context, tx *sql.Tx, id, fold string) (rank int, at time.Time, err error) {
	var text string
	var ms int64
	err = tx.QueryRowContext(ctx, "SELECT keywords, at FROM results WHERE watch_id = ?", id).Scan(&text, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, nil
	}
	if err != nil {
		return 0, time.Time{}, err
	}
	var keywords []soke.Keyword
	if err := json.Unmarshal([]byte(text), &keywords); err != nil {
		return 0, time.Time{}, err
	}
	for i, k := range keywords {
		if triggers.Fold(k.Keyword) == fold {
			return i + 1, moment(ms), nil
		}
	}
	return 0, moment(ms), nil
}

// eventsAbout returns a feed's events about a keyword. Folding is not SQL's business, so they are
// all looked at; this is for a person who asks.
func eventsAbout(ctx context.Context, tx *sql.Tx, feedID, fold string) ([]json.RawMessage, error) {
	rows, err := tx.QueryContext(ctx, "SELECT body FROM events WHERE feed_id = ? ORDER BY seq", feedID)
	if err != nil {
		return nil, err
	}
	all, err := collect(rows, scanBody)
	if err != nil {
		return nil, err
	}
	var about []json.RawMessage
	for _, body := range all {
		var e struct {
			Keyword string `json:"keyword"`
		}
		if err := json.Unmarshal(body, &e); err != nil {
			return nil, err
		}
		if e.Keyword != "" && triggers.Fold(e.Keyword) == fold {
			about = append(about, body)
		}
	}
	return about, nil
}

// Replay puts what a subscription was told since a time into the outbox again, and returns how
// many deliveries that are. Their ids are new, so that a receiver that drops repeated deliveries
// takes them; their events have the ids they always had. It fails with
// triggers.ErrNoSubscription, also for one that has ended.
func (db *DB) Replay(ctx context.Context, id string, since, now time.Time) (count int, err error) {
	err = db.write(ctx, "replay deliveries", func(ctx context.Context, tx *sql.Tx) error {
		count = 0
		var live bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM subscriptions WHERE id = ? AND state != 'ended')", id).Scan(&live); err != nil {
			return err
		}
		if !live {
			return triggers.ErrNoSubscription
		}
		ids, err := db.replayable(ctx, tx, id, since)
		if err != nil {
			return err
		}
		for _, old := range ids {
			if _, err := db.writer.exec(ctx, tx, `
				INSERT INTO deliveries (id, subscription_id, kind, watch_id, run_id, feed_id, first_event, last_event, body, state, created_at)
				SELECT ?, subscription_id, kind, watch_id, run_id, feed_id, first_event, last_event, body, 'pending', ? FROM deliveries WHERE id = ?`,
				triggers.DeliveryID(id, "replay of "+old+" at "+now.Format(time.RFC3339Nano)), now.UnixMilli(), old); err != nil {
				return err
			}
			count++
		}
		return db.wakeSubscription(ctx, tx, id, now)
	})
	if err != nil && !errors.Is(err, triggers.ErrNoSubscription) {
		return 0, fmt.Errorf("replaying deliveries: %w", err)
	}
	return count, err
}

// replayable lists the deliveries of events that are over, each run once, oldest first.
func (db *DB) replayable(ctx context.Context, tx *sql.Tx, id string, since time.Time) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT id FROM deliveries WHERE seq IN (
			SELECT min(seq) FROM deliveries d WHERE subscription_id = ?1 AND kind = 'events' AND created_at >= ?2 AND state != 'pending'
				AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.subscription_id = ?1 AND p.state = 'pending' AND p.run_id = d.run_id AND p.feed_id = d.feed_id)
			GROUP BY run_id, feed_id) ORDER BY seq`, id, since.UnixMilli())
	if err != nil {
		return nil, err
	}
	return collect(rows, scanID)
}
