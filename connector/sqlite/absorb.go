package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// absorb moves everything of the connection other into the connection id, and drops other. Where
// both watch the same, the watch with the longer history goes on and knows what both knew; where
// both push to the same target, one subscription goes on with what waits in both.
func (db *DB) absorb(ctx context.Context, tx *sql.Tx, id, other string, now time.Time) error {
	pairs, err := twins(ctx, tx, id, other)
	if err != nil {
		return err
	}
	if _, err := db.writer.exec(ctx, tx, writeDown, id, other, jsonPairs(pairs)); err != nil {
		return err
	}
	for _, p := range pairs {
		for _, query := range mergeWatches {
			if _, err := db.writer.exec(ctx, tx, query, p.kept, p.gone, now.UnixMilli()); err != nil {
				return err
			}
		}
	}
	for _, query := range mergeConnections {
		if _, err := db.writer.exec(ctx, tx, query, id, other, now.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// writeDown keeps what was to be told of events that go: those of the feeds that both watches of a
// twin have. The deliveries are found by the subscriptions of the two connections, ?1 and ?2, because
// all others' are many; ?3 are the twins.
const writeDown = `UPDATE deliveries SET body = (SELECT '[' || group_concat(body, ',' ORDER BY seq) || ']' FROM events
		WHERE feed_id = deliveries.feed_id AND seq BETWEEN first_event AND last_event)
	WHERE kind = 'events' AND body IS NULL AND subscription_id IN (SELECT id FROM subscriptions WHERE connection_id IN (?1, ?2))
		AND feed_id IN (SELECT g.id FROM json_each(?3) p JOIN feeds g ON g.watch_id = p.value ->> 1
			JOIN feeds k ON k.watch_id = p.value ->> 0 AND k.trigger = g.trigger AND k.parameters = g.parameters)`

// mergeWatches merges the watch ?2 into ?1 at ?3.
var mergeWatches = []string{
	// Subscriptions move to the feed of the watch that goes on; one that is missing moves along.
	`UPDATE subscriptions SET feed_id = coalesce((SELECT k.id FROM feeds k JOIN feeds g ON g.trigger = k.trigger AND g.parameters = k.parameters
		WHERE g.id = subscriptions.feed_id AND k.watch_id = ?1), feed_id), watch_id = ?1, told = '' WHERE watch_id = ?2`,
	`UPDATE feeds SET watch_id = ?1 WHERE watch_id = ?2 AND NOT EXISTS
		(SELECT 1 FROM feeds k WHERE k.watch_id = ?1 AND k.trigger = feeds.trigger AND k.parameters = feeds.parameters)`,
	`INSERT INTO marks (feed_id, fold, score) SELECT k.id, m.fold, m.score FROM feeds g JOIN marks m ON m.feed_id = g.id
			JOIN feeds k ON k.trigger = g.trigger AND k.parameters = g.parameters
		WHERE g.watch_id = ?2 AND k.watch_id = ?1 ON CONFLICT DO NOTHING`,
	`INSERT INTO known (watch_id, fold, keyword, score, trend) SELECT ?1, fold, keyword, score, trend FROM known WHERE watch_id = ?2
		ON CONFLICT DO NOTHING`,
	`UPDATE watches SET polled_at = max(polled_at, (SELECT polled_at FROM watches WHERE id = ?2)) WHERE id = ?1`,
	`UPDATE watches SET state = CASE WHEN failure IS NULL THEN 'active' ELSE 'paused' END, due_at = ?3, next_run_at = ?3, dated_at = ?3, attempts = 0
		WHERE id = ?1 AND state = 'asleep' AND (SELECT state FROM watches WHERE id = ?2) != 'asleep'`,
	`DELETE FROM watches WHERE id = ?2`,
}

// mergeConnections merges the connection ?2 into ?1 at ?3, when they have no watch in common.
var mergeConnections = []string{
	`UPDATE watches SET connection_id = ?1 WHERE connection_id = ?2`,
	// Of two subscriptions with one target that of ?1 goes on, unless only the other one is alive.
	`DELETE FROM subscriptions WHERE connection_id = ?1 AND (state = 'ended' OR test_until IS NOT NULL) AND EXISTS (SELECT 1 FROM subscriptions o
		WHERE o.connection_id = ?2 AND o.platform = subscriptions.platform AND o.target_hash = subscriptions.target_hash AND o.state != 'ended' AND o.test_until IS NULL)`,
	`UPDATE deliveries SET subscription_id = (SELECT k.id FROM subscriptions k JOIN subscriptions o USING (platform, target_hash)
			WHERE k.connection_id = ?1 AND o.id = deliveries.subscription_id)
		WHERE state = 'pending' AND subscription_id IN (SELECT o.id FROM subscriptions o JOIN subscriptions k USING (platform, target_hash)
			WHERE o.connection_id = ?2 AND k.connection_id = ?1 AND k.state != 'ended')`,
	// The other one's target answers, so what has been paused goes on.
	`UPDATE subscriptions SET state = 'active', reason = '' WHERE connection_id = ?1 AND state = 'paused' AND EXISTS (SELECT 1 FROM subscriptions o
		WHERE o.connection_id = ?2 AND o.platform = subscriptions.platform AND o.target_hash = subscriptions.target_hash AND o.state = 'active')`,
	`DELETE FROM subscriptions WHERE connection_id = ?2 AND EXISTS (SELECT 1 FROM subscriptions k
		WHERE k.connection_id = ?1 AND k.platform = subscriptions.platform AND k.target_hash = subscriptions.target_hash)`,
	`UPDATE subscriptions SET connection_id = ?1 WHERE connection_id = ?2`,
	`UPDATE subscriptions SET next_attempt_at = ?3 WHERE connection_id = ?1 AND state = 'active' AND next_attempt_at IS NULL
		AND EXISTS (SELECT 1 FROM deliveries WHERE subscription_id = subscriptions.id AND state = 'pending')`,
	`INSERT INTO absorbed (id) VALUES (?2)`,
	`DELETE FROM connections WHERE id = ?2`,
}

// elder tells two connections apart: the one with the longer history keeps its ids. One that has run
// nothing has none. A key that somebody goes on using after its rotation has a connection again, but
// a young one.
func elder(ctx context.Context, tx *sql.Tx, id, other string) (kept, gone string, err error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT id FROM connections WHERE id IN (?1, ?2)
		ORDER BY EXISTS (SELECT 1 FROM watches WHERE connection_id = connections.id AND runs > 0) DESC, created_at, id != ?1`, id, other)
	if err != nil {
		return "", "", err
	}
	ids, err := collect(rows, scanID)
	if err != nil {
		return "", "", err
	}
	return ids[0], ids[1], nil
}

// twin is a watch that two connections have. The one with the longer history is kept.
type twin struct{ kept, gone string }

// jsonPairs is a list of twins for json_each, the watch that is kept first.
func jsonPairs(pairs []twin) string {
	all := make([][2]string, len(pairs))
	for i, p := range pairs {
		all[i] = [2]string{p.kept, p.gone}
	}
	b, _ := json.Marshal(all) // strings always encode
	return string(b)
}

func twins(ctx context.Context, tx *sql.Tx, id, other string) ([]twin, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT a.id, b.id, (a.runs = 0, a.created_at) <= (b.runs = 0, b.created_at)
		FROM watches a JOIN watches b USING (account_id, research, schedule, timezone)
		WHERE a.connection_id = ? AND b.connection_id = ?`, id, other)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (p twin, err error) {
		var first bool
		if err = scan(&p.kept, &p.gone, &first); !first {
			p.kept, p.gone = p.gone, p.kept
		}
		return p, err
	})
}
