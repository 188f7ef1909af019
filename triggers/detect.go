package triggers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Rule says what of a run a feed reports. A rule is pure: it knows no clock, no database and no
// network.
type Rule struct {
	// Baseline reports of the first run too, marked as such, so that platforms can fill their own
	// memory of what they have seen.
	Baseline bool
	// Whole reports the run as one event instead of each keyword; Keyword is then nil.
	Whole bool
	// Keyword decides about one keyword.
	Keyword func(Sighting) Verdict
}

// Sighting is one keyword as a run saw it.
type Sighting struct {
	Now soke.Keyword
	// Before is what the watch knew; nil for a keyword it has never seen.
	Before *Known
	// Mark is the score that the feed remembers; nil for none.
	Mark *float64
}

// Verdict is what a rule makes of a sighting.
type Verdict struct {
	Report bool
	// Version tells this event from earlier ones about the same keyword; "" means that the run does.
	Version string
	// Mark is the score to remember from now on.
	Mark *float64
	// PreviousScore is the score that the event compares with.
	PreviousScore *float64
}

// Run is one repetition of a watch, with all that its events are made of.
type Run struct {
	ID, WatchID   string
	Due, At       time.Time
	Topic, Region string
	// First is the watch's first run; its events are the baseline.
	First    bool
	Keywords []soke.Keyword
	// Known is what the watch knew before the run, by folded keyword.
	Known map[string]Known
}

// Event is one event of a feed, ready to be stored.
type Event struct {
	ID         string
	OccurredAt time.Time
	Baseline   bool
	Body       json.RawMessage
}

// Detect returns what a feed reports of a run, in Soke's order, and the scores it remembers
// afterwards (only those that changed). The same run always gives the same events with the same
// ids.
func Detect(run Run, feed Feed, rule Rule, marks map[string]float64) ([]Event, map[string]float64, error) {
	sightings := distinct(run.Keywords)
	if rule.Whole {
		event, err := researchEvent(run, feed, sightings)
		if err != nil || (run.First && !rule.Baseline) {
			return nil, nil, err
		}
		return []Event{event}, nil, nil
	}
	var events []Event
	remember := map[string]float64{}
	for _, seen := range sightings {
		s := Sighting{Now: seen.keyword}
		if before, ok := run.Known[seen.fold]; ok {
			s.Before = &before
		}
		if mark, ok := marks[seen.fold]; ok {
			s.Mark = &mark
		}
		verdict := rule.Keyword(s)
		if verdict.Mark != nil && (s.Mark == nil || *s.Mark != *verdict.Mark) {
			remember[seen.fold] = *verdict.Mark
		}
		if !verdict.Report || (run.First && !rule.Baseline) {
			continue
		}
		event, err := keywordEvent(run, feed, seen, s, verdict)
		if err != nil {
			return nil, nil, err
		}
		events = append(events, event)
	}
	return events, remember, nil
}

// Learn returns what a watch knows after a run that it did not know before. A keyword that left
// keeps what was known of it, so that its return is no news.
func Learn(run Run) map[string]Known {
	learnt := map[string]Known{}
	for _, seen := range distinct(run.Keywords) {
		before, ok := run.Known[seen.fold]
		now := Known{
			Keyword:          seen.keyword.Keyword,
			CompetitionScore: cmp.Or(seen.keyword.CompetitionScore, before.CompetitionScore),
			TrendDirection:   cmp.Or(seen.keyword.TrendDirection, before.TrendDirection),
		}
		if !ok || !now.equal(before) {
			learnt[seen.fold] = now
		}
	}
	return learnt
}

func (k Known) equal(o Known) bool {
	sameScore := k.CompetitionScore == o.CompetitionScore ||
		(k.CompetitionScore != nil && o.CompetitionScore != nil && *k.CompetitionScore == *o.CompetitionScore)
	return sameScore && k.Keyword == o.Keyword && k.TrendDirection == o.TrendDirection
}

// ranked is one keyword of a run after spellings that fold together have been made one.
type ranked struct {
	keyword soke.Keyword
	fold    string
	rank    int
}

// distinct keeps one spelling of each keyword. Which one does not depend on the order in which
// Soke sent them; the rank is the best one.
func distinct(keywords []soke.Keyword) []ranked {
	index := make(map[string]int, len(keywords))
	out := make([]ranked, 0, len(keywords))
	for i, k := range keywords {
		fold := Fold(k.Keyword)
		if fold == "" {
			continue
		}
		at, twice := index[fold]
		if !twice {
			index[fold] = len(out)
			out = append(out, ranked{keyword: k, fold: fold, rank: i + 1})
			continue
		}
		if string(encoded(k)) < string(encoded(out[at].keyword)) {
			out[at].keyword = k
		}
	}
	return out
}

// Folds returns the folded forms of keywords, each once.
func Folds(keywords []soke.Keyword) []string {
	sightings := distinct(keywords)
	folds := make([]string, len(sightings))
	for i, seen := range sightings {
		folds[i] = seen.fold
	}
	return folds
}

func encoded(k soke.Keyword) []byte {
	b, _ := json.Marshal(k) // a keyword came from JSON and goes back to it
	return b
}

func (r Run) head(id, kind string) Head {
	return Head{
		ID: id, Type: kind, OccurredAt: r.At.UTC().Truncate(time.Millisecond), WatchID: r.WatchID, RunID: r.ID,
		Baseline: r.First, Topic: r.Topic, Region: r.Region,
	}
}

func keywordEvent(run Run, feed Feed, seen ranked, s Sighting, v Verdict) (Event, error) {
	version := cmp.Or(v.Version, run.ID)
	body := KeywordEvent{
		Head:                     run.head(EventID(run.Due, feed.ID, seen.keyword.Keyword, version), feed.Trigger),
		Keyword:                  seen.keyword.Keyword,
		CompetitionScore:         seen.keyword.CompetitionScore,
		TrendDirection:           textOrNil(seen.keyword.TrendDirection),
		PreviousCompetitionScore: v.PreviousScore,
		Rank:                     seen.rank,
		Details:                  encoded(seen.keyword),
	}
	if s.Before != nil {
		body.PreviousTrendDirection = textOrNil(s.Before.TrendDirection)
	}
	return newEvent(body.Head, body)
}

func researchEvent(run Run, feed Feed, sightings []ranked) (Event, error) {
	body := ResearchEvent{
		Head:     run.head(EventID(run.Due, feed.ID, "", run.ID), feed.Trigger),
		Keywords: run.Keywords,
		Count:    len(run.Keywords),
	}
	if body.Keywords == nil {
		body.Keywords = []soke.Keyword{}
	}
	for _, seen := range sightings {
		if _, known := run.Known[seen.fold]; !known {
			body.NewCount++
		}
	}
	return newEvent(body.Head, body)
}

// newEvent encodes an event's body, which begins with head.
func newEvent(head Head, body any) (Event, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return Event{}, fmt.Errorf("encoding event %s: %w", head.ID, err)
	}
	return Event{ID: head.ID, OccurredAt: head.OccurredAt, Baseline: head.Baseline, Body: encoded}, nil
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
