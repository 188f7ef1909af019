package triggers

import (
	"encoding/json"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

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

// sampleKeyword is a keyword as Soke sends one.
func sampleKeyword(keyword string, score float64, trend string) soke.Keyword {
	var k soke.Keyword
	raw, _ := json.Marshal(map[string]any{"keyword": keyword, "competitionScore": score, "trendDirection": trend, "searchVolume": 18100, "longTail": []string{keyword + " on a budget"}})
	_ = json.Unmarshal(raw, &k) // the text is the line above
	return k
}
