package schemas

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// Kind is what a field holds, in the terms in which platforms choose an input element.
type Kind string

// Kinds of fields.
const (
	String   Kind = "string"
	Text     Kind = "text" // a string of several lines
	Integer  Kind = "integer"
	Number   Kind = "number"
	Boolean  Kind = "boolean"
	List     Kind = "list"     // of scalars, or of anything
	Objects  Kind = "objects"  // a list of objects with known fields
	Group    Kind = "object"   // with known fields, or with any where Fields is empty
	Datetime Kind = "datetime" // RFC 3339
	Any      Kind = "any"      // JSON that is passed on unread
)

// Form describes an input or an output twice over: as JSON Schema for machines and as fields in
// the order of their declaration for forms. It is made once per type and shared: do not change it.
type Form struct {
	// Schema is draft 2020-12. An input's is closed, an output's is open.
	Schema *jsonschema.Schema
	Fields []Field
}

// Alternatives returns the fields of an input of which exactly one must be given, in the order of
// their declaration; nil if there are none.
func (f *Form) Alternatives() []string {
	var names []string
	for _, s := range f.Schema.OneOf {
		if len(s.Required) == 1 {
			names = append(names, s.Required[0])
		}
	}
	return names
}

// Labelled names a fault of ParseObject's, which knows no form, by the labels of this one. An error
// of another kind, or of a field that the form does not have, is returned as it is.
func (f *Form) Labelled(err error) error {
	var fault *FieldError
	if !errors.As(err, &fault) || fault.Field == "" {
		return err
	}
	fields, labels := f.Fields, []string(nil)
	for segment := range strings.SplitSeq(fault.Field, ".") {
		name, item, inList := strings.Cut(segment, "[")
		at := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
		if at < 0 {
			return err
		}
		labels = append(labels, fields[at].Label)
		if index, err := strconv.Atoi(strings.TrimSuffix(item, "]")); inList && err == nil {
			labels = append(labels, itemLabel(index))
		}
		fields = fields[at].Fields
	}
	labelled := *fault
	labelled.Label = cut(strings.Join(labels, ", "), maxPath)
	return &labelled
}

// Field is one input or output as a form shows it.
type Field struct {
	Name, Label, Help string
	Kind              Kind
	// Default and Example are nil, or Go values that encode to the JSON of this field.
	Default, Example any
	// Required means that an input must be given, or that an output is always there.
	Required bool
	// Advanced fields may be folded away, Hidden ones left out of forms.
	Advanced, Hidden bool
	// Secret values are masked by forms and quoted in no error.
	Secret bool
	// Enum lists the only values; nil where there are others.
	Enum []string
	// Min and Max bound a number itself, a text's length in characters or a list's in items.
	Min, Max *float64
	// Fields are the children of an object, or of each of a list of objects.
	Fields []Field
}

// Input derives the form of an input type. The error names what the type or its tags cannot
// express: unsupported types, defaults that break their own rules, rules that panic.
func Input[T any]() (*Form, error) { return formOf(reflect.TypeFor[T](), input) }

// Output derives the form of an output type. Rules in validate tags play no part in it. The tags
// of a type with a MarshalJSON of its own must tell what that writes.
func Output[T any]() (*Form, error) { return formOf(reflect.TypeFor[T](), output) }

func formOf(t reflect.Type, way direction) (*Form, error) {
	p, err := planOf(t, way)
	if err != nil {
		return nil, err
	}
	return p.form, nil
}
