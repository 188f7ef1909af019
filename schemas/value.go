package schemas

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// decode reads n into v, of f's type. It reports false, and leaves v alone, for what counts as
// absent.
func (f *field) decode(n node, v reflect.Value) (bool, *FieldError) {
	if n.kind == nullNode || n.kind == textNode && strings.TrimSpace(n.text) == "" {
		return false, nil
	}
	switch f.kind {
	case String, Text:
		s, problem := f.text(n)
		v.SetString(s)
		return true, f.fault(problem)
	case Integer:
		i, problem := f.whole(n)
		v.SetInt(i)
		return true, f.fault(problem)
	case Number:
		x, problem := f.number(n)
		v.SetFloat(x)
		return true, f.fault(problem)
	case Boolean:
		b, problem := f.truth(n)
		v.SetBool(b)
		return true, f.fault(problem)
	case Datetime:
		t, problem := f.moment(n)
		v.Set(reflect.ValueOf(t))
		return true, f.fault(problem)
	case List:
		return f.list(n, v)
	case Objects:
		return f.objects(n, v)
	case Group:
		return true, f.object(n, v)
	default:
		return true, f.passOn(n, v)
	}
}

// fault makes an error of a problem, and none of "".
func (f *field) fault(problem string) *FieldError {
	if problem == "" {
		return nil
	}
	return &FieldError{Problem: problem, Accepted: f.accepted}
}

// passOn hands JSON on as it was sent.
func (f *field) passOn(n node, v reflect.Value) *FieldError {
	if v.Type() == rawType {
		v.SetBytes(bytes.Clone(n.raw))
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(n.raw))
	d.UseNumber()
	if err := d.Decode(v.Addr().Interface()); err != nil {
		return f.fault(f.value(n) + " does not fit")
	}
	return nil
}

// list reads an array or one separated string; blank items are dropped.
func (f *field) list(n node, v reflect.Value) (bool, *FieldError) {
	var items []node
	switch {
	case n.kind == listNode:
		items = n.items
	case n.kind == objectNode || f.elem.kind == Any:
		return true, f.fault(f.value(n) + " is not a list")
	default:
		for _, part := range strings.FieldsFunc(n.text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
			items = append(items, node{kind: textNode, text: part})
		}
	}
	return f.fillList(items, v)
}

// objects reads a list of objects, one object, or a string that holds either as JSON.
func (f *field) objects(n node, v reflect.Value) (bool, *FieldError) {
	n, fault := f.unwrapped(n)
	switch {
	case fault != nil:
		return true, fault
	case n.kind == objectNode:
		return f.fillList([]node{n}, v)
	case n.kind == listNode:
		return f.fillList(n.items, v)
	default:
		return true, f.fault(f.value(n) + " is not a list of objects")
	}
}

func (f *field) fillList(items []node, v reflect.Value) (bool, *FieldError) {
	if len(items) == 0 {
		return false, nil
	}
	all := reflect.MakeSlice(f.typ, len(items), len(items))
	used := 0
	for i, item := range items {
		present, fault := f.elem.decode(item, all.Index(used))
		if fault == nil && !present && f.kind == Objects {
			fault = f.elem.fault("it is empty")
		}
		if fault != nil {
			return true, fault.underItem(i)
		}
		if present {
			used++
		}
	}
	if used == 0 {
		return false, nil
	}
	v.Set(all.Slice3(0, used, used))
	return true, nil
}

// object reads an object, or a string that holds one as JSON.
func (f *field) object(n node, v reflect.Value) *FieldError {
	n, fault := f.unwrapped(n)
	switch {
	case fault != nil:
		return fault
	case n.kind != objectNode:
		return f.fault(f.value(n) + " is not an object")
	case f.plan != nil:
		return f.plan.fill(n.members, f.plan.names, true, v)
	default:
		return f.passOn(n, v)
	}
}

// unwrapped returns the JSON that a string holds, and anything else as it is.
func (f *field) unwrapped(n node) (node, *FieldError) {
	if n.kind != textNode {
		return n, nil
	}
	inner, fault := parseNode([]byte(n.text))
	if fault != nil && fault.Field == "" {
		fault.Accepted = f.accepted
	}
	return inner, fault
}
