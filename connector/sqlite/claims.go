package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

// ClaimDue claims watches that are due: see scheduler.Store.
func (db *DB) ClaimDue(ctx context.Context, now time.Time, lease time.Duration, limit, perConnection int, held []string) (claims []triggers.Claim, next time.Time, err error) {
	busy := jsonList(held)
	// Most looks find nothing due, and a look that finds nothing should not wait for the writer.
	next, err = db.nextDue(ctx, busy)
	if err != nil || next.IsZero() || next.After(now) {
		return nil, next, err
	}
	err = db.write(ctx, "claim watches", func(ctx context.Context, tx *sql.Tx) error {
		claims = nil
		due, err := db.dueWatches(ctx, tx, now, limit, perConnection, busy)
		if err != nil {
			return err
		}
		for _, w := range due {
			c, err := db.claim(ctx, tx, w, now, lease)
			switch {
			case db.unreadable(ctx, err): // it is looked at again when its lease would be over
				if _, err := db.writer.exec(ctx, tx, "UPDATE watches SET claimed = ? WHERE id = ?", w.unsettled, w.id); err != nil {
					return err
				}
			case err != nil:
				return err
			default:
				claims = append(claims, c)
			}
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("claiming due watches: %w", err)
	}
	return claims, next, nil
}

// nextDueQuery is kept prepared: see keepReads.
const nextDueQuery = `SELECT next_due_at FROM connections WHERE next_due_at IS NOT NULL
	AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY next_due_at LIMIT 1`

func (db *DB) nextDue(ctx context.Context, busy string) (next time.Time, err error) {
	err = db.read(ctx, "find due watches", func(ctx context.Context, tx *sql.Tx) error {
		var ms int64
		err := tx.StmtContext(ctx, db.kept[nextDueQuery]).QueryRowContext(ctx, busy).Scan(&ms) //nolint:sqlclosecheck // the transaction closes it
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		next = moment(ms)
		return err
	})
	return next, err
}

// dueWatch is a watch to claim. One that is claimed and due all the same was never settled.
type dueWatch struct {
	id        string
	unsettled bool
}

// dueWatches takes a few watches of each connection that has any due, the connections in the order
// of their longest wait.
func (db *DB) dueWatches(ctx context.Context, tx *sql.Tx, now time.Time, limit, perConnection int, busy string) ([]dueWatch, error) {
	statement, err := db.writer.statement(ctx, tx, `
		SELECT w.id, w.claimed FROM (
			SELECT id, next_due_at FROM connections WHERE next_due_at <= ?1 AND id NOT IN (SELECT value FROM json_each(?2))
			ORDER BY next_due_at LIMIT ?3) c
		JOIN watches w ON w.id IN (
			SELECT id FROM watches WHERE connection_id = c.id AND next_run_at <= ?1 ORDER BY next_run_at LIMIT ?4)
		ORDER BY c.next_due_at LIMIT ?3`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = statement.Close() }()
	rows, err := statement.QueryContext(ctx, now.UnixMilli(), busy, limit, perConnection)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (w dueWatch, err error) {
		err = scan(&w.id, &w.unsettled)
		return w, err
	})
}

// claim marks a watch as its caller's until the lease is over.
func (db *DB) claim(ctx context.Context, tx *sql.Tx, due dueWatch, now time.Time, lease time.Duration) (triggers.Claim, error) {
	if _, err := db.writer.exec(ctx, tx, "UPDATE watches SET claimed = 1, lease = lease + 1, next_run_at = ? WHERE id = ?",
		now.Add(lease).UnixMilli(), due.id); err != nil {
		return triggers.Claim{}, err
	}
	statement, err := db.writer.statement(ctx, tx, "SELECT "+watchColumns+`, w.lease, c.key,
		(SELECT count(*) FROM subscriptions s WHERE s.watch_id = w.id AND s.state != 'ended')
		FROM watches w JOIN connections c ON c.id = w.connection_id WHERE w.id = ?`)
	if err != nil {
		return triggers.Claim{}, err
	}
	defer func() { _ = statement.Close() }()
	c := triggers.Claim{Unsettled: due.unsettled}
	var sealed []byte
	if c.Watch, err = scanWatch(statement.QueryRowContext(ctx, due.id).Scan, &c.Lease, &sealed, &c.Subscriptions); err != nil {
		return c, err
	}
	c.Key, err = db.openKey(keyColumn, c.ConnectionID, sealed)
	return c, ofRow("watches", due.id, err)
}

// ClaimWatch claims one watch if it is due and free: see scheduler.Store.
func (db *DB) ClaimWatch(ctx context.Context, id string, now time.Time, lease time.Duration) (claim triggers.Claim, ok, taken bool, err error) {
	err = db.write(ctx, "claim watch", func(ctx context.Context, tx *sql.Tx) error {
		var due bool
		err := tx.QueryRowContext(ctx, "SELECT claimed, next_run_at IS NOT NULL AND next_run_at <= ? FROM watches WHERE id = ?", now.UnixMilli(), id).Scan(&taken, &due)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !due {
			return nil
		}
		if err != nil {
			return err
		}
		claim, err = db.claim(ctx, tx, dueWatch{id, taken}, now, lease)
		taken, ok = false, true
		return err
	})
	if err != nil {
		return triggers.Claim{}, false, false, fmt.Errorf("claiming a watch: %w", err)
	}
	return claim, ok, taken, nil
}

// ReleaseClaims ends the lease of every claim: see scheduler.Store. The watches stay claimed, which
// tells their next holders that nobody has settled them.
func (db *DB) ReleaseClaims(ctx context.Context, now time.Time) error {
	return db.write(ctx, "release claims", func(ctx context.Context, tx *sql.Tx) error {
		_, err := db.writer.exec(ctx, tx, "UPDATE watches SET lease = lease + 1, next_run_at = ?1, dated_at = ?1 WHERE claimed = 1", now.UnixMilli())
		return err
	})
}

// Misdated returns watches that were dated after now: see scheduler.Store.
func (db *DB) Misdated(ctx context.Context, now time.Time, limit int) (all []triggers.Watch, err error) {
	err = db.read(ctx, "find misdated watches", func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT "+watchColumns+" FROM watches w INDEXED BY watches_by_due WHERE w.next_run_at IS NOT NULL AND w.dated_at > ? AND w.claimed = 0 LIMIT ?", now.UnixMilli(), limit)
		if err != nil {
			return err
		}
		_, err = collect(rows, func(scan func(...any) error) (none struct{}, err error) {
			w, err := scanWatch(scan)
			switch {
			case db.unreadable(ctx, err):
				return none, nil
			case err == nil:
				all = append(all, w)
			}
			return none, err
		})
		return err
	})
	return all, err
}

