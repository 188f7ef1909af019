package triggers

// competitionDropParameters is the trigger's own part of its input.
type competitionDropParameters struct {
	Threshold float64 `json:"threshold" title:"Threshold" help:"How far the competition score must have fallen since it was last reported, from 0 to 1." default:"0.1" example:"0.1" validate:"min=0,max=1"`
}

// CompetitionDropInput is what the trigger asks.
type CompetitionDropInput struct {
	WatchInput
	competitionDropParameters
}

// CompetitionDrop declares the trigger for known keywords that have become easier.
func (declared) CompetitionDrop() Trigger {
	score, trend := 0.61, "stable"
	return New[CompetitionDropInput, competitionDropParameters, KeywordEvent](Trigger{
		Key:         "competition-drop",
		Title:       "Competition Drop",
		Description: "Triggers when the competition score of a known keyword has fallen by the threshold.",
		Noun:        "Competition Drop",
		Silence:     "its score has not fallen far enough",
		Sample:      []any{sampleEvent("competition-drop", "best home espresso machine", 0.46, "stable", &score, &trend)},
	}, func(in CompetitionDropInput) (WatchInput, competitionDropParameters) {
		return in.WatchInput, in.competitionDropParameters
	}, func(p competitionDropParameters) Rule {
		return Rule{Keyword: func(s Sighting) Verdict { return fallen(s, p.Threshold) }}
	})
}

// scoreGrain is below every difference that Soke's scores can show; it keeps 0.5-0.4 a drop of 0.1.
const scoreGrain = 1e-9

// fallen compares a score with the one that the feed reported last. A feed that has reported none
// compares with what its watch knew; a score seen for the first time becomes its mark without
// an event.
func fallen(s Sighting, threshold float64) Verdict {
	mark := s.Mark
	if mark == nil && s.Before != nil {
		mark = s.Before.CompetitionScore
	}
	switch {
	case s.Now.CompetitionScore == nil:
		return Verdict{Mark: mark}
	case mark == nil:
		return Verdict{Mark: s.Now.CompetitionScore}
	}
	drop := *mark - *s.Now.CompetitionScore
	if drop < scoreGrain || drop < threshold-scoreGrain {
		return Verdict{Mark: mark}
	}
	return Verdict{Report: true, Mark: s.Now.CompetitionScore, PreviousScore: mark}
}
