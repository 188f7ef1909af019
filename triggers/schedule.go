package triggers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	// A machine without time zones has those of the build. One that has its own is asked first:
	// its administrator may know of a new law before our next release does.
	_ "time/tzdata"

	"github.com/robfig/cron/v3"

	"github.com/usesoke/soke-connector/schemas"
)

// What an empty field of the form means.
const (
	defaultExpression = "@daily"
	defaultTimezone   = "UTC"
)

// maxExpression is longer than five fields with every value of theirs listed.
const maxExpression = 500

// maxMissed bounds the walk of Missed.
const maxMissed = 100_000

const acceptedSchedules = "five cron fields (0 9 * * 1), @hourly, @daily, @weekly, @monthly or @every 6h"

// zoneForm keeps out what a file system, but not IANA, would take for a name.
var zoneForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)

// notZones are in the directory of the zones without being the name of a place's time.
var notZones = regexp.MustCompile(`^(Local|localtime|posixrules|Factory|posix/.*|right/.*)$`)

// Schedule says when a watch runs. It needs no state: the runs follow from the schedule and the
// watch's id alone, so that a restart changes none of them.
//
// An expression is read on the wall clock of its time zone. A local time that the clock skips runs
// at the next one that exists, a local time that comes twice runs at the first. An @every schedule
// counts elapsed time instead and knows no zone.
//
// The descriptors and @every are spread by the watch's id, so that watches do not all run at once.
// Only ParseSchedule makes a Schedule; the zero value is none.
type Schedule struct {
	expression, timezone string
	// every is the interval of an @every schedule in seconds, else 0.
	every  int64
	fields cron.SpecSchedule
	zone   *time.Location
}

// ParseSchedule returns the schedule of an expression in an IANA time zone, or a
// *schemas.FieldError. Five cron fields, @hourly, @daily, @weekly, @monthly and @every with whole
// seconds are accepted as robfig/cron's standard parser reads them, in any case and spacing. An
// empty expression is @daily, an empty time zone UTC.
func ParseSchedule(expression, timezone string) (Schedule, error) {
	if len(expression) > maxExpression {
		return Schedule{}, badSchedule(fmt.Sprintf("it is longer than %d characters", maxExpression), acceptedSchedules)
	}
	s := Schedule{
		expression: strings.ToLower(strings.Join(strings.Fields(expression), " ")),
		timezone:   strings.TrimSpace(timezone),
	}
	if s.expression == "" {
		s.expression = defaultExpression
	}
	if s.timezone == "" {
		s.timezone = defaultTimezone
	}
	if err := s.parseExpression(); err != nil {
		return Schedule{}, err
	}
	if err := s.parseTimezone(); err != nil {
		return Schedule{}, err
	}
	return s, nil
}

// Expression returns the normal form of the expression. It is part of a watch's identity: two
// expressions with the same normal form make one watch.
func (s Schedule) Expression() string { return s.expression }

// Timezone returns the IANA name of the time zone.
func (s Schedule) Timezone() string { return s.timezone }

// String returns both, as in "@daily (Europe/Berlin)".
func (s Schedule) String() string { return s.expression + " (" + s.timezone + ")" }

// Next returns the first run of a watch that is strictly after a time, in UTC.
func (s Schedule) Next(after time.Time, watchID string) time.Time {
	return s.rhythm(watchID).next(after)
}

// Missed counts the runs of a watch after from and not after until. It stops counting the runs of
// cron fields and descriptors at 100,000.
func (s Schedule) Missed(from, until time.Time, watchID string) int {
	if !until.After(from) {
		return 0
	}
	r := s.rhythm(watchID)
	if s.every > 0 {
		return int(r.ticks(until) - r.ticks(from))
	}
	n := 0
	for at := r.next(from); n < maxMissed && !at.After(until); at = r.next(at) {
		n++
	}
	return n
}

// RunsPerMonth returns how often the schedule runs in the 30 days after from. Where the id of a
// watch decides whether a run still falls into them, which an estimate cannot know, it counts that
// run; @monthly is once.
func (s Schedule) RunsPerMonth(from time.Time) int {
	const days = 30
	switch s.expression {
	case "@hourly":
		return days * 24
	case "@daily":
		return days
	case "@weekly":
		return (days + 6) / 7
	case "@monthly":
		return 1
	}
	if s.every > 0 {
		return int((days*24*60*60 + s.every - 1) / s.every)
	}
	return s.Missed(from, from.Add(days*day), "")
}

