package schemas

import "slices"

// describe returns p's fields as a form shows them.
func (p *plan) describe(way direction) []Field {
	all := make([]Field, 0, len(p.fields))
	for _, f := range p.fields {
		all = append(all, Field{
			Name: f.name, Label: f.label, Help: f.help, Kind: f.kind,
			Default: f.defaultValue, Example: f.exampleValue,
			Required: f.always(way), Advanced: f.advanced, Hidden: f.hidden, Secret: f.secret,
			Enum: slices.Clone(f.enum), Min: f.min, Max: f.max,
			Fields: f.children(way),
		})
	}
	return all
}

func (f *field) children(way direction) []Field {
	switch {
	case f.elem != nil:
		return f.elem.children(way)
	case f.plan != nil:
		return f.plan.describe(way)
	default:
		return nil
	}
}
