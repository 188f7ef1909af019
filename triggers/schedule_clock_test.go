package triggers_test

import (
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

func TestAClockThatJumpsSkipsNoRunAndRepeatsNone(t *testing.T) {
	for _, c := range []struct {
		name, expression, zone, after string
		want                          []string
	}{
		{"a skipped time runs at the next that exists", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"a repeated time runs at the first", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"asked between the two, a repeated time is over", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z",
			[]string{"2026-10-26T01:30:00Z"}},
		{"asked in the second hour, a repeated time is over", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z",
			[]string{"2026-10-26T01:30:00Z"}},
		{"an hourly schedule runs once for the skipped hour and the next", "0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z",
			[]string{"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}},
		{"an hourly schedule runs once in a repeated hour", "0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z",
			[]string{"2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"}},
		{"a quarter-hourly schedule gathers a skipped hour", "*/15 * * * *", "Europe/Berlin", "2026-03-29T00:44:00Z",
			[]string{"2026-03-29T00:45:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"}},
		{"New York in spring", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"}},
		{"New York in autumn", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}},
		{"Dublin, whose summer is its standard time", "30 1 * * *", "Europe/Dublin", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"a day of Sao Paulo without midnight", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z",
			[]string{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}},
		{"an evening that Sao Paulo repeats", "30 23 * * *", "America/Sao_Paulo", "2018-02-17T12:00:00Z",
			[]string{"2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"}},
		{"a day of Cairo without midnight", "0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z",
			[]string{"2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"}},
		{"an evening that Cairo repeats", "30 23 * * *", "Africa/Cairo", "2026-10-29T12:00:00Z",
			[]string{"2026-10-29T20:30:00Z", "2026-10-30T21:30:00Z"}},
		{"the midnight after an evening that Cairo repeats", "0 0 * * *", "Africa/Cairo", "2026-10-29T12:00:00Z",
			[]string{"2026-10-29T22:00:00Z", "2026-10-30T22:00:00Z"}},
		{"a day of Beirut without midnight", "0 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z",
			[]string{"2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"}},
		{"a day of Havana without midnight", "0 0 * * 0", "America/Havana", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T05:00:00Z", "2026-03-15T04:00:00Z"}},
		{"a first hour that Havana repeats", "30 0 * * *", "America/Havana", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T04:30:00Z", "2026-11-02T05:30:00Z"}},
		{"a half hour that Lord Howe skips", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
			[]string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
		{"a half hour that Lord Howe repeats", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z",
			[]string{"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
		{"Casablanca before Ramadan", "30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00:00Z",
			[]string{"2026-02-15T01:30:00Z", "2026-02-16T02:30:00Z"}},
		{"Casablanca after Ramadan", "30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00:00Z",
			[]string{"2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z"}},
		{"two hours that Troll skips", "30 1,2 * * *", "Antarctica/Troll", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-29T23:30:00Z", "2026-03-30T00:30:00Z"}},
		{"two hours that Troll repeats", "30 1,2 * * *", "Antarctica/Troll", "2026-10-24T12:00:00Z",
			[]string{"2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"a day that Apia skips", "0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z",
			[]string{"2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"}},
		{"hours of a day that Apia skips", "0 */6 * * *", "Pacific/Apia", "2011-12-30T03:00:00Z",
			[]string{"2011-12-30T04:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z"}},
		{"a day that Juneau repeats", "0 9 * * *", "America/Juneau", "1867-10-18T12:00:00Z",
			[]string{"1867-10-18T17:57:41Z", "1867-10-20T17:57:41Z"}},
		{"a zone whose clock never jumps", "30 2 * * *", "Asia/Kolkata", "2026-03-28T12:00:00Z",
			[]string{"2026-03-28T21:00:00Z", "2026-03-29T21:00:00Z"}},
		{"an elapsed time knows no jump", "@every 24h", "Europe/Berlin", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T03:58:23Z", "2026-03-30T03:58:23Z"}},
	} {
		t.Run(c.name, func(t *testing.T) { expectRuns(t, c.expression, c.zone, c.after, c.want) })
	}
}

func TestCronFieldsAreReadAsTheCronLibraryReadsThem(t *testing.T) {
	for _, c := range []struct {
		name, expression, after string
		want                    []string
	}{
		{"strictly after a run", "0 9 * * *", "2026-03-01T09:00:00Z", []string{"2026-03-02T09:00:00Z"}},
		{"a moment before a run", "0 9 * * *", "2026-03-01T08:59:59.999999999Z", []string{"2026-03-01T09:00:00Z"}},
		{"leap days", "0 0 29 2 *", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		{"the eight years without a leap day", "0 0 29 2 *", "2096-02-29T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"the 31st only where there is one", "0 12 31 * *", "2026-01-31T12:00:00Z",
			[]string{"2026-03-31T12:00:00Z", "2026-05-31T12:00:00Z", "2026-07-31T12:00:00Z"}},
		{"a day of the month or of the week", "0 0 13 * 5", "2026-03-01T00:00:00Z",
			[]string{"2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z", "2026-03-20T00:00:00Z", "2026-03-27T00:00:00Z", "2026-04-03T00:00:00Z", "2026-04-10T00:00:00Z", "2026-04-13T00:00:00Z"}},
		{"a stepped star restricts", "0 0 */10 * 1", "2026-03-01T00:00:00Z",
			[]string{"2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z", "2026-03-11T00:00:00Z"}},
		{"a new year", "59 23 31 12 *", "2026-06-01T00:00:00Z", []string{"2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) { expectRuns(t, c.expression, "UTC", c.after, c.want) })
	}
}

// The places of watches in their hour, day, week and month are promised for ever: a change here
// would move the runs of every user.
func TestDescriptorsKeepTheirPlacesForEver(t *testing.T) {
	const after = "2026-06-01T00:00:00Z"
	for _, c := range []struct{ expression, watchID, want string }{
		{"@hourly", "wch_0123456789abcdefghijklmnop", "2026-06-01T00:58:23Z"},
		{"@daily", "wch_0123456789abcdefghijklmnop", "2026-06-01T22:23:00Z"},
		{"@weekly", "wch_0123456789abcdefghijklmnop", "2026-06-01T22:23:00Z"},
		{"@monthly", "wch_0123456789abcdefghijklmnop", "2026-06-02T22:23:00Z"},
		{"@every 6h", "wch_0123456789abcdefghijklmnop", "2026-06-01T03:58:23Z"},
		{"@every 1000s", "wch_0123456789abcdefghijklmnop", "2026-06-01T00:01:43Z"},
		{"@hourly", "wch_a", "2026-06-01T00:01:24Z"},
		{"@daily", "wch_a", "2026-06-01T01:24:00Z"},
		{"@weekly", "wch_a", "2026-06-01T01:24:00Z"},
		{"@monthly", "wch_a", "2026-06-16T01:24:00Z"},
		{"@every 6h", "wch_a", "2026-06-01T02:01:24Z"},
		{"@every 1000s", "wch_a", "2026-06-01T00:01:24Z"},
		{"@hourly", "", "2026-06-01T00:47:08Z"},
		{"@daily", "", "2026-06-01T11:08:00Z"},
		{"@weekly", "", "2026-06-01T11:08:00Z"},
		{"@monthly", "", "2026-06-23T11:08:00Z"},
		{"@every 6h", "", "2026-06-01T05:47:08Z"},
		{"@every 1000s", "", "2026-06-01T00:13:48Z"},
	} {
		if got := schedule(t, c.expression, "UTC").Next(instant(after), c.watchID).Format(time.RFC3339); got != c.want {
			t.Errorf("%s of %s runs at %s, want %s", c.expression, c.watchID, got, c.want)
		}
	}
}

func TestDescriptorsFollowTheWallClockOfTheirZone(t *testing.T) {
	for expression, period := range map[string]func(time.Time) time.Time{
		"@daily":   func(t time.Time) time.Time { return t.AddDate(0, 0, 1) },
		"@weekly":  func(t time.Time) time.Time { return t.AddDate(0, 0, 7) },
		"@monthly": func(t time.Time) time.Time { return t.AddDate(0, 1, 0) },
	} {
		s := schedule(t, expression, "Europe/Berlin")
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		at := s.Next(instant("2026-01-01T00:00:00Z"), watchID).In(berlin)
		for range 30 {
			next := s.Next(at, watchID).In(berlin)
			if want := period(at); !next.Equal(want) {
				t.Errorf("%s runs at %s after %s, want %s", expression, next, at, want)
			}
			at = next
		}
	}
}

func TestDescriptorsSpreadWatchesOverTheirWholePeriod(t *testing.T) {
	after := instant("2026-02-01T00:00:00Z")
	for expression, period := range map[string]time.Duration{
		"@hourly": time.Hour, "@daily": 24 * time.Hour, "@weekly": 7 * 24 * time.Hour,
		"@monthly": 28 * 24 * time.Hour, "@every 6h": 6 * time.Hour, "@every 1000s": 1000 * time.Second,
		"@every 900000h": 900000 * time.Hour,
	} {
		s := schedule(t, expression, "UTC")
		var tenths [10]int
		const watches = 2000
		for i := range watches {
			at := s.Next(after.Add(-1), "wch_"+time.Duration(i).String())
			if at.Before(after) || !at.Before(after.Add(period)) {
				t.Fatalf("%s first runs at %s", expression, at)
			}
			tenths[at.Sub(after)/(period/10)]++
		}
		for i, n := range tenths {
			if n < watches/10*7/10 || n > watches/10*13/10 {
				t.Errorf("%s puts %d of %d watches into tenth %d of its period", expression, n, watches, i)
			}
		}
	}
}

func expectRuns(t *testing.T, expression, zone, after string, want []string) {
	t.Helper()
	s := schedule(t, expression, zone)
	at := instant(after)
	for _, w := range want {
		next := s.Next(at, watchID)
		if got := next.Format(time.RFC3339Nano); got != w {
			t.Fatalf("%s after %s runs at %s, want %s", s, at.Format(time.RFC3339Nano), got, w)
		}
		at = next
	}
}

func BenchmarkNextOfDaily(b *testing.B) { benchmarkNext(b, "@daily") }

func BenchmarkNextOfEveryQuarter(b *testing.B) { benchmarkNext(b, "*/15 * * * *") }

// BenchmarkCronNextOfEveryQuarter is what the two above are compared with: the cron library alone.
func BenchmarkCronNextOfEveryQuarter(b *testing.B) {
	s, err := cron.ParseStandard("*/15 * * * *")
	if err != nil {
		b.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	at := instant("2026-01-01T00:00:00Z").In(berlin)
	for b.Loop() {
		at = s.Next(at)
	}
}

func benchmarkNext(b *testing.B, expression string) {
	s := schedule(b, expression, "Europe/Berlin")
	at := instant("2026-01-01T00:00:00Z")
	b.ReportAllocs()
	for b.Loop() {
		at = s.Next(at, watchID)
	}
}

func BenchmarkCheckInterval(b *testing.B) {
	from := instant("2026-01-01T00:00:00Z")
	for _, expression := range []string{"* * * * *", "*/15 * * * *", "@daily"} {
		s := schedule(b, expression, "Europe/Berlin")
		b.Run(expression, func(b *testing.B) {
			for b.Loop() {
				_ = s.CheckInterval(15*time.Minute, from)
			}
		})
	}
}

func BenchmarkParseSchedule(b *testing.B) {
	for b.Loop() {
		schedule(b, "*/15 9-17 * * mon-fri", "Europe/Berlin")
	}
}
