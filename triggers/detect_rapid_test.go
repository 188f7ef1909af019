package triggers_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

// word is a keyword that the tests know without folding anything: its spellings are one keyword to
// a person.
type word struct{ spellings []string }

var words = []word{
	{[]string{"grinder", "GRINDER", "Grinder", " grinder "}},
	{[]string{"café crème", "cafe\u0301 cre\u0300me", "CAFÉ CRÈME"}},
	{[]string{"straße", "STRASSE", "strasse"}},
	{[]string{"home espresso", "home  espresso", "Home\u00a0Espresso"}},
	{[]string{"ﬁlter", "filter"}},
	{[]string{"エスプレッソ", "ｴｽﾌﾟﾚｯｿ"}},
	{[]string{"☕"}},
	{[]string{"machine № 1", "machine no 1"}},
	{[]string{"ΣΊΣΥΦΟΣ", "σίσυφος", "σίσυφοσ"}},
	{[]string{"2026"}},
}

// sight is what one run says of a word: the model's view of a keyword.
type sight struct {
	word  int
	score int // hundredths; below 0 is none
	trend string
}

// drawResult draws what a run finds: each word at most once, in any order.
func drawResult(t *rapid.T) []sight {
	all := make([]int, len(words))
	for i := range all {
		all[i] = i
	}
	found := rapid.SliceOfDistinct(rapid.SampledFrom(all), rapid.ID[int]).Draw(t, "found")
	seen := make([]sight, len(found))
	for i, n := range found {
		seen[i] = sight{
			word:  n,
			score: rapid.OneOf(rapid.Just(-1), rapid.IntRange(0, 100), rapid.SampledFrom([]int{40, 50, 60})).Draw(t, "score"),
			trend: rapid.SampledFrom([]string{"", "rising", "falling", "stable"}).Draw(t, "trend"),
		}
	}
	return seen
}

// written is a result as Soke sends it: any spelling of each word, some of them in two spellings.
func written(t *rapid.T, result []sight) []soke.Keyword {
	var out []soke.Keyword
	for _, s := range result {
		for range rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "times") {
			out = append(out, keyword(t, rapid.SampledFrom(words[s.word].spellings).Draw(t, "spelling"), s.score, s.trend))
		}
	}
	return out
}

// model says what a feed has to report, without folding, floats or memory of what was
// sent: it looks at the whole history each time.
type model struct {
	history [][]sight
	opened  int // the runs before the feed was opened
}

// last returns the latest of what the runs before run n said, -1 or "" if none did.
func (m model) last(n, word int) (known bool, score int, trend string) {
	score = -1
	for _, result := range m.history[:n] {
		for _, s := range result {
			if s.word != word {
				continue
			}
			known = true
			if s.score >= 0 {
				score = s.score
			}
			if s.trend != "" {
				trend = s.trend
			}
		}
	}
	return known, score, trend
}

func (m model) newKeywords(n int) []string {
	var out []string
	for _, s := range m.history[n] {
		if known, _, _ := m.last(n, s.word); !known {
			out = append(out, fmt.Sprint(s.word))
		}
	}
	return out
}

func (m model) trendChanges(n int, direction string) []string {
	var out []string
	for _, s := range m.history[n] {
		_, _, before := m.last(n, s.word)
		if before != "" && s.trend != "" && s.trend != before && (direction == "any" || direction == s.trend) {
			out = append(out, fmt.Sprintf("%d %s>%s", s.word, before, s.trend))
		}
	}
	return out
}

// drops walks through the history, because a score is compared with the one reported last.
func (m model) drops(n, threshold int) []string {
	reference := map[int]int{}
	for w := range words {
		if _, score, _ := m.last(m.opened, w); score >= 0 {
			reference[w] = score
		}
	}
	var out []string
	for i := m.opened; i <= n; i++ {
		for _, s := range m.history[i] {
			before, ok := reference[s.word]
			switch {
			case s.score < 0:
			case !ok:
				reference[s.word] = s.score
			case s.score < before && before-s.score >= threshold:
				reference[s.word] = s.score
				if i == n {
					out = append(out, fmt.Sprintf("%d %d>%d", s.word, before, s.score))
				}
			}
		}
	}
	return out
}

