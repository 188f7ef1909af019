package triggers_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

const watchID = "wch_0123456789abcdefghijklmnop"

func TestAScheduleHasOneNormalForm(t *testing.T) {
	for _, c := range []struct{ expression, timezone, want string }{
		{"", "", "@daily (UTC)"},
		{"  ", " ", "@daily (UTC)"},
		{"@HOURLY", "Europe/Berlin", "@hourly (Europe/Berlin)"},
		{"\t@weekly\n", " Asia/Kolkata ", "@weekly (Asia/Kolkata)"},
		{"@Monthly", "EST5EDT", "@monthly (EST5EDT)"},
		{" 0   9 * *  MON-Fri", "America/Argentina/Buenos_Aires", "0 9 * * mon-fri (America/Argentina/Buenos_Aires)"},
		{"0 9 ? JAN *", "Etc/GMT+5", "0 9 ? jan * (Etc/GMT+5)"},
		{"@every 90m", "UTC", "@every 1h30m (UTC)"},
		{"@every  5400s", "UTC", "@every 1h30m (UTC)"},
		{"@every 1.5H", "UTC", "@every 1h30m (UTC)"},
		{"@every 1440m", "UTC", "@every 24h (UTC)"},
		{"@every 3601s", "UTC", "@every 1h0m1s (UTC)"},
		{"@every 10m", "UTC", "@every 10m (UTC)"},
		{"@every 20s", "UTC", "@every 20s (UTC)"},
		{"@every 1s", "UTC", "@every 1s (UTC)"},
		{"@every 1000ms", "UTC", "@every 1s (UTC)"},
	} {
		s, err := triggers.ParseSchedule(c.expression, c.timezone)
		if err != nil {
			t.Errorf("%q in %q: %v", c.expression, c.timezone, err)
			continue
		}
		if got := s.String(); got != c.want || got != s.Expression()+" ("+s.Timezone()+")" {
			t.Errorf("%q in %q is %s, want %s", c.expression, c.timezone, got, c.want)
		}
		again, err := triggers.ParseSchedule(s.Expression(), s.Timezone())
		if err != nil || again.String() != s.String() {
			t.Errorf("the normal form %s parses to %s, %v", s, again, err)
		}
	}
}

func TestAnUnreadableScheduleIsRefusedWithWhatWouldBeAccepted(t *testing.T) {
	const list = "Schedule: %s; accepted: five cron fields (0 9 * * 1), @hourly, @daily, @weekly, @monthly or @every 6h"
	whole := func(problem string) string { return strings.Replace(list, "%s", problem, 1) }
	for expression, want := range map[string]string{
		"@midnight":               whole(`"@midnight" is not a schedule`),
		"@yearly":                 whole(`"@yearly" is not a schedule`),
		"@daily 5":                whole(`"@daily 5" is not a schedule`),
		"@":                       whole(`"@" is not a schedule`),
		"@everyday":               whole(`"@everyday" is not a schedule`),
		"daily":                   whole(`"daily" is not five fields`),
		"0 0 9 * * 1":             whole(`"0 0 9 * * 1" is not five fields`),
		strings.Repeat("1,", 300): whole("it is longer than 500 characters"),
		"60 * * * *":              `Schedule: the minute "60" cannot be read; accepted: 0 to 59, with * , - and / as in cron`,
		"0 9-8 * * *":             `Schedule: the hour "9-8" cannot be read; accepted: 0 to 23, with * , - and / as in cron`,
		"0 9 0 * *":               `Schedule: the day of the month "0" cannot be read; accepted: 1 to 31, with * , - and / as in cron`,
		"0 9 * 13 *":              `Schedule: the month "13" cannot be read; accepted: 1 to 12 or jan to dec, with * , - and / as in cron`,
		"0 9 * * 7":               `Schedule: the day of the week "7" cannot be read; accepted: 0 (Sunday) to 6 or sun to sat, with * , - and / as in cron`,
		"*/0 * * * *":             `Schedule: the minute "*/0" cannot be read; accepted: 0 to 59, with * , - and / as in cron`,
		"0 , * * *":               `Schedule: the hour "," cannot be read; accepted: 0 to 23, with * , - and / as in cron`,
		"0 0 30 2 *":              `Schedule: "0 0 30 2 *" never comes; accepted: a day that the month has, such as 0 9 28 2 *`,
		"0 0 31 4,6,9,11 *":       `Schedule: "0 0 31 4,6,9,11 *" never comes; accepted: a day that the month has, such as 0 9 28 2 *`,
		"TZ=Asia/Tokyo 0 9 * * *": "Schedule: it names a time zone; accepted: the same without it, and the zone in Time zone",
		"CRON_TZ=UTC @daily":      "Schedule: it names a time zone; accepted: the same without it, and the zone in Time zone",
		"TZ=":                     "Schedule: it names a time zone; accepted: the same without it, and the zone in Time zone",
		"@every":                  `Schedule: "@every" has no interval of whole seconds; accepted: @every with one such as 90s, 30m, 6h or 1h30m`,
		"@every 1d":               `Schedule: "@every 1d" has no interval of whole seconds; accepted: @every with one such as 90s, 30m, 6h or 1h30m`,
		"@every 0s":               `Schedule: "@every 0s" has no interval of whole seconds; accepted: @every with one such as 90s, 30m, 6h or 1h30m`,
		"@every -1h":              `Schedule: "@every -1h" has no interval of whole seconds; accepted: @every with one such as 90s, 30m, 6h or 1h30m`,
		"@every 1500ms":           `Schedule: "@every 1500ms" has no interval of whole seconds; accepted: @every with one such as 90s, 30m, 6h or 1h30m`,
		"@every 6 hours":          `Schedule: "@every 6 hours" has no interval of whole seconds; accepted: @every with one such as 90s, 30m, 6h or 1h30m`,
	} {
		_, err := triggers.ParseSchedule(expression, "UTC")
		refusal(t, expression, err, "schedule", want)
	}
}

