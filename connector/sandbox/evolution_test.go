package sandbox

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestEveryStateHasSomethingForEveryTrigger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subject, topic := rapid.String().Draw(t, "subject"), rapid.StringMatching(`[a-z ]{1,20}`).Draw(t, "topic")
		n, size := rapid.IntRange(0, 500).Draw(t, "n"), rapid.IntRange(4, 50).Draw(t, "size")
		before := map[string]keyword{}
		for _, k := range state(subject, topic, n)[:size] {
			before[k.Keyword] = k
		}
		var fresh, turned, dropped, same int
		for _, k := range state(subject, topic, n+1)[:size] {
			was, known := before[k.Keyword]
			switch {
			case k.CompetitionScore < 0 || k.CompetitionScore > 1:
				t.Fatalf("%s has the score %v", k.Keyword, k.CompetitionScore)
			case !known:
				fresh++
			case was.TrendDirection != k.TrendDirection:
				turned++
			case math.Round((was.CompetitionScore-k.CompetitionScore)*100) >= 10:
				dropped++
			default:
				same++
			}
		}
		if fresh == 0 || turned == 0 || dropped == 0 || same != size-3 {
			t.Fatalf("of %d: %d new, %d turned, %d dropped, %d as before", size, fresh, turned, dropped, same)
		}
	})
}
