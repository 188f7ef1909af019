package make

import "fmt"

// idempotencyKey is what an action has besides its own fields. App code in Make knows no ID that
// outlives the repetition of a run, so it is the user who maps one.
func idempotencyKey() parameter {
	return parameter{
		Name: "idempotencyKey", Type: "text", Label: "Idempotency key", Advanced: true,
		Help:     "Repeating a call with the same key within 24 hours returns the first answer and costs no credits. Map what is unique to the work at hand. For example, the ID of the record that started the run.",
		Validate: &limits{Max: new(255.0)},
	}
}

// pollLimit is how many bundles a polling trigger puts out in one run; Make keeps the rest for the
// next.
func pollLimit() parameter {
	return parameter{
		Name: "limit", Type: "uinteger", Label: "Limit", Required: true, Default: 10,
		Help: "The maximum number of results to be worked with during one execution cycle.", Validate: &limits{Min: new(1.0)},
	}
}

// countField is the input that says how many things an operation returns.
const countField = "maxResults"

// searchLimitField is Make's own field for that, with what it means to the connector.
type searchLimitField struct {
	parameter
	// expression is what is sent as the operation's count.
	expression string
}

// searchLimit keeps people from asking for none: Make takes a limit of 0 for a fault of the scenario
// that switches it off.
func searchLimit() searchLimitField {
	return searchLimitField{parameter: parameter{
		Name: "limit", Type: "uinteger", Label: "Limit", Default: 10,
		Help: "The maximum number of results to return. Leave it empty for all.", Validate: &limits{Min: new(1.0)},
	}}
}

// upTo keeps what is sent within the operation's own bounds: people may ask for more than there
// can be, and get all.
func (l searchLimitField) upTo(bounds *limits) searchLimitField {
	l.expression = "{{parameters.limit}}"
	if bounds != nil && bounds.Max != nil {
		l.Help = fmt.Sprintf("The maximum number of results to return. Leave it empty for all, which are %g at most.", *bounds.Max)
		l.expression = fmt.Sprintf("{{min(ifempty(parameters.limit, %[1]g), %[1]g)}}", *bounds.Max)
	}
	return l
}