// CheckInterval refuses, with a *schemas.FieldError, a schedule that has two runs closer than
// shortest in the year after from.
//
// It judges the wall clock. The one night in which a zone's clock jumps ahead may bring two runs
// closer together, but it adds none, and would otherwise forbid such a plain schedule as 5 * * * *.
func (s Schedule) CheckInterval(shortest time.Duration, from time.Time) error {
	apart, words := time.Duration(s.every)*time.Second, "its runs are %s apart"
	if s.every == 0 {
		earlier, later := closest(s.rhythm("").fields, from.In(s.zone))
		apart = later.Sub(earlier)
		if s.expression[0] != '@' {
			layout := "15:04"
			if apart >= 24*time.Hour {
				layout = "2 January 15:04"
			}
			words = "its runs at " + earlier.Format(layout) + " and " + later.Format(layout) + " are %s apart"
		}
	}
	if apart >= shortest {
		return nil
	}
	// The interval is in whole seconds, as @every must be.
	least := brief((shortest + time.Second - 1).Truncate(time.Second))
	return badSchedule(fmt.Sprintf(words, brief(apart)), "runs at least "+least+" apart, such as @every "+least)
}

// cronFields are the five fields in their order, in words, with what the parser accepts.
var cronFields = [...]struct{ name, accepted string }{
	{"minute", "0 to 59"},
	{"hour", "0 to 23"},
	{"day of the month", "1 to 31"},
	{"month", "1 to 12 or jan to dec"},
	{"day of the week", "0 (Sunday) to 6 or sun to sat"},
}

func (s *Schedule) parseExpression() error {
	descriptor, argument, _ := strings.Cut(s.expression, " ")
	switch {
	case strings.HasPrefix(s.expression, "tz="), strings.HasPrefix(s.expression, "cron_tz="):
		return badSchedule("it names a time zone", "the same without it, and the zone in Time zone")
	case descriptor == "@every":
		return s.parseEvery(argument)
	case descriptor[0] != '@':
		if err := checkFields(strings.Fields(s.expression)); err != nil {
			return err
		}
	case !slices.Contains([]string{"@hourly", "@daily", "@weekly", "@monthly"}, s.expression):
		return badSchedule(schemas.Quote(s.expression)+" is not a schedule", acceptedSchedules)
	}
	parsed, err := cron.ParseStandard(s.expression)
	if err != nil {
		return badSchedule(schemas.Quote(s.expression)+" is not a schedule", acceptedSchedules)
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return fmt.Errorf("the cron parser returned a %T for fields", parsed)
	}
	s.fields = *fields
	s.fields.Location = time.UTC
	// The horizon of the parser's own walk is five years, and every five from here have a leap day.
	if s.fields.Next(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return badSchedule(schemas.Quote(s.expression)+" never comes", "a day that the month has, such as 0 9 28 2 *")
	}
	return nil
}

// checkFields finds the field that the parser will refuse, to name it.
func checkFields(fields []string) error {
	if len(fields) != len(cronFields) {
		return badSchedule(schemas.Quote(strings.Join(fields, " "))+" is not five fields", acceptedSchedules)
	}
	for i, field := range fields {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = field
		if _, err := cron.ParseStandard(strings.Join(alone, " ")); err != nil || strings.Trim(field, ",") == "" {
			is := cronFields[i]
			return badSchedule("the "+is.name+" "+schemas.Quote(field)+" cannot be read", is.accepted+", with * , - and / as in cron")
		}
	}
	return nil
}

func (s *Schedule) parseEvery(argument string) error {
	every, err := time.ParseDuration(argument)
	if err != nil || every < time.Second || every%time.Second != 0 {
		return badSchedule(schemas.Quote(s.expression)+" has no interval of whole seconds", "@every with one such as 90s, 30m, 6h or 1h30m")
	}
	s.every = int64(every / time.Second)
	s.expression = "@every " + brief(every)
	return nil
}

func (s *Schedule) parseTimezone() error {
	if zoneForm.MatchString(s.timezone) && !notZones.MatchString(s.timezone) {
		if zone, err := time.LoadLocation(s.timezone); err == nil {
			s.zone = zone
			return nil
		}
	}
	return &schemas.FieldError{
		Field: "timezone", Label: "Time zone",
		Problem:  schemas.Quote(s.timezone) + " is not a time zone",
		Accepted: "an IANA name such as Europe/Berlin, America/New_York or UTC",
	}
}

func badSchedule(problem, accepted string) error {
	return &schemas.FieldError{Field: "schedule", Label: "Schedule", Problem: problem, Accepted: accepted}
}

// brief writes whole seconds without the units that are zero: 1h30m, not 1h30m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