func TestOnlyTheNameOfAnIANAZoneIsATimeZone(t *testing.T) {
	for _, timezone := range []string{
		"Local", "local", "localtime", "posixrules", "Factory", "posix/Europe/Berlin", "right/UTC", "Europe", "Europe/",
		"Europe//Berlin", "./Europe/Berlin", "Europe/../UTC", "/usr/share/zoneinfo/UTC", `Europe\Berlin`, "tzdata.zi",
		"zone.tab", "EST5EDT,M3.2.0,M11.1.0", "<+03>-3", "+02:00", "UTC+2", "Mars/Olympus", "Europe/Berl\x00in", "Europe Berlin",
	} {
		_, err := triggers.ParseSchedule("@daily", timezone)
		var field *schemas.FieldError
		if !errors.As(err, &field) || field.Field != "timezone" || field.Label != "Time zone" {
			t.Errorf("%q: got %v, want a refusal of timezone", timezone, err)
		}
	}
	_, err := triggers.ParseSchedule("@daily", "Berlin")
	refusal(t, "Berlin", err, "timezone", `Time zone: "Berlin" is not a time zone; accepted: an IANA name such as Europe/Berlin, America/New_York or UTC`)
}

func TestEveryZoneOfTheBuildIsATimeZone(t *testing.T) {
	for _, zone := range zones(t) {
		if _, err := triggers.ParseSchedule("", zone); err != nil {
			t.Error(err)
		}
	}
}

func TestRunsCloserThanTheIntervalAreRefused(t *testing.T) {
	from := instant("2026-06-15T10:20:30Z")
	const quarter = 15 * time.Minute
	for _, c := range []struct {
		expression string
		shortest   time.Duration
		want       string // empty: accepted
	}{
		{"* * * * *", quarter, `Schedule: its runs at 00:00 and 00:01 are 1m apart; accepted: runs at least 15m apart, such as @every 15m`},
		{"*/15 * * * *", quarter, ""},
		{"*/20 9-17 * * 1-5", quarter, ""},
		{"0,50 * * * *", quarter, `Schedule: its runs at 00:50 and 01:00 are 10m apart; accepted: runs at least 15m apart, such as @every 15m`},
		{"0,20,25 8 * * *", quarter, `Schedule: its runs at 08:20 and 08:25 are 5m apart; accepted: runs at least 15m apart, such as @every 15m`},
		{"5 0,23 * * *", 2 * time.Hour, `Schedule: its runs at 23:05 and 00:05 are 1h apart; accepted: runs at least 2h apart, such as @every 2h`},
		{"0,59 0,23 31 12 *", 2 * time.Minute, ""},
		{"0,59 0,23 1,31 1,12 *", 2 * time.Minute, `Schedule: its runs at 23:59 and 00:00 are 1m apart; accepted: runs at least 2m apart, such as @every 2m`},
		{"7 * * * *", time.Hour, ""},
		{"@hourly", time.Hour, ""},
		{"@hourly", time.Hour + time.Second, `Schedule: its runs are 1h apart; accepted: runs at least 1h0m1s apart, such as @every 1h0m1s`},
		{"@daily", 24 * time.Hour, ""},
		{"@weekly", 7 * 24 * time.Hour, ""},
		{"@monthly", 28 * 24 * time.Hour, ""},
		{"@monthly", 29 * 24 * time.Hour, `Schedule: its runs are 672h apart; accepted: runs at least 696h apart, such as @every 696h`},
		{"0 9 1 * *", 29 * 24 * time.Hour, `Schedule: its runs at 1 February 09:00 and 1 March 09:00 are 672h apart; accepted: runs at least 696h apart, such as @every 696h`},
		{"0 0 29 2 *", 1000 * 24 * time.Hour, ""},
		{"0 0 1 1 *", 365 * 24 * time.Hour, ""},
		{"@every 14m59s", quarter, `Schedule: its runs are 14m59s apart; accepted: runs at least 15m apart, such as @every 15m`},
		{"@every 15m", quarter, ""},
		{"@every 1s", time.Second, ""},
		{"@every 1s", 1500 * time.Millisecond, `Schedule: its runs are 1s apart; accepted: runs at least 2s apart, such as @every 2s`},
	} {
		// A clock that jumps brings runs together in one night of the year, and forbids nothing.
		for _, zone := range []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe"} {
			err := schedule(t, c.expression, zone).CheckInterval(c.shortest, from)
			if c.want != "" {
				refusal(t, c.expression, err, "schedule", c.want)
			} else if err != nil {
				t.Errorf("%s: %v", c.expression, err)
			}
		}
	}
}

