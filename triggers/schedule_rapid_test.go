package triggers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// jumps returns the hours from 2026 to 2030 in which a zone's clock jumps.
func jumps(zone *time.Location) []time.Time {
	offset := func(at time.Time) int {
		_, seconds := at.In(zone).Zone()
		return seconds
	}
	var found []time.Time
	for at := instant("2026-01-01T00:00:00Z"); at.Year() <= 2030; at = at.AddDate(0, 0, 1) {
		if offset(at) == offset(at.AddDate(0, 0, 1)) {
			continue
		}
		for hour := at; hour.Before(at.AddDate(0, 0, 1)); hour = hour.Add(time.Hour) {
			if offset(hour) != offset(hour.Add(time.Hour)) {
				found = append(found, hour)
			}
		}
	}
	return found
}

func TestAroundEveryJumpOfEveryZoneTheRunsAreThoseOfTheClockOnTheWall(t *testing.T) {
	var lines []cronLine
	for _, text := range []string{"0 * * * *", "*/20 * * * *", "30 2 * * *", "0 0 * * *", "45 0,1,23 * * *", "15 2,3 */2 * 0"} {
		lines = append(lines, parseLine(text))
	}
	seen := map[string]bool{} // many names share one clock
	for _, name := range zones(t) {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, jump := range jumps(zone) {
			_, offset := jump.In(zone).Zone()
			_, then := jump.Add(2 * time.Hour).In(zone).Zone()
			if key := fmt.Sprint(jump, offset, then); seen[key] {
				continue
			} else {
				seen[key] = true
			}
			from := jump.Add(-13*time.Hour - 17*time.Second)
			const minutes = 26 * 60
			for n, want := range oracle(lines, zone, from, minutes) {
				expectChain(t, lines[n].String(), name, from, minutes, want)
			}
		}
	}
	if len(seen) < 100 {
		t.Errorf("the zones have only %d jumps", len(seen))
	}
}

func TestAnyScheduleRunsByTheClockOnTheWall(t *testing.T) {
	names := zones(t)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		line := drawLine(t)
		from := drawInstant(t, zone)
		const minutes = 3 * 24 * 60
		want := oracle([]cronLine{line}, zone, from, minutes)[0]
		expectChain(t, line.String(), name, from, minutes, want)
	})
}

func TestEveryDayOfADailyScheduleRunsOnce(t *testing.T) {
	names := zones(t)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "zone")
		hour, minute := rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
		s := schedule(t, fmt.Sprintf("%d %d * * *", minute, hour), name)
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		at := s.Next(drawInstant(t, zone), watchID)
		// A jump may have made the first run late, and moved it to the next day.
		planned := wallMinute(at, zone)
		planned -= (planned - int64(60*hour+minute)) % 1440
		for range 400 {
			next := s.Next(at, watchID)
			planned += 1440
			if late := wallMinute(next, zone) - planned; late < 0 || late > 120 {
				t.Fatalf("%s runs at %s and then at %s", s, at.In(zone), next.In(zone))
			}
			at = next
		}
	})
}

func TestAWatchThatIsAskedAtAnyMomentFindsTheSameRuns(t *testing.T) {
	names := zones(t)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		expression := rapid.OneOf(
			rapid.SampledFrom([]string{"@hourly", "@daily", "@weekly", "@monthly", "@every 1s", "@every 7h", "@every 86399s"}),
			rapid.Custom(func(t *rapid.T) string { return drawLine(t).String() }),
		).Draw(t, "expression")
		id := rapid.String().Draw(t, "watch")
		s := schedule(t, expression, name)
		from := drawInstant(t, zone)
		at := from
		for n := range 40 {
			next := s.Next(at, id)
			if !next.After(at) {
				t.Fatalf("%s runs at %s after %s", s, next, at)
			}
			if got := s.Missed(from, next, id); got != n+1 {
				t.Fatalf("%s misses %d runs in (%s, %s], want %d", s, got, from, next, n+1)
			}
			between := at.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(at))-1).Draw(t, "between")))
			if again := s.Next(between, id); !again.Equal(next) {
				t.Fatalf("%s runs at %s after %s, but at %s after %s", s, next, at, again, between)
			}
			at = next
		}
	})
}

// expectChain checks the runs in (from, from+minutes].
func expectChain(t failer, expression, zone string, from time.Time, minutes int, want []time.Time) {
	t.Helper()
	s := schedule(t, expression, zone)
	until := from.Add(time.Duration(minutes) * time.Minute)
	at := from
	for _, w := range append(slices.Clone(want), time.Time{}) {
		next := s.Next(at, watchID)
		if w.IsZero() && next.After(until) {
			break
		}
		if !next.Equal(w) {
			t.Fatalf("%s after %s runs at %s, want %s", s, at, next, w)
		}
		at = next
	}
	if got := s.Missed(from, until, watchID); got != len(want) {
		t.Fatalf("%s misses %d runs in (%s, %s], want %d", s, got, from, until, len(want))
	}
}

// drawInstant draws a moment, often one around a jump of the zone's clock.
func drawInstant(t *rapid.T, zone *time.Location) time.Time {
	const fiveYears = 5 * 365 * 24 * time.Hour
	at := instant("2026-01-01T00:00:00Z").Add(time.Duration(rapid.Int64Range(0, int64(fiveYears)).Draw(t, "moment")))
	if all := jumps(zone); len(all) > 0 && rapid.Bool().Draw(t, "around a jump") {
		jump := rapid.SampledFrom(all).Draw(t, "jump")
		at = jump.Add(time.Duration(rapid.Int64Range(-int64(40*time.Hour), int64(8*time.Hour)).Draw(t, "from the jump")))
	}
	if rapid.Bool().Draw(t, "whole minute") {
		at = at.Truncate(time.Minute)
	}
	return at
}

// drawLine draws five fields that some day matches.
func drawLine(t *rapid.T) cronLine {
	texts := make([]string, len(bounds))
	for i, b := range bounds {
		low, high := b[0], b[1]
		texts[i] = "*"
		if rapid.IntRange(0, 5).Draw(t, "star") < i { // days and months are mostly free, or nothing runs
			continue
		}
		var items []string
		for n := range rapid.IntRange(1, 3).Draw(t, "items") {
			last := high
			if i == 2 && n == 0 {
				last = 28 // every month has one
			}
			from := rapid.IntRange(low, last).Draw(t, "from")
			to := rapid.IntRange(from, high).Draw(t, "to")
			step := rapid.IntRange(1, 20).Draw(t, "step")
			items = append(items, rapid.SampledFrom([]string{
				fmt.Sprint(from), fmt.Sprintf("%d-%d", from, to), fmt.Sprintf("%d-%d/%d", from, to, step),
				fmt.Sprintf("%d/%d", from, step), fmt.Sprintf("*/%d", step),
			}).Draw(t, "item"))
		}
		texts[i] = strings.Join(items, ",")
	}
	return parseLine(strings.Join(texts, " "))
}
