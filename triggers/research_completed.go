package triggers

import (
	"encoding/json"

	"github.com/usesoke/soke-connector/connector/soke"
)

// ResearchCompleted declares the trigger for every run, with all that it found.
func (declared) ResearchCompleted() Trigger {
	keywords := []soke.Keyword{
		sampleKeyword("home espresso for beginners", 0.42, "rising"),
		sampleKeyword("best home espresso machine", 0.81, "stable"),
	}
	return New[WatchInput, none, ResearchEvent](Trigger{
		Key:         "research-completed",
		Title:       "Research Completed",
		Description: "Triggers when a scheduled research has completed, with all of its keywords.",
		Noun:        "Research",
		Sample: []any{ResearchEvent{
			Head:     sampleHead("research-completed", ""),
			Keywords: keywords, Count: len(keywords), NewCount: 1,
		}},
	}, watchOnly, func(none) Rule { return Rule{Baseline: true, Whole: true} })
}

// sampleKeyword is a keyword as Soke sends one.
func sampleKeyword(keyword string, score float64, trend string) soke.Keyword {
	var k soke.Keyword
	raw, _ := json.Marshal(map[string]any{"keyword": keyword, "competitionScore": score, "trendDirection": trend, "searchVolume": 18100, "longTail": []string{keyword + " on a budget"}})
	_ = json.Unmarshal(raw, &k) // the text is the line above
	return k
}
