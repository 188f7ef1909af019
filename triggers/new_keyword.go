package triggers

import "time"

// NewKeyword declares the trigger for keywords that a watch has not seen before.
func (declared) NewKeyword() Trigger {
	return New[WatchInput, none, KeywordEvent](Trigger{
		Key:         "new-keyword",
		Title:       "New Keyword",
		Description: "Triggers when a research finds a keyword that it has not found before.",
		Noun:        "Keyword",
		Sample: []any{
			sampleEvent("new-keyword", "home espresso for beginners", 0.42, "rising", nil, nil),
			sampleEvent("new-keyword", "quiet espresso grinder", 0.31, "stable", nil, nil),
		},
	}, watchOnly, func(none) Rule {
		return Rule{Baseline: true, Keyword: func(s Sighting) Verdict {
			// A keyword is new to its watch once, so the fact needs no run to tell it apart.
			return Verdict{Report: s.Before == nil, Version: "seen"}
		}}
	})
}

// sampleTime is when the events of samples happened.
func sampleTime() time.Time { return time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC) }

// sampleHead begins a sample event about a keyword, "" for a whole run. Its ids are computed as
// those of real events are.
func sampleHead(kind, keyword string) Head {
	const watch = "wch_5k1v8t2m9q3d7h0c4f6a8e2g1o"
	at := sampleTime()
	return Head{
		ID: EventID(at, FeedID(watch, kind, "{}"), keyword, "seen"), Type: kind, OccurredAt: at,
		WatchID: watch, RunID: RunID(watch, at), Topic: "home espresso", Region: "US",
	}
}

func sampleEvent(kind, keyword string, score float64, trend string, previousScore *float64, previousTrend *string) KeywordEvent {
	e := KeywordEvent{
		Head: sampleHead(kind, keyword), Keyword: keyword, CompetitionScore: &score, TrendDirection: &trend,
		PreviousCompetitionScore: previousScore, PreviousTrendDirection: previousTrend, Rank: 1,
	}
	e.Details = encoded(sampleKeyword(keyword, score, trend))
	return e
}
