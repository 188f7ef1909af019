package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/usesoke/soke-connector/triggers"
)

// What every run reads, kept prepared: see keepReads.
const (
	knownQuery = "SELECT fold, keyword, score, trend FROM known WHERE watch_id = ? AND fold IN (SELECT value FROM json_each(?))"
	feedsQuery = "SELECT id, trigger, parameters FROM feeds WHERE watch_id = ? ORDER BY id"
	marksQuery = `SELECT m.feed_id, m.fold, m.score FROM marks m JOIN feeds f ON f.id = m.feed_id
		WHERE f.watch_id = ? AND m.fold IN (SELECT value FROM json_each(?))`
)

// Knowledge returns what a watch knows: see scheduler.Store.
func (db *DB) Knowledge(ctx context.Context, watchID string, folds []string) (k triggers.Knowledge, err error) {
	asked := jsonList(folds)
	k.Known = make(map[string]triggers.Known, len(folds))
	err = db.read(ctx, "read what a watch knows", func(ctx context.Context, tx *sql.Tx) error {
		if err := db.readKnown(ctx, tx, watchID, asked, k.Known); err != nil {
			return err
		}
		k.Feeds, err = db.readFeeds(ctx, tx, watchID)
		if err != nil {
			return err
		}
		return db.readMarks(ctx, tx, watchID, asked, k.Feeds)
	})
	return k, err
}

func (db *DB) readKnown(ctx context.Context, tx *sql.Tx, watchID, folds string, into map[string]triggers.Known) (err error) {
	rows, err := db.query(ctx, tx, knownQuery, watchID, folds)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var fold string
		var known triggers.Known
		if err := rows.Scan(&fold, &known.Keyword, &known.CompetitionScore, &known.TrendDirection); err != nil {
			return err
		}
		into[fold] = known
	}
	return rows.Err()
}

func (db *DB) readFeeds(ctx context.Context, tx *sql.Tx, watchID string) ([]triggers.FeedState, error) {
	rows, err := db.query(ctx, tx, feedsQuery, watchID)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (f triggers.FeedState, err error) {
		var parameters string
		err = scan(&f.ID, &f.Trigger, &parameters)
		f.WatchID, f.Parameters, f.Marks = watchID, json.RawMessage(parameters), map[string]float64{}
		return f, err
	})
}

func (db *DB) readMarks(ctx context.Context, tx *sql.Tx, watchID, folds string, feeds []triggers.FeedState) (err error) {
	rows, err := db.query(ctx, tx, marksQuery, watchID, folds)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var feed, fold string
		var score float64
		if err := rows.Scan(&feed, &fold, &score); err != nil {
			return err
		}
		for i := range feeds {
			if feeds[i].ID == feed {
				feeds[i].Marks[fold] = score
			}
		}
	}
	return rows.Err()
}
