package schemas

import (
	"reflect"
)

// Take decodes the fields of T out of o and leaves the others to Decode: what surrounds an input,
// such as a limit or a target URL. The names of T stay known to o for its hints. Leniency and
// errors are those of Decode.
func Take[T any](o *Object) (T, error) {
	v, p, err := read[T](o, false)
	if err != nil {
		return v, err
	}
	var rest []member
	for _, m := range o.members {
		if _, known := p.byName[m.name]; !known {
			rest = append(rest, m)
		}
	}
	o.members = rest
	o.taken = append(o.taken, p.names...)
	return v, nil
}

// Decode reads all that is left of o into a T and validates it.
//
// Forms send blanks and strings, so: "" or blanks or null count as absent, and an absent field
// takes its default; texts are trimmed; a number or a boolean may be a string ("5", " 5 ", "5.0",
// "+.5", "yes", "off") and a boolean 0 or 1; a number or a boolean for a string becomes its text; a list
// may be one string, separated by commas or line ends, and a list without items counts as absent;
// a list of objects may be one object or a string of JSON, and an object a string of JSON. Whole
// numbers may be written 20.0 or 2e1. Everything else is refused, control characters in texts and
// names that T does not have included.
//
// What a caller can get wrong comes back as a *FieldError; any other error says that Input would
// refuse T itself.
func Decode[T any](o *Object) (T, error) {
	v, _, err := read[T](o, true)
	return v, err
}

func read[T any](o *Object, all bool) (T, *plan, error) {
	var v, zero T
	p, err := planOf(reflect.TypeFor[T](), input)
	if err != nil {
		return zero, nil, err
	}
	known := p.names
	if len(o.taken) > 0 {
		known = append(append([]string(nil), p.names...), o.taken...)
	}
	if fault := p.fill(o.members, known, all, reflect.ValueOf(&v).Elem()); fault != nil {
		return zero, nil, fault
	}
	if err := p.validate(&v); err != nil {
		return zero, nil, err
	}
	return v, p, nil
}

// fill decodes members into a struct of p's type. With all set a stranger among them is an error;
// known is what its hint may name.
func (p *plan) fill(members []member, known []string, all bool, into reflect.Value) *FieldError {
	var few [24]*node
	given := few[:]
	if len(p.fields) > len(few) {
		given = make([]*node, len(p.fields))
	}
	for i := range members {
		m := &members[i]
		if at, ok := p.byName[m.name]; ok {
			given[at] = &m.value
		} else if all {
			e := &FieldError{Problem: "there is no field of this name", Accepted: Nearest(m.name, known)}
			name := plain(m.name)
			return e.under(name, Quote(m.name))
		}
	}
	for i, f := range p.fields {
		if fault := f.fill(given[i], into.FieldByIndex(f.index)); fault != nil {
			return fault.under(f.name, f.label)
		}
	}
	return nil
}

// fill decodes one field, or its default when n is absent or blank.
func (f *field) fill(n *node, into reflect.Value) *FieldError {
	v := into
	if f.pointer {
		v = reflect.New(f.typ).Elem()
	}
	present := false
	if n != nil {
		var fault *FieldError
		if present, fault = f.decode(*n, v); fault != nil {
			return fault
		}
	}
	if !present {
		switch {
		case f.fallback != nil:
			if _, fault := f.decode(*f.fallback, v); fault != nil {
				return fault
			}
		case f.pointer:
			return nil
		case f.plan != nil:
			return f.plan.fill(nil, nil, true, v)
		}
	}
	if f.pointer && (present || f.fallback != nil) {
		into.Set(v.Addr())
	}
	return nil
}
