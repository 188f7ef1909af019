package triggers

import (
	"encoding/json"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Head is what every event begins with.
type Head struct {
	ID         string    `json:"id" title:"ID" help:"The same for the same fact, for ever; ids sort by the time of their run."`
	Type       string    `json:"type" title:"Type" help:"The trigger that reported it."`
	OccurredAt time.Time `json:"occurredAt" title:"Occurred at"`
	WatchID    string    `json:"watchId" title:"Watch ID"`
	RunID      string    `json:"runId" title:"Run ID"`
	Baseline   bool      `json:"baseline" title:"Baseline" help:"True for what was there when the watch began."`
	Topic      string    `json:"topic" title:"Topic"`
	Region     string    `json:"region" title:"Region"`
}

// KeywordEvent is the body of an event about one keyword.
type KeywordEvent struct {
	Head
	Keyword                  string          `json:"keyword" title:"Keyword" help:"As Soke wrote it."`
	CompetitionScore         *float64        `json:"competitionScore" title:"Competition score" help:"From 0, easy, to 1, crowded."`
	TrendDirection           *string         `json:"trendDirection" title:"Trend direction"`
	PreviousCompetitionScore *float64        `json:"previousCompetitionScore" title:"Previous competition score"`
	PreviousTrendDirection   *string         `json:"previousTrendDirection" title:"Previous trend direction"`
	Rank                     int             `json:"rank" title:"Rank" help:"Place in Soke's list, from 1."`
	Details                  json.RawMessage `json:"details" title:"Details" help:"The keyword as Soke sent it."`
}

// ResearchEvent is the body of an event that is a whole run's report.
type ResearchEvent struct {
	Head
	Keywords []soke.Keyword `json:"keywords" title:"Keywords" help:"Every keyword of the run, best first."`
	Count    int            `json:"count" title:"Count"`
	NewCount int            `json:"newCount" title:"New count" help:"How many the watch had not seen before."`
}
