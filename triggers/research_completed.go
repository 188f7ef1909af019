package triggers

import "github.com/usesoke/soke-connector/connector/soke"

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
		Silence:     "this trigger reports whole results, not keywords",
		Sample: []any{ResearchEvent{
			Head:     sampleHead("research-completed", ""),
			Keywords: keywords, Count: len(keywords), NewCount: 1,
		}},
	}, watchOnly, func(none) Rule { return Rule{Baseline: true, Whole: true} })
}
