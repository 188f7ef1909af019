package triggers

// trendChangeParameters is the trigger's own part of its input.
type trendChangeParameters struct {
	Direction string `json:"direction,omitempty" title:"Direction" help:"Which change to report: any, or only one to rising or to falling." default:"any" example:"rising" validate:"oneof=any rising falling" form:"lower"`
}

// TrendChangeInput is what the trigger asks.
type TrendChangeInput struct {
	WatchInput
	trendChangeParameters
}

// TrendChange declares the trigger for known keywords whose trend turns.
func (declared) TrendChange() Trigger {
	score, trend := 0.44, "stable"
	return New[TrendChangeInput, trendChangeParameters, KeywordEvent](Trigger{
		Key:         "trend-change",
		Title:       "Trend Change",
		Description: "Triggers when the trend of a known keyword changes its direction.",
		Noun:        "Trend",
		Silence:     "its trend has not changed in the asked direction since the watch knows it",
		Sample:      []any{sampleEvent("trend-change", "home espresso for beginners", 0.42, "rising", &score, &trend)},
	}, func(in TrendChangeInput) (WatchInput, trendChangeParameters) {
		return in.WatchInput, in.trendChangeParameters
	}, func(p trendChangeParameters) Rule {
		return Rule{Keyword: func(s Sighting) Verdict {
			if s.Before == nil || s.Before.TrendDirection == "" || s.Now.TrendDirection == "" {
				return Verdict{}
			}
			wanted := p.Direction == "any" || p.Direction == s.Now.TrendDirection
			return Verdict{
				Report:        wanted && s.Now.TrendDirection != s.Before.TrendDirection,
				PreviousScore: s.Before.CompetitionScore,
			}
		}}
	})
}