// Redate gives a misdated watch a new due time: see scheduler.Store.
func (db *DB) Redate(ctx context.Context, id string, due, look, now time.Time) error {
	return db.write(ctx, "redate watch", func(ctx context.Context, tx *sql.Tx) error {
		_, err := db.writer.exec(ctx, tx, `
			UPDATE watches SET dated_at = ?3, last_run_at = min(last_run_at, ?3), polled_at = min(polled_at, ?3),
				due_at = min(due_at, ?2), next_run_at = min(next_run_at, ?4)
			WHERE id = ?1 AND claimed = 0 AND state != 'asleep'`, id, due.UnixMilli(), now.UnixMilli(), look.UnixMilli())
		return err
	})
}

// Settle ends a claim: see scheduler.Store.
func (db *DB) Settle(ctx context.Context, s triggers.Settlement) error {
	var keywords []byte
	if s.Report != nil {
		var err error
		if keywords, err = json.Marshal(s.Report.Run.Keywords); err != nil {
			return fmt.Errorf("encoding what a run found: %w", err)
		}
	}
	err := db.write(ctx, "settle run", func(ctx context.Context, tx *sql.Tx) error {
		return db.settle(ctx, tx, s, string(keywords))
	})
	if errors.Is(err, scheduler.ErrLost) || errors.Is(err, scheduler.ErrStale) || errors.Is(err, scheduler.ErrRunTaken) {
		return err
	}
	if err != nil {
		return fmt.Errorf("settling a run: %w", err)
	}
	return nil
}

func (db *DB) settle(ctx context.Context, tx *sql.Tx, s triggers.Settlement, keywords string) error {
	pauses := s.State == triggers.Paused && s.Failure != nil
	if pauses {
		rotated, err := db.rotatedSince(ctx, tx, s.Claim)
		if err != nil {
			return err
		}
		if rotated {
			s, pauses = s.Claim.HandBack(s.At), false
		}
	}
	if err := db.endClaim(ctx, tx, s); err != nil {
		return err
	}
	id := s.Claim.ID
	for _, o := range s.Occurred {
		if _, err := db.writer.exec(ctx, tx, `INSERT INTO occurrences (watch_id, due_at, outcome, reason, count, at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET reason = excluded.reason, count = max(count, excluded.count), at = excluded.at`,
			id, o.Due.UnixMilli(), string(o.Outcome), o.Reason, o.Count, o.At.UnixMilli()); err != nil {
			return err
		}
	}
	if s.Report != nil {
		if err := db.keepReport(ctx, tx, s, keywords); err != nil {
			return err
		}
	}
	switch {
	case pauses:
		return db.tellPaused(ctx, tx, s)
	case s.State == triggers.Active && s.Claim.State == triggers.Paused:
		return db.endPause(ctx, tx, s.Claim.ID)
	}
	return nil
}

