package triggers

// NewKeyword declares the trigger for keywords that a watch has not seen before.
func (declared) NewKeyword() Trigger {
	return New[WatchInput, none, KeywordEvent](Trigger{
		Key:         "new-keyword",
		Title:       "New Keyword",
		Description: "Triggers when a research finds a keyword that it has not found before.",
		Noun:        "Keyword",
		Silence:     "the watch knew it before this feed began, or its event is older than events are kept",
		Sample: []any{
			sampleEvent("new-keyword", "home espresso for beginners", 0.42, "rising", nil, nil),
			sampleEvent("new-keyword", "quiet espresso grinder", 0.31, "stable", nil, nil),
		},
	}, watchOnly, func(none) Rule {
		return Rule{Baseline: true, Keyword: func(s Sighting) Verdict {
			// A keyword is new to its watch once, so the event needs no run to tell it apart.
			return Verdict{Report: s.Before == nil, Version: "seen"}
		}}
	})
}
