package triggers

import (
	"strings"
	"time"
	_ "time/tzdata" // zones do not depend on the machine

	"github.com/robfig/cron/v3"

	"github.com/usesoke/soke-connector/schemas"
)

// Schedule says when a watch runs: an expression of robfig/cron's standard parser, read in an IANA
// time zone.
type Schedule struct {
	expression, timezone string
}

// ParseSchedule returns a schedule, or a *schemas.FieldError.
func ParseSchedule(expression, timezone string) (Schedule, error) {
	s := Schedule{strings.Join(strings.Fields(expression), " "), timezone}
	if strings.Contains(s.expression, "TZ=") {
		return Schedule{}, &schemas.FieldError{Field: "schedule", Label: "Schedule", Problem: "it names a time zone", Accepted: "an expression without one; use Time zone"}
	}
	if _, err := cron.ParseStandard(s.expression); err != nil {
		return Schedule{}, &schemas.FieldError{Field: "schedule", Label: "Schedule", Problem: schemas.Quote(s.expression) + " is not a schedule", Accepted: "five cron fields, @hourly, @daily, @weekly, @monthly or @every 6h"}
	}
	if _, err := time.LoadLocation(timezone); err != nil || timezone == "" || timezone == "Local" {
		return Schedule{}, &schemas.FieldError{Field: "timezone", Label: "Time zone", Problem: schemas.Quote(timezone) + " is not a time zone", Accepted: "an IANA name such as Europe/Berlin"}
	}
	return s, nil
}

// Expression returns the normal form of the expression.
func (s Schedule) Expression() string { return s.expression }

// Timezone returns the IANA name of the zone.
func (s Schedule) Timezone() string { return s.timezone }
