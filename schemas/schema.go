package schemas

import (
	"encoding/json"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
)

// schema describes p as an object: closed for an input, open for an output.
func (p *plan) schema(way direction) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{}, PropertyOrder: p.names}
	if way == input {
		s.AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{}}
	}
	for _, f := range p.fields {
		s.Properties[f.name] = f.schema(way)
		if f.always(way) {
			s.Required = append(s.Required, f.name)
		}
	}
	p.exclusions(s)
	return s
}

// always reports whether an input must have the field, or an output surely has it.
func (f *field) always(way direction) bool {
	if way == output {
		return !f.optional
	}
	return f.required && f.fallback == nil
}

// exclusions says which fields replace or exclude one another, in the keywords that every
// validator knows: oneOf for exactly one of two, anyOf for at least one, not for never both.
func (p *plan) exclusions(s *jsonschema.Schema) {
	var all []*jsonschema.Schema
	for _, f := range p.fields {
		instead, besides := f.param("required_without"), f.param("excluded_with")
		if len(instead) == 1 && len(besides) == 1 && instead[0] == besides[0] {
			all = append(all, &jsonschema.Schema{OneOf: []*jsonschema.Schema{having(f.name), having(p.sibling(f, instead[0]).name)}})
			continue
		}
		if instead != nil {
			all = append(all, &jsonschema.Schema{AnyOf: []*jsonschema.Schema{having(f.name), having(p.jsonNames(f, instead)...)}})
		}
		for _, name := range p.jsonNames(f, besides) {
			all = append(all, &jsonschema.Schema{Not: having(f.name, name)})
		}
	}
	if len(all) == 1 {
		s.OneOf, s.AnyOf, s.Not = all[0].OneOf, all[0].AnyOf, all[0].Not
		return
	}
	s.AllOf = all
}

func having(names ...string) *jsonschema.Schema { return &jsonschema.Schema{Required: names} }

// param returns the field names that a rule of f lists, in Go's spelling.
func (f *field) param(tag string) []string {
	for _, r := range f.rules {
		if r.tag == tag {
			return choices(r.param)
		}
	}
	return nil
}

func (p *plan) jsonNames(f *field, names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, p.sibling(f, name).name)
	}
	return all
}

// schema describes one field with its words.
func (f *field) schema(way direction) *jsonschema.Schema {
	s := f.bare(way)
	s.Title = f.label
	s.Description = f.help
	if f.defaultValue != nil {
		s.Default = encoded(f.defaultValue)
	}
	if f.exampleValue != nil {
		s.Examples = []any{f.exampleValue}
	}
	if f.secret {
		s.WriteOnly = true
		if s.Format == "" && s.Type == "string" {
			s.Format = "password"
		}
	}
	if f.nullable && way == output && s.Type != "" {
		s.Types, s.Type = []string{s.Type, "null"}, ""
	}
	return s
}

// encoded is the JSON of a value that was decoded from JSON, which cannot fail.
func encoded(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// bare describes what a field holds, without words.
func (f *field) bare(way direction) *jsonschema.Schema {
	switch f.kind {
	case String, Text:
		return &jsonschema.Schema{
			Type: "string", Enum: f.choices(), Pattern: f.pattern, Format: f.format,
			MinLength: size(f.min), MaxLength: size(f.max),
		}
	case Integer, Number, Boolean:
		return &jsonschema.Schema{Type: string(f.kind), Enum: f.choices(), Minimum: f.min, Maximum: f.max}
	case Datetime:
		return &jsonschema.Schema{Type: "string", Format: f.format}
	case List, Objects:
		return &jsonschema.Schema{Type: "array", Items: f.elem.bare(way), MinItems: size(f.min), MaxItems: size(f.max)}
	case Group:
		if f.plan != nil {
			return f.plan.schema(way)
		}
		return &jsonschema.Schema{Type: "object"}
	default:
		return &jsonschema.Schema{}
	}
}

func (f *field) choices() []any {
	var all []any
	for _, c := range f.enum {
		if n, err := strconv.ParseInt(c, 10, 64); err == nil && f.kind == Integer {
			all = append(all, n)
			continue
		}
		all = append(all, c)
	}
	return all
}

func size(n *float64) *int {
	if n == nil {
		return nil
	}
	i := int(*n)
	return &i
}
