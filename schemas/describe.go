package schemas

import (
	"slices"

	"github.com/google/jsonschema-go/jsonschema"
)

// describe returns p's fields as a form shows them.
func (p *plan) describe(way direction) []Field {
	all := make([]Field, 0, len(p.fields))
	for _, f := range p.fields {
		all = append(all, Field{
			Name: f.name, Label: f.label, Help: f.help, Kind: f.kind,
			Default: f.defaultValue, Example: f.exampleValue,
			Required: f.always(way), Advanced: f.advanced, Hidden: f.hidden, Secret: f.secret,
			Nullable: f.nullable && way == output,
			Enum:     slices.Clone(f.enum), Min: f.min, Max: f.max,
			Fields: f.children(way),
		})
	}
	return all
}

func (f *field) children(way direction) []Field {
	switch {
	case f.custom != nil:
		return fieldsOf(f.custom)
	case f.elem != nil:
		return f.elem.children(way)
	case f.plan != nil:
		return f.plan.describe(way)
	default:
		return nil
	}
}

// fieldsOf returns the fields of a type that describes itself by a schema.
func fieldsOf(s *jsonschema.Schema) []Field {
	if s.Items != nil {
		return fieldsOf(s.Items)
	}
	var all []Field
	for _, name := range propertyNames(s) {
		property := s.Properties[name]
		f := Field{
			Name: name, Label: property.Title, Help: property.Description, Kind: kindOf(property),
			Required: slices.Contains(s.Required, name), Secret: property.WriteOnly,
			Nullable: slices.Contains(property.Types, "null"),
			Min:      property.Minimum, Max: property.Maximum, Fields: fieldsOf(property),
		}
		if f.Label == "" {
			f.Label = name
		}
		if len(property.Examples) > 0 {
			f.Example = property.Examples[0]
		}
		all = append(all, f)
	}
	return all
}

// propertyNames returns the properties in their order, those without a place in it at the end.
func propertyNames(s *jsonschema.Schema) []string {
	names := make([]string, 0, len(s.Properties))
	for _, name := range s.PropertyOrder {
		if s.Properties[name] != nil {
			names = append(names, name)
		}
	}
	listed := len(names)
	for name := range s.Properties {
		if !slices.Contains(names[:listed], name) {
			names = append(names, name)
		}
	}
	slices.Sort(names[listed:])
	return names
}

// kindOf tells what a schema describes.
func kindOf(s *jsonschema.Schema) Kind {
	kind := s.Type
	for _, t := range s.Types {
		if t != "null" {
			kind = t
		}
	}
	switch {
	case kind == "string" && s.Format == "date-time":
		return Datetime
	case kind == "array" && s.Items != nil && kindOf(s.Items) == Group:
		return Objects
	case kind == "array":
		return List
	case kind == "object":
		return Group
	case kind == "":
		return Any
	default:
		return Kind(kind)
	}
}
