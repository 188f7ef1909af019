package schemas

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// rule is one entry of a validate tag.
type rule struct{ tag, param string }

func (r rule) String() string {
	if r.param == "" {
		return r.tag
	}
	return r.tag + "=" + r.param
}

// check is all that is known of one validator: how it narrows what a field is described to accept,
// and the sentence for a value that it refuses.
type check struct {
	// narrow may be nil: the schema then says nothing of the rule, and the validator still judges.
	narrow func(f *field, param string) error
	// across tells rules that look at other fields.
	across bool
	// say returns the problem and, where it is not simply what the field accepts, what would be right.
	say func(s subject) (problem, accepted string)
}

// subject is what a sentence is about.
type subject struct {
	field   *field
	value   string // described for a message, "the value" for a secret
	param   string
	size    int    // of a text in characters or a list in items
	partner string // labels of the other fields
}

// checks is the one table of validators. A tag that is not in it is still judged; its sentence is
// then a generic one.
var checks = map[string]check{
	"omitempty": {},
	"required":  {narrow: require, say: missing},
	"min":       {narrow: atLeast, say: tooSmall},
	"max":       {narrow: atMost, say: tooLarge},
	"oneof":     {narrow: oneOf, say: is("not one of the choices")},

	"iso3166_1_alpha2": {narrow: pattern(`^[A-Z]{2}$`, "a two-letter country code such as US"), say: is("not a country code")},

	"required_without": {across: true, say: missingAlso},
	"excluded_with":    {across: true, say: excluded},
}

// sentence words a refusal, with a generic but correct sentence for tags without one of their own.
func sentence(r rule, s subject) (problem, accepted string) {
	if say := checks[r.tag].say; say != nil {
		problem, accepted = say(s)
	} else {
		problem = fmt.Sprintf("%s does not pass the rule %s", s.value, plain(r.String()))
	}
	if accepted == "" {
		accepted = s.field.accepted
	}
	return problem, accepted
}

func is(what string) func(subject) (string, string) {
	return func(s subject) (string, string) { return s.value + " is " + what, "" }
}

func missing(subject) (string, string) { return "it is missing", "" }

func missingAlso(s subject) (string, string) {
	return "it is missing, and so is " + s.partner, "a value here or in " + s.partner
}

func excluded(s subject) (string, string) {
	return "it cannot be used together with " + s.partner, "a value here or in " + s.partner + ", not in both"
}

func tooSmall(s subject) (string, string) { return s.compare("less", "shorter", "fewer") }
func tooLarge(s subject) (string, string) { return s.compare("more", "longer", "more") }

func (s subject) compare(number, text, list string) (string, string) {
	switch s.field.kind {
	case String, Text:
		return fmt.Sprintf("%s is %s than %s", s.value, text, count(s.param, "character")), ""
	case List, Objects:
		return fmt.Sprintf("it has %s, %s than %s", count(strconv.Itoa(s.size), "item"), list, s.param), ""
	default:
		return fmt.Sprintf("%s is %s than %s", s.value, number, s.param), ""
	}
}

// count returns "1 item" or "2 items".
func count(n, noun string) string {
	if n == "1" {
		return n + " " + noun
	}
	return n + " " + noun + "s"
}

func require(f *field, _ string) error {
	f.required = true
	switch f.kind {
	case Boolean:
		return fmt.Errorf("required refuses false; use a *bool")
	case String, Text, List, Objects:
		if !f.pointer && (f.min == nil || *f.min < 1) {
			one := 1.0
			f.min = &one
		}
	}
	return nil
}

func bound(f *field, param string) (*float64, error) {
	n, err := strconv.ParseFloat(param, 64)
	if err != nil {
		return nil, err
	}
	switch f.kind {
	case Boolean, Any, Datetime, Group:
		return nil, fmt.Errorf("a field of kind %s has no size", f.kind)
	}
	return &n, nil
}

func atLeast(f *field, param string) (err error) { f.min, err = bound(f, param); return err }
func atMost(f *field, param string) (err error)  { f.max, err = bound(f, param); return err }

var choice = regexp.MustCompile(`'[^']*'|\S+`)

// choices splits a oneof parameter as the validator does.
func choices(param string) []string {
	all := choice.FindAllString(param, -1)
	for i, c := range all {
		all[i] = strings.ReplaceAll(c, "'", "")
	}
	return all
}

func oneOf(f *field, param string) error {
	switch f.kind {
	case String, Text, Integer:
		f.enum = choices(param)
		return nil
	default:
		return fmt.Errorf("a field of kind %s has no choices", f.kind)
	}
}

func textOnly(f *field) error {
	if f.kind != String && f.kind != Text {
		return fmt.Errorf("only a string can be checked so")
	}
	return nil
}

func pattern(expression, noun string) func(*field, string) error {
	return func(f *field, _ string) error {
		f.pattern, f.noun = expression, noun
		return textOnly(f)
	}
}

// accepts words what a field takes: the second half of its errors.
func (f *field) accepts() string {
	switch {
	case f.noun != "":
		return f.noun
	case f.enum != nil:
		return joined(f.enum, "or")
	}
	switch f.kind {
	case String, Text:
		return "text" + f.sized("character")
	case Integer:
		return "a whole number" + f.ranged()
	case Number:
		return "a number" + f.ranged()
	case Boolean:
		return "true or false"
	case List:
		return "a list" + f.sized("item")
	case Objects:
		return "a list" + f.sized("object")
	case Group:
		return "an object"
	case Datetime:
		return "a time such as 2026-11-02T09:00:00Z"
	default:
		return "any JSON"
	}
}

// joined lists a few names as a sentence does.
func joined(names []string, conjunction string) string {
	if len(names) > maxListed {
		names = append(append([]string(nil), names[:maxListed]...), "others")
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + conjunction + " " + names[last]
}

func (f *field) ranged() string {
	switch {
	case f.min != nil && f.max != nil:
		return " from " + digits(*f.min) + " to " + digits(*f.max)
	case f.min != nil:
		return " of at least " + digits(*f.min)
	case f.max != nil:
		return " of at most " + digits(*f.max)
	default:
		return ""
	}
}

func (f *field) sized(noun string) string {
	trivial := f.min == nil || *f.min <= 1
	switch {
	case f.min != nil && f.max != nil && *f.min == *f.max:
		return " of exactly " + count(digits(*f.max), noun)
	case f.max != nil && !trivial, f.max != nil && f.min != nil && noun != "character":
		return " of " + digits(*f.min) + " to " + count(digits(*f.max), noun)
	case f.max != nil:
		return " of at most " + count(digits(*f.max), noun)
	case !trivial:
		return " of at least " + count(digits(*f.min), noun)
	default:
		return ""
	}
}

func digits(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
