package make

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/usesoke/soke-connector/schemas"
)

// parameter is one entry of Make's parameters.json: a field of a form, or of what a module puts out.
type parameter struct {
	Name      string   `json:"name,omitempty"`
	Type      string   `json:"type"`
	Label     string   `json:"label,omitempty"`
	Help      string   `json:"help,omitempty"`
	Required  bool     `json:"required,omitempty"`
	Advanced  bool     `json:"advanced,omitempty"`
	Default   any      `json:"default,omitempty"`
	Multiline bool     `json:"multiline,omitempty"`
	Options   []option `json:"options,omitempty"`
	Validate  *limits  `json:"validate,omitempty"`
	// Spec is the fields of a collection, of each collection of an array, or one parameter that
	// describes each scalar of an array.
	Spec any `json:"spec,omitempty"`
}

type option struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// limits bound a number itself, a text's length or an array's items.
type limits struct {
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	MinItems *int     `json:"minItems,omitempty"`
	MaxItems *int     `json:"maxItems,omitempty"`
}

// inputs returns the form of an input in the order that Make's review asks for: required, then
// optional, then advanced.
func inputs(fields []schemas.Field) []parameter {
	all := []parameter{}
	for _, f := range fields {
		if !f.Hidden {
			all = append(all, input(f))
		}
	}
	return inOrder(all)
}

func inOrder(all []parameter) []parameter {
	place := func(p parameter) int {
		switch {
		case p.Required:
			return 0
		case p.Advanced:
			return 2
		default:
			return 1
		}
	}
	slices.SortStableFunc(all, func(a, b parameter) int { return cmp.Compare(place(a), place(b)) })
	return all
}

func input(f schemas.Field) parameter {
	p := parameter{
		Name: f.Name, Type: inputType(f), Label: f.Label, Help: help(f), Default: f.Default,
		Required: f.Required, Advanced: f.Advanced && !f.Required, Multiline: f.Kind == schemas.Text,
		Validate: bounds(f),
	}
	for _, value := range f.Enum {
		p.Options = append(p.Options, option{Label: spoken(value), Value: value})
	}
	switch f.Kind {
	case schemas.List:
		p.Spec = parameter{Type: "text", Label: f.Label}
	case schemas.Objects, schemas.Group:
		p.Spec = inputs(f.Fields)
	default:
	}
	return p
}

// inputType chooses the element of Make's forms. A time zone has one of its own, which spares
// people the spelling.
func inputType(f schemas.Field) string {
	switch {
	case len(f.Enum) > 0:
		return "select"
	case f.Secret:
		return "password"
	case chosen(f):
		return "timezone"
	default:
		return typeOf(f)
	}
}

// chosen tells that people pick a value from a list.
func chosen(f schemas.Field) bool {
	return len(f.Enum) > 0 || f.Kind == schemas.String && f.Name == "timezone"
}

// typeOf returns Make's type of what a field holds.
func typeOf(f schemas.Field) string {
	switch f.Kind {
	case schemas.String, schemas.Text:
		return "text"
	case schemas.Integer:
		if f.Min != nil && *f.Min >= 0 {
			return "uinteger"
		}
		return "integer"
	case schemas.Number:
		return "number"
	case schemas.Boolean:
		return "boolean"
	case schemas.List, schemas.Objects:
		return "array"
	case schemas.Group:
		return "collection"
	case schemas.Datetime:
		return "date"
	case schemas.Any:
		return "any"
	default:
		return "any"
	}
}

// help is the field's own text and, unless a default already shows what fits, an example.
func help(f schemas.Field) string {
	example := fmt.Sprint(f.Example)
	if f.Example == nil || len(f.Enum) > 0 || example == fmt.Sprint(f.Default) || strings.Contains(f.Help, "for example") {
		return f.Help
	}
	return strings.TrimSpace(f.Help + " For example, `" + example + "`.")
}

func bounds(f schemas.Field) *limits {
	if f.Min == nil && f.Max == nil || chosen(f) {
		return nil
	}
	if f.Kind == schemas.List || f.Kind == schemas.Objects {
		l := limits{MaxItems: whole(f.Max)}
		if f.Required {
			l.MinItems = whole(f.Min)
		}
		return &l
	}
	return &limits{Min: f.Min, Max: f.Max}
}

func whole(f *float64) *int {
	if f == nil {
		return nil
	}
	n := int(*f)
	return &n
}
