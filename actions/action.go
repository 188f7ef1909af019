// Package actions declares what users can ask Soke to do, one file an action. An action is
// stateless: a typed input goes in, one paid call is made, a typed output comes back.
//
// To add one, write a file with a method on declared; everything else (the HTTP endpoint, the
// schemas, OpenAPI and the exported packages) is rendered from what the method returns.
package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

// Action is one operation that a user runs when they want, and pays for when it succeeds.
type Action struct {
	// Key names the action in paths and packages: lower case with dashes.
	Key string
	// Title is what a menu shows, in title case; Description is one sentence in the third person.
	Title, Description string
	// Noun is the thing the action is about, in the singular: "Keyword". Platforms group by it.
	Noun string
	// Credits is what one successful call costs.
	Credits int
	// Slow tells that an answer may take longer than platforms wait for one (30 s), so that a
	// platform that can be called back should be.
	Slow bool
	// Input and Output describe both ends for forms and schemas.
	Input, Output *schemas.Form
	// Sample is a realistic output, shown before the first run.
	Sample any

	bind func(*schemas.Object) (Bound, error)
}

// Bound is an action with its input decoded and checked: nothing is left that a caller could
// have got wrong without Soke being asked.
type Bound struct {
	// Input is the typed input with its defaults filled in. Two calls that mean the same have
	// equal JSON here, however their forms spelt it.
	Input any

	run func(context.Context, *soke.Session) (any, error)
}

// Bind decodes a form into the action's input. Its errors are *schemas.FieldError.
func (a Action) Bind(form *schemas.Object) (Bound, error) { return a.bind(form) }

// Run makes the call and returns the action's output. Its errors are *soke.Error or
// *schemas.FieldError.
func (b Bound) Run(ctx context.Context, session *soke.Session) (any, error) {
	return b.run(ctx, session)
}

// declared carries the actions: each exported method without arguments that returns an Action
// declares one, in a file of its own.
type declared struct{}

// All returns every declared action, in the order of their method names.
func All() []Action {
	v := reflect.ValueOf(declared{})
	all := make([]Action, 0, v.NumMethod())
	for i := range v.NumMethod() {
		all = append(all, v.Method(i).Interface().(func() Action)())
	}
	return all
}

// New completes a declaration with its typed input and output and what it does. It panics when
// the types cannot be expressed as a form, which a test of the catalogue finds long before a user.
func New[In, Out any](a Action, run func(context.Context, *soke.Session, In) (Out, error)) Action {
	var err error
	if a.Input, err = schemas.Input[In](); err != nil {
		panic(fmt.Sprintf("action %s: input: %v", a.Key, err))
	}
	if a.Output, err = schemas.Output[Out](); err != nil {
		panic(fmt.Sprintf("action %s: output: %v", a.Key, err))
	}
	a.bind = func(form *schemas.Object) (Bound, error) {
		in, err := schemas.Decode[In](form)
		if err != nil {
			return Bound{}, err
		}
		return Bound{Input: in, run: func(ctx context.Context, s *soke.Session) (any, error) {
			return run(ctx, s, in)
		}}, nil
	}
	return a
}

// object is free-form JSON of Soke's that an output passes on unchanged.
type object = map[string]json.RawMessage