// rotatedSince reports whether the watch of a claim has another key by now.
func (db *DB) rotatedSince(ctx context.Context, tx *sql.Tx, c triggers.Claim) (rotated bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT c.key_hash != ? FROM watches w JOIN connections c ON c.id = w.connection_id WHERE w.id = ?",
		db.keyHash(c.Key), c.ID).Scan(&rotated)
	if errors.Is(err, sql.ErrNoRows) {
		return false, scheduler.ErrLost
	}
	return rotated, err
}

// endClaim writes what the watch is from now on, if the claim still holds.
func (db *DB) endClaim(ctx context.Context, tx *sql.Tx, s triggers.Settlement) error {
	ran, failure := 0, any(nil)
	if s.Report != nil {
		ran = 1
	}
	if s.Failure != nil {
		failure = s.Failure.Encode()
	}
	result, err := db.writer.exec(ctx, tx, `
		UPDATE watches SET state = ?1, failure = ?2, due_at = ?3, next_run_at = ?4, attempts = ?5, claimed = 0,
			runs = runs + ?6, last_run_at = CASE WHEN ?6 THEN ?7 ELSE last_run_at END, dated_at = ?7
		WHERE id = ?8 AND lease = ?9 AND claimed = 1`,
		string(s.State), failure, millis(s.DueAt), millis(s.NextRunAt), s.Attempts, ran, s.At.UnixMilli(), s.Claim.ID, s.Claim.Lease)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return scheduler.ErrLost
	}
	if s.Report == nil {
		return nil
	}
	var feeds int
	statement, err := db.writer.statement(ctx, tx, "SELECT count(*) FROM feeds WHERE watch_id = ?")
	if err != nil {
		return err
	}
	defer func() { _ = statement.Close() }()
	if err := statement.QueryRowContext(ctx, s.Claim.ID).Scan(&feeds); err != nil {
		return err
	}
	if feeds != s.Report.KnownFeeds {
		return scheduler.ErrStale
	}
	return nil
}

// keepReport writes what a run found, its events and the deliveries of them.
func (db *DB) keepReport(ctx context.Context, tx *sql.Tx, s triggers.Settlement, keywords string) error {
	r, id := s.Report, s.Claim.ID
	if err := db.insertRun(ctx, tx, id, r); err != nil {
		return err
	}
	for fold, k := range r.Learnt {
		if _, err := db.writer.exec(ctx, tx, `INSERT INTO known (watch_id, fold, keyword, score, trend) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET keyword = excluded.keyword, score = excluded.score, trend = excluded.trend`,
			id, fold, k.Keyword, k.CompetitionScore, k.TrendDirection); err != nil {
			return err
		}
	}
	if _, err := db.writer.exec(ctx, tx, `INSERT INTO results (watch_id, run_id, due_at, at, keywords) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET run_id = excluded.run_id, due_at = excluded.due_at, at = excluded.at, keywords = excluded.keywords`,
		id, r.Run.ID, r.Run.Due.UnixMilli(), r.Run.At.UnixMilli(), keywords); err != nil {
		return err
	}
	for _, f := range r.Feeds {
		first, last, err := db.insertEvents(ctx, tx, f)
		if err != nil {
			return err
		}
		if first == 0 || r.Run.First {
			continue
		}
		if err := db.push(ctx, tx, s, f.FeedID, first, last); err != nil {
			return err
		}
	}
	return nil
}

// insertRun records a run, unless there has been one with its id.
func (db *DB) insertRun(ctx context.Context, tx *sql.Tx, watchID string, r *triggers.Report) error {
	events := 0
	for _, f := range r.Feeds {
		events += len(f.Events)
	}
	result, err := db.writer.exec(ctx, tx, `INSERT INTO runs (id, watch_id, due_at, at, keywords, events, request_id) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, r.Run.ID, watchID, r.Run.Due.UnixMilli(), r.Run.At.UnixMilli(), len(r.Run.Keywords), events, r.RequestID)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = scheduler.ErrRunTaken
	}
	return err
}