func TestAMonthIsThirtyDaysOfRuns(t *testing.T) {
	from := instant("2026-02-10T12:00:00Z")
	for expression, want := range map[string]int{
		"@hourly": 720, "@daily": 30, "@weekly": 5, "@monthly": 1,
		"@every 6h": 120, "@every 7h": 103, "@every 1s": 30 * 86400, "@every 9000h": 1,
		"* * * * *": 43200, "0 9 * * *": 30, "0 9 * * 1": 4, "0 9 10 * *": 1, "0 9 1 1 *": 0, "0 0 1,15 * *": 2,
	} {
		if got := schedule(t, expression, "UTC").RunsPerMonth(from); got != want {
			t.Errorf("%s runs %d times, want %d", expression, got, want)
		}
	}
}

func TestMissedCountsTheRunsOfAHalfOpenTime(t *testing.T) {
	at := instant
	for _, c := range []struct {
		expression, from, until string
		want                    int
	}{
		{"0 9 * * *", "2026-03-01T09:00:00Z", "2026-03-01T09:00:00Z", 0},
		{"0 9 * * *", "2026-03-01T08:59:59Z", "2026-03-01T09:00:00Z", 1},
		{"0 9 * * *", "2026-03-01T09:00:00Z", "2026-03-02T08:59:59Z", 0},
		{"0 9 * * *", "2026-03-01T09:00:00Z", "2026-03-31T09:00:00Z", 30},
		{"0 9 * * *", "2026-03-02T09:00:00Z", "2026-03-01T09:00:00Z", 0},
		{"@every 1h", "2026-03-02T09:00:00Z", "2026-03-01T09:00:00Z", 0},
		{"@every 1s", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", 365 * 86400},
		{"* * * * *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", 100_000},
	} {
		if got := schedule(t, c.expression, "UTC").Missed(at(c.from), at(c.until), watchID); got != c.want {
			t.Errorf("%s misses %d in (%s, %s], want %d", c.expression, got, c.from, c.until, c.want)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""}, {"@daily", "Europe/Berlin"}, {"@every 1h30m", "UTC"}, {"*/15 9-17 * * mon-fri", "America/New_York"},
		{"TZ=UTC", "Local"}, {"0 0 30 2 *", "../etc/passwd"}, {"0 0 29 2 ?", "Africa/Casablanca"}, {"1,,2 *-5 * * */2", "EST5EDT"},
		{"@every 2562047h", "Pacific/Apia"}, {"0/9223372036854775807 * * * *", "Asia/Kolkata"}, {"@every 1H\u00a0", "UTC\n"},
	} {
		f.Add(seed[0], seed[1])
	}
	from := instant("2026-03-28T23:30:00Z")
	f.Fuzz(func(t *testing.T, expression, timezone string) {
		s, err := triggers.ParseSchedule(expression, timezone)
		if err != nil {
			var field *schemas.FieldError
			if !errors.As(err, &field) || field.Problem == "" || field.Accepted == "" {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		again, err := triggers.ParseSchedule(s.Expression(), s.Timezone())
		if err != nil || again.String() != s.String() {
			t.Fatalf("the normal form %s parses to %s, %v", s, again, err)
		}
		first := s.Next(from, watchID)
		second := s.Next(first, watchID)
		if !first.After(from) || !second.After(first) || first.Location() != time.UTC {
			t.Fatalf("%s runs at %s and %s", s, first, second)
		}
		if got := s.Missed(from, second, watchID); got != 2 {
			t.Fatalf("%s misses %d runs up to the second", s, got)
		}
		if err := s.CheckInterval(time.Second, from); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	})
}

// failer is a test, a benchmark or a rapid check.
type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func schedule(t failer, expression, timezone string) triggers.Schedule {
	t.Helper()
	s, err := triggers.ParseSchedule(expression, timezone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instant(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return at
}

func refusal(t *testing.T, input string, err error, field, want string) {
	t.Helper()
	var refused *schemas.FieldError
	if !errors.As(err, &refused) || refused.Field != field || refused.Error() != want {
		t.Errorf("%q:\n got %v\nwant %s", input, err, want)
	}
}

// zones returns the names in lib/time/zoneinfo.zip of the Go distribution, which time/tzdata
// embeds, without Factory, which is a zone of no place.
func zones(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadFile("testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(bytes.TrimSpace(list)))
}
