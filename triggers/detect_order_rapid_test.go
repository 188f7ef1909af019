package triggers_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/schemas"

	"pgregory.net/rapid"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

// openAll opens a feed of each trigger.
func openAll(m *memory) {
	empty, err := schemas.ParseObject([]byte("{}"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, trigger := range triggers.All() {
		bound, err := trigger.Bind(empty)
		if err != nil {
			m.t.Fatal(err)
		}
		m.open(trigger.Key, string(bound.Parameters))
	}
}

func TestTheOrderOfAResultMakesNoDifferenceToItsEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := newMemory(t), newMemory(t)
		for _, m := range []*memory{first, second} {
			openAll(m)
		}
		for range rapid.IntRange(1, 5).Draw(t, "runs") {
			var result []soke.Keyword
			for range rapid.IntRange(0, 8).Draw(t, "keywords") {
				// Two spellings of one keyword may contradict each other.
				s := drawResult(t)
				result = append(result, written(t, s)...)
			}
			shuffled := rapid.Permutation(result).Draw(t, "order")
			a, b := first.research(result), second.research(shuffled)
			for i, f := range first.feeds {
				if got, want := withoutRank(t, b[i]), withoutRank(t, a[i]); !slices.Equal(got, want) {
					t.Fatalf("%s reports\n%s\nin one order and\n%s\nin another", f.Trigger, strings.Join(want, "\n"), strings.Join(got, "\n"))
				}
				if !maps.Equal(f.marks, second.feeds[i].marks) {
					t.Fatalf("%s remembers %v or %v", f.Trigger, f.marks, second.feeds[i].marks)
				}
			}
			if !maps.EqualFunc(first.known, second.known, sameKnown) {
				t.Fatalf("the watch knows %v or %v", first.known, second.known)
			}
		}
	})
}

func sameKnown(a, b triggers.Known) bool {
	same := (a.CompetitionScore == nil) == (b.CompetitionScore == nil)
	if a.CompetitionScore != nil && b.CompetitionScore != nil {
		same = *a.CompetitionScore == *b.CompetitionScore
	}
	return same && a.Keyword == b.Keyword && a.TrendDirection == b.TrendDirection
}

// withoutRank is what events say but for the order in which Soke ranked the keywords.
func withoutRank(t failer, events []triggers.Event) []string {
	out := make([]string, len(events))
	for i, event := range events {
		e := read(t, event)
		previous := -1.0
		if e.PreviousCompetitionScore != nil {
			previous = *e.PreviousCompetitionScore
		}
		out[i] = fmt.Sprint(e.ID, e.Keyword, e.CompetitionScore == nil, previous, e.TrendDirection == nil, e.Count, e.NewCount)
	}
	slices.Sort(out)
	return out
}

func TestARunThatIsRepeatedReportsTheSameEventsByteForByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(t)
		openAll(m)
		for range rapid.IntRange(1, 6).Draw(t, "runs") {
			result := written(t, drawResult(t))
			var before [][]triggers.Event
			for _, f := range m.feeds {
				events, _, err := triggers.Detect(m.run(result), f.Feed, f.rule, f.marks)
				if err != nil {
					t.Fatal(err)
				}
				before = append(before, events)
			}
			for i, again := range m.research(result) {
				if fmt.Sprint(again) != fmt.Sprint(before[i]) {
					t.Fatalf("%s reported\n%v\nand then\n%v", m.feeds[i].Trigger, before[i], again)
				}
			}
		}
	})
}

func TestIDsOfLaterRunsSortBehindThoseOfEarlierOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(t)
		openAll(m)
		latest := ""
		for range rapid.IntRange(2, 8).Draw(t, "runs") {
			var ids []string
			for _, events := range m.research(written(t, drawResult(t))) {
				for _, e := range events {
					ids = append(ids, e.ID)
				}
			}
			if len(ids) == 0 {
				continue
			}
			if smallest := slices.Min(ids); smallest <= latest {
				t.Fatalf("%s of a later run sorts before %s", smallest, latest)
			}
			latest = slices.Max(ids)
		}
	})
}
