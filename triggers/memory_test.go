package triggers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

// memory keeps what a store would keep of one watch, and feeds runs with it.
type memory struct {
	t       failer
	watch   triggers.Watch
	known   map[string]triggers.Known
	feeds   []*feed
	latest  *triggers.Result
	runs    int
	nextDue time.Time
}

// feed is a feed with what it remembers and all that it has ever reported.
type feed struct {
	triggers.Feed
	trigger triggers.Trigger
	rule    triggers.Rule
	marks   map[string]float64
	events  []triggers.Event
}

func newMemory(t failer) *memory {
	s := schedule(t, "0 * * * *", "UTC")
	research := json.RawMessage(`{"topic":"home espresso","region":"US"}`)
	return &memory{
		t: t, known: map[string]triggers.Known{}, nextDue: instant("2026-11-23T10:00:00Z"),
		watch: triggers.Watch{ID: triggers.WatchID("con_1", "", research, s), Research: research, Schedule: s},
	}
}

// open opens a feed, with the baseline of the latest result if there is one.
func (m *memory) open(key, parameters string) *feed {
	trigger := triggerNamed(m.t, key)
	rule, err := trigger.Rule(json.RawMessage(parameters))
	if err != nil {
		m.t.Fatal(err)
	}
	f := &feed{
		Feed: triggers.Feed{
			ID: triggers.FeedID(m.watch.ID, key, parameters), WatchID: m.watch.ID, Trigger: key, Parameters: json.RawMessage(parameters),
		},
		trigger: trigger, rule: rule, marks: map[string]float64{},
	}
	m.feeds = append(m.feeds, f)
	if m.latest == nil {
		return f
	}
	o := triggers.Opening{Trigger: trigger, Parameters: f.Parameters, Schedule: m.watch.Schedule, Research: m.watch.Research}
	events, marks, err := o.Baseline(m.watch, f.Feed, *m.latest)
	if err != nil {
		m.t.Fatal(err)
	}
	f.events = append(f.events, events...)
	maps.Copy(f.marks, marks)
	return f
}

// run returns the next run of the watch without making it.
func (m *memory) run(keywords []soke.Keyword) triggers.Run {
	return triggers.Run{
		ID: triggers.RunID(m.watch.ID, m.nextDue), WatchID: m.watch.ID, Due: m.nextDue, At: m.nextDue.Add(time.Second),
		Topic: "home espresso", Region: "US", First: m.runs == 0, Keywords: keywords, Known: m.known,
	}
}

// research makes the next run and returns what each feed reports of it, in the order of the feeds.
func (m *memory) research(keywords []soke.Keyword) [][]triggers.Event {
	run := m.run(keywords)
	reports := make([][]triggers.Event, len(m.feeds))
	for i, f := range m.feeds {
		events, marks, err := triggers.Detect(run, f.Feed, f.rule, f.marks)
		if err != nil {
			m.t.Fatal(err)
		}
		reports[i] = events
		f.events = append(f.events, events...)
		maps.Copy(f.marks, marks)
	}
	maps.Copy(m.known, triggers.Learn(run))
	m.latest = &triggers.Result{RunID: run.ID, Due: run.Due, At: run.At, Keywords: keywords}
	m.runs++
	m.nextDue = m.nextDue.Add(time.Hour)
	return reports
}

func triggerNamed(t failer, key string) triggers.Trigger {
	for _, trigger := range triggers.All() {
		if trigger.Key == key {
			return trigger
		}
	}
	t.Fatal("no trigger " + key)
	return triggers.Trigger{}
}

// keyword is a keyword as Soke would send it; an empty trend and a negative score are left out.
func keyword(t failer, text string, hundredths int, trend string) soke.Keyword {
	fields := map[string]any{"keyword": text, "searchVolume": 5400}
	if hundredths >= 0 {
		fields["competitionScore"] = float64(hundredths) / 100
	}
	if trend != "" {
		fields["trendDirection"] = trend
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	var k soke.Keyword
	if err := json.Unmarshal(raw, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

// event is the body of an event as a receiver reads it.
type event struct {
	ID, Type, WatchID, RunID, Topic, Region, Keyword string
	OccurredAt                                       time.Time
	Baseline                                         bool
	CompetitionScore, PreviousCompetitionScore       *float64
	TrendDirection, PreviousTrendDirection           *string
	Rank, Count, NewCount                            int
	Keywords                                         []json.RawMessage
}

func read(t failer, stored triggers.Event) event {
	var e event
	if err := json.Unmarshal(stored.Body, &e); err != nil {
		t.Fatal(err)
	}
	if e.ID != stored.ID || e.Baseline != stored.Baseline || !e.OccurredAt.Equal(stored.OccurredAt) {
		t.Fatal(fmt.Sprintf("the event %+v has the body %s", stored, stored.Body))
	}
	return e
}

func TestAKeywordThatLeavesAndReturnsIsNotNewAgain(t *testing.T) {
	m := newMemory(t)
	f := m.open("new-keyword", "{}")
	grinder, kettle := keyword(t, "Espresso Grinder", 40, "stable"), keyword(t, "kettle", 40, "stable")
	m.research([]soke.Keyword{grinder, kettle})
	m.research([]soke.Keyword{kettle})
	m.research([]soke.Keyword{keyword(t, "ESPRESSO  grinder", 10, "rising"), kettle})
	if len(f.events) != 2 {
		t.Errorf("two keywords made %d events", len(f.events))
	}
}

func TestADropIsMeasuredAgainstTheScoreThatWasReportedLast(t *testing.T) {
	m := newMemory(t)
	f := m.open("competition-drop", `{"threshold":0.1}`)
	var reported []string
	for i, score := range []int{60, 55, 51, 50, 45, 70, 41, 40, -1, 30} {
		for _, event := range m.research([]soke.Keyword{keyword(t, "grinder", score, "stable")})[0] {
			e := read(t, event)
			reported = append(reported, fmt.Sprintf("%d: %.2f to %.2f", i, *e.PreviousCompetitionScore, *e.CompetitionScore))
		}
	}
	want := []string{"3: 0.60 to 0.50", "7: 0.50 to 0.40", "9: 0.40 to 0.30"}
	if fmt.Sprint(reported) != fmt.Sprint(want) {
		t.Errorf("reported %q, want %q", reported, want)
	}
	if len(f.events) != len(want) {
		t.Errorf("%d events", len(f.events))
	}
}
