package make

import (
	"maps"
	"slices"
	"time"

	"github.com/usesoke/soke-connector/schemas"
)

// outputs returns the interface of a module: the declared fields and, behind them, what only the
// samples show. Soke sends more than it documents, and what is not in an interface cannot be mapped
// before a first run.
func outputs(fields []schemas.Field, samples []any) []parameter {
	all := []parameter{}
	declared := map[string]bool{}
	for _, f := range fields {
		declared[f.Name] = true
		if !f.Hidden {
			all = append(all, outputOf(f, under(samples, f.Name)))
		}
	}
	for _, name := range names(samples) {
		if !declared[name] {
			all = append(all, guess(name, under(samples, name)))
		}
	}
	return all
}

func outputOf(f schemas.Field, samples []any) parameter {
	p := parameter{Name: f.Name, Type: typeOf(f), Label: f.Label}
	switch f.Kind {
	case schemas.Any:
		p = guess(f.Name, samples)
		p.Label = f.Label
	case schemas.Objects:
		p.Spec = fieldsOrNil(outputs(f.Fields, items(samples)))
	case schemas.Group:
		p.Spec = fieldsOrNil(outputs(f.Fields, samples))
	case schemas.List:
		p.Spec = itemSpec(samples)
	default:
	}
	return p
}

// guess describes a value by its samples alone.
func guess(name string, samples []any) parameter {
	p := parameter{Name: name, Type: "any", Label: spoken(name)}
	for _, s := range samples {
		switch v := s.(type) {
		case string:
			p.Type = "text"
			if _, err := time.Parse(time.RFC3339, v); err == nil {
				p.Type = "date"
			}
		case float64:
			p.Type = "number"
		case bool:
			p.Type = "boolean"
		case []any:
			p.Type, p.Spec = "array", itemSpec(samples)
		case map[string]any:
			p.Type, p.Spec = "collection", fieldsOrNil(outputs(nil, samples))
		default: // null tells nothing
			continue
		}
		break
	}
	return p
}

// itemSpec describes the items of arrays; nil where no sample has one.
func itemSpec(samples []any) any {
	all := items(samples)
	if len(all) == 0 {
		return nil
	}
	item := guess("item", all)
	if item.Type == "collection" {
		return item.Spec
	}
	return parameter{Type: item.Type, Label: item.Label}
}

// fieldsOrNil keeps an empty list of fields out of the files: Make reads it as a collection that
// has none.
func fieldsOrNil(all []parameter) any {
	if len(all) == 0 {
		return nil
	}
	return all
}

// under returns the values that samples have under a name.
func under(samples []any, name string) []any {
	var all []any
	for _, s := range samples {
		if o, ok := s.(map[string]any); ok && o[name] != nil {
			all = append(all, o[name])
		}
	}
	return all
}

// names returns every name in samples, sorted.
func names(samples []any) []string {
	all := map[string]bool{}
	for _, s := range samples {
		if o, ok := s.(map[string]any); ok {
			for name := range o {
				all[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// items returns the items of all lists among samples.
func items(samples []any) []any {
	var all []any
	for _, s := range samples {
		if list, ok := s.([]any); ok {
			all = append(all, list...)
		}
	}
	return all
}

// first returns the first of a list, nil where there is none.
func first(all []any) any {
	if len(all) == 0 {
		return nil
	}
	return all[0]
}
