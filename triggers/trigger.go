package triggers

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/schemas"
)

// Trigger is one kind of event that users can be told about.
type Trigger struct {
	// Key names the trigger in paths and packages: lower case with dashes.
	Key string
	// Title is what a menu shows, in title case; Description reads "Triggers when ….".
	Title, Description string
	// Noun is the thing an event is about, in the singular.
	Noun string
	// Credits is what one run of the watch behind it costs: a research. New fills it in.
	Credits int
	// Input and Output describe the form and an event.
	Input, Output *schemas.Form
	// Silence says, as a clause, why it may have reported nothing of a keyword that its watch knows.
	Silence string
	// Sample holds one to three realistic events.
	Sample []any

	bind func(*schemas.Object) (Bound, error)
	rule func(parameters json.RawMessage) (Rule, error)
}

// Bound is a trigger's input, decoded and checked.
type Bound struct {
	Research actions.ResearchInput
	Schedule Schedule
	// Parameters is canonical JSON of what belongs to the trigger and not to the watch.
	Parameters json.RawMessage
}

// Bind decodes a form. Its errors are *schemas.FieldError.
func (t Trigger) Bind(form *schemas.Object) (Bound, error) { return t.bind(form) }

// Rule returns the trigger's rule under stored parameters.
func (t Trigger) Rule(parameters json.RawMessage) (Rule, error) { return t.rule(parameters) }

// WatchInput is what every trigger asks: the research, and when to repeat it.
type WatchInput struct {
	actions.ResearchInput
	Schedule string `json:"schedule,omitempty" title:"Schedule" help:"How often to research: @hourly, @daily, @weekly, @monthly, @every 6h, or a cron expression such as 0 9 * * 1. Each run costs credits." default:"@daily" example:"@daily" validate:"omitempty,max=500"`
	Timezone string `json:"timezone,omitempty" title:"Time zone" help:"The IANA time zone that the schedule is read in, for example Europe/Berlin." default:"UTC" example:"UTC" validate:"omitempty,max=100"`
}

// declared carries the triggers: each exported method without arguments that returns a Trigger
// declares one, in a file of its own.
type declared struct{}

// All returns every declared trigger, in the order of their method names.
func All() []Trigger {
	v := reflect.ValueOf(declared{})
	all := make([]Trigger, 0, v.NumMethod())
	for i := range v.NumMethod() {
		all = append(all, v.Method(i).Interface().(func() Trigger)())
	}
	return all
}

// New completes a declaration with its typed input, what of it are the trigger's own parameters,
// the shape of its events and its rule. It panics when the types cannot be expressed as a form,
// which a test of the catalogue finds long before a user.
func New[In, Parameters, Body any](t Trigger, split func(In) (WatchInput, Parameters), rule func(Parameters) Rule) Trigger {
	t.Credits = actions.ResearchCredits
	var err error
	if t.Input, err = schemas.Input[In](); err != nil {
		panic(fmt.Sprintf("trigger %s: input: %v", t.Key, err))
	}
	if t.Output, err = schemas.Output[Body](); err != nil {
		panic(fmt.Sprintf("trigger %s: output: %v", t.Key, err))
	}
	t.bind = func(form *schemas.Object) (Bound, error) {
		in, err := schemas.Decode[In](form)
		if err != nil {
			return Bound{}, err
		}
		watch, parameters := split(in)
		schedule, err := ParseSchedule(watch.Schedule, watch.Timezone)
		if err != nil {
			return Bound{}, err
		}
		encoded, err := json.Marshal(parameters)
		if err != nil {
			return Bound{}, fmt.Errorf("encoding the parameters of %s: %w", t.Key, err)
		}
		return Bound{Research: watch.ResearchInput, Schedule: schedule, Parameters: encoded}, nil
	}
	t.rule = func(encoded json.RawMessage) (Rule, error) {
		var parameters Parameters
		if err := json.Unmarshal(encoded, &parameters); err != nil {
			return Rule{}, fmt.Errorf("decoding the parameters of %s: %w", t.Key, err)
		}
		return rule(parameters), nil
	}
	return t
}

// none is the parameters of a trigger that has none of its own.
type none struct{}

// watchOnly splits an input that has no parameters of its own.
func watchOnly(in WatchInput) (WatchInput, none) { return in, none{} }
