package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// explain says why a watch has reported a keyword, or why not.
func explain(t triggers.Trace, keyword string) []string {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	switch {
	case t.Watch.Runs == 0:
		say("The watch has not run yet, so it knows no keyword.")
	case t.Known == nil:
		say("%q has never been in a result of this watch; it is compared as %q.", keyword, t.Fold)
	default:
		say("%q is known as %q: competition score %s, trend %s.", keyword, t.Known.Keyword, scoreText(t.Known.CompetitionScore), trendText(t.Known.TrendDirection))
	}
	if t.Watch.Failure != nil {
		say("The watch is %s; its latest run failed with %s at %s.", t.Watch.State, t.Watch.Failure.Code, t.Watch.Failure.At.Format(time.RFC3339))
	}
	switch {
	case t.LatestAt.IsZero():
	case t.Rank == 0:
		say("The latest result, of %s, did not have it.", t.LatestAt.Format(time.RFC3339))
	default:
		say("The latest result, of %s, had it in place %d.", t.LatestAt.Format(time.RFC3339), t.Rank)
	}
	if len(t.Feeds) == 0 {
		say("Nobody has asked this watch for events.")
	}
	for _, f := range t.Feeds {
		lines = append(lines, explainFeed(f, t)...)
	}
	return lines
}

func explainFeed(f triggers.FeedTrace, t triggers.Trace) []string {
	name := f.Trigger
	if parameters := strings.Trim(string(f.Parameters), "{}"); parameters != "" {
		name += " (" + parameters + ")"
	}
	if len(f.Events) == 0 {
		return []string{name + ": not reported; " + whyNot(f, t) + "."}
	}
	lines := make([]string, 0, len(f.Events))
	for _, body := range f.Events {
		var e struct {
			ID         string `json:"id"`
			OccurredAt string `json:"occurredAt"`
			Baseline   bool   `json:"baseline"`
		}
		_ = json.Unmarshal(body, &e) // the store holds what we encoded
		how := "reported"
		if e.Baseline {
			how = "in the baseline, which is not pushed"
		}
		lines = append(lines, fmt.Sprintf("%s: %s at %s as %s.", name, how, e.OccurredAt, e.ID))
	}
	return lines
}

func whyNot(f triggers.FeedTrace, t triggers.Trace) string {
	if t.Known == nil {
		return "the watch has never seen it"
	}
	silence := "nothing of it has changed that this trigger reports"
	for _, trigger := range triggers.All() {
		if trigger.Key == f.Trigger {
			silence = trigger.Silence
		}
	}
	if f.Mark != nil {
		silence += " below " + scoreText(f.Mark)
	}
	return silence
}

func scoreText(score *float64) string {
	if score == nil {
		return "unknown"
	}
	return fmt.Sprint(*score)
}

func trendText(trend string) string {
	if trend == "" {
		return "unknown"
	}
	return trend
}
