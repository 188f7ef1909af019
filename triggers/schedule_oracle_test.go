package triggers_test

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// The oracle knows neither the cron library nor the boundaries of zones. It looks at a
// zone's clock once in every minute of real time, as a person would, and applies the
// promise: a wall minute runs the first time that the clock shows it, one that the clock skips runs
// when the clock has skipped it, and one instant is one run.

// cronField is a field as the oracle reads it: the values that it matches, and whether it is *.
type cronField struct {
	text   string
	values [60]bool
	star   bool
}

// cronLine is five fields: minute, hour, day of the month, month, day of the week.
type cronLine [5]cronField

func (l cronLine) String() string {
	texts := make([]string, len(l))
	for i, f := range l {
		texts[i] = f.text
	}
	return strings.Join(texts, " ")
}

func (l cronLine) matches(wall time.Time) bool {
	if !l[0].values[wall.Minute()] || !l[1].values[wall.Hour()] || !l[3].values[int(wall.Month())] {
		return false
	}
	month, week := l[2].values[wall.Day()], l[4].values[int(wall.Weekday())]
	if l[2].star || l[4].star {
		return month && week
	}
	return month || week
}

// oracle returns the runs of lines in (from, from+minutes].
func oracle(lines []cronLine, zone *time.Location, from time.Time, minutes int) [][]time.Time {
	const warmUp = 30 * 60 // longer than any clock of these years goes back
	runs := make([][]time.Time, len(lines))
	shown := make(map[int64]bool, minutes+warmUp)
	start := from.Truncate(time.Minute).Add(-warmUp * time.Minute)
	before := wallMinute(start.Add(-time.Minute), zone)
	for i := range warmUp + minutes + 1 {
		at := start.Add(time.Duration(i) * time.Minute)
		now := wallMinute(at, zone)
		var fresh []int64
		for skipped := before + 1; skipped < now; skipped++ {
			fresh = append(fresh, skipped)
		}
		fresh = append(fresh, now)
		fresh = slices.DeleteFunc(fresh, func(m int64) bool { return shown[m] })
		for n, line := range lines {
			due := slices.ContainsFunc(fresh, func(m int64) bool { return line.matches(time.Unix(m*60, 0).UTC()) })
			if due && at.After(from) && !at.After(from.Add(time.Duration(minutes)*time.Minute)) {
				runs[n] = append(runs[n], at)
			}
		}
		for _, m := range fresh {
			shown[m] = true
		}
		before = now
	}
	return runs
}

// wallMinute numbers the minute that a zone's clock shows, as if it were a clock in UTC.
func wallMinute(at time.Time, zone *time.Location) int64 {
	at = at.In(zone)
	year, month, day := at.Date()
	return time.Date(year, month, day, at.Hour(), at.Minute(), 0, 0, time.UTC).Unix() / 60
}

// bounds are the least and the greatest value of each field.
var bounds = [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}

// parseLine reads what drawLine writes.
func parseLine(text string) cronLine {
	var line cronLine
	for i, field := range strings.Fields(text) {
		line[i].text = field
		for item := range strings.SplitSeq(field, ",") {
			span, step, stepped := strings.Cut(item, "/")
			every := 1
			if stepped {
				every, _ = strconv.Atoi(step)
			}
			from, to := bounds[i][0], bounds[i][1]
			if span == "*" {
				// A * with a step leaves out days, and is then a restriction.
				line[i].star = line[i].star || every == 1
			} else {
				first, last, ranged := strings.Cut(span, "-")
				from, _ = strconv.Atoi(first)
				if ranged {
					to, _ = strconv.Atoi(last)
				} else if !stepped {
					to = from
				}
			}
			for v := from; v <= to; v += every {
				line[i].values[v] = true
			}
		}
	}
	return line
}
