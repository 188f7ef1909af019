package platform

import (
	"strings"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

// Catalogue is every operation there is.
type Catalogue struct {
	Actions  []actions.Action
	Triggers []triggers.Trigger
}

// Action returns the action with a key, or an *UnknownError.
func (c Catalogue) Action(key string) (actions.Action, error) {
	keys := make([]string, 0, len(c.Actions))
	for _, a := range c.Actions {
		if a.Key == key {
			return a, nil
		}
		keys = append(keys, a.Key)
	}
	return actions.Action{}, &UnknownError{Kind: "action", Key: key, Nearest: schemas.Nearest(key, keys)}
}

// Trigger returns the trigger with a key, or an *UnknownError.
func (c Catalogue) Trigger(key string) (triggers.Trigger, error) {
	keys := make([]string, 0, len(c.Triggers))
	for _, t := range c.Triggers {
		if t.Key == key {
			return t, nil
		}
		keys = append(keys, t.Key)
	}
	return triggers.Trigger{}, &UnknownError{Kind: "trigger", Key: key, Nearest: schemas.Nearest(key, keys)}
}

// Listed returns the output of an action that is a list of the things that it is about.
func Listed(a actions.Action) (schemas.Field, bool) {
	want := strings.ReplaceAll(Plural(a.Noun), " ", "")
	for _, f := range a.Output.Fields {
		if f.Kind == schemas.Objects && strings.EqualFold(f.Name, want) {
			return f, true
		}
	}
	return schemas.Field{}, false
}

// UnknownError refuses a key that the catalogue does not have.
type UnknownError struct {
	Kind string // "action" or "trigger"
	Key  string
	// Nearest is a clause that names the keys there are, the most similar one first.
	Nearest string
}

// Error returns the refusal as a sentence.
func (e *UnknownError) Error() string {
	return "There is no " + e.Kind + " " + schemas.Quote(e.Key) + "; " + e.Nearest + "."
}