// told is what events say, in the model's words.
func told(t failer, events []triggers.Event) []string {
	var out []string
	for _, event := range events {
		e := read(t, event)
		index := slices.IndexFunc(words, func(w word) bool { return slices.Contains(w.spellings, e.Keyword) })
		text := fmt.Sprint(index)
		switch e.Type {
		case "trend-change":
			text += fmt.Sprintf(" %s>%s", *e.PreviousTrendDirection, *e.TrendDirection)
		case "competition-drop":
			text += fmt.Sprintf(" %.0f>%.0f", *e.PreviousCompetitionScore*100, *e.CompetitionScore*100)
		case "research-completed":
			text = fmt.Sprint("new ", e.NewCount)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func TestOverAnyResearchesEveryFactIsReportedOnceAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(t)
		threshold := rapid.SampledFrom([]int{0, 1, 10, 33, 100}).Draw(t, "threshold")
		direction := rapid.SampledFrom([]string{"any", "rising", "falling"}).Draw(t, "direction")
		parameters := map[string]string{
			"new-keyword": "{}", "research-completed": "{}",
			"trend-change":     fmt.Sprintf(`{"direction":%q}`, direction),
			"competition-drop": fmt.Sprintf(`{"threshold":%g}`, float64(threshold)/100),
		}
		// Each trigger's feed is opened before some run; 0 is with the watch.
		opens := map[string]int{}
		for _, key := range slices.Sorted(maps.Keys(parameters)) {
			opens[key] = rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "opened before")
		}
		says := model{}
		ids := map[string]bool{}
		for n := range rapid.IntRange(1, 12).Draw(t, "runs") {
			for _, key := range slices.Sorted(maps.Keys(parameters)) {
				if opens[key] != n {
					continue
				}
				f := m.open(key, parameters[key])
				expectBaseline(t, f, says, n)
				noted(t, ids, f.events)
			}
			says.history = append(says.history, drawResult(t))
			for i, events := range m.research(written(t, says.history[n])) {
				f := m.feeds[i]
				says.opened = opens[f.Trigger]
				noted(t, ids, events)
				var want []string
				switch f.Trigger {
				case "new-keyword":
					want = says.newKeywords(n)
				case "trend-change":
					want = says.trendChanges(n, direction)
				case "competition-drop":
					want = says.drops(n, threshold)
				default:
					want = []string{fmt.Sprint("new ", len(says.newKeywords(n)))}
				}
				slices.Sort(want)
				if got := told(t, events); !slices.Equal(got, want) {
					t.Fatalf("run %d: %s reports %q, want %q", n, f.Trigger, got, want)
				}
				for _, event := range events {
					if event.Baseline != (n == 0) {
						t.Fatalf("run %d: %s has baseline %v", n, event.ID, event.Baseline)
					}
				}
			}
		}
	})
}

// expectBaseline checks what a feed that is opened before run n begins with: the latest result as
// if it had been the first for the triggers that have a baseline, and nothing for the others.
func expectBaseline(t *rapid.T, f *feed, m model, n int) {
	if n == 0 {
		return
	}
	var want []string
	switch f.Trigger {
	case "new-keyword":
		for _, s := range m.history[n-1] {
			want = append(want, fmt.Sprint(s.word))
		}
	case "research-completed":
		want = []string{fmt.Sprint("new ", len(m.history[n-1]))}
	}
	slices.Sort(want)
	if got := told(t, f.events); !slices.Equal(got, want) {
		t.Fatalf("opened before run %d, %s begins with %q, want %q", n, f.Trigger, got, want)
	}
	for _, event := range f.events {
		if !event.Baseline {
			t.Fatalf("%s is no baseline", event.Body)
		}
	}
}

// noted notes ids and fails for one that was there.
func noted(t *rapid.T, ids map[string]bool, events []triggers.Event) {
	for _, e := range events {
		if ids[e.ID] {
			t.Fatalf("the id %s was there before: %s", e.ID, e.Body)
		}
		ids[e.ID] = true
	}
}
