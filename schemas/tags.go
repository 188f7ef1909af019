package schemas

import (
	"fmt"
	"reflect"
	"strings"
)

// field reads a struct field's type and tags.
func (c *compiler) field(sf reflect.StructField) (*field, error) {
	f := &field{help: sf.Tag.Get("help")}
	name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
	f.name = name
	if name == "" {
		f.name = sf.Name
	}
	if f.label = sf.Tag.Get("title"); f.label == "" {
		f.label = f.name
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty", "omitzero":
			f.optional = true
		case "":
		default:
			return nil, fmt.Errorf("the json option %q cannot be expressed", option)
		}
	}
	if err := c.shape(f, sf.Type); err != nil {
		return nil, err
	}
	if err := f.readForm(sf.Tag.Get("form")); err != nil {
		return nil, err
	}
	if c.way == input {
		if err := f.readRules(sf.Tag.Get("validate")); err != nil {
			return nil, err
		}
	}
	f.settle()
	return f, f.readValues(sf.Tag)
}

func (f *field) readForm(tag string) error {
	for option := range strings.SplitSeq(tag, ",") {
		switch option {
		case "multiline":
			if f.kind != String {
				return fmt.Errorf("only a string can be multiline")
			}
			f.kind = Text
		case "upper":
			f.letters = strings.ToUpper
		case "lower":
			f.letters = strings.ToLower
		case "advanced":
			f.advanced = true
		case "hidden":
			f.hidden = true
		case "secret":
			f.secret = true
		case "clear":
			f.clear = true
		case "nullable":
			f.nullable = true
		case "":
		default:
			return fmt.Errorf("the form option %q is not known", option)
		}
	}
	if f.clear && (f.kind != String || f.secret) {
		return fmt.Errorf("only a string of one line that is no secret can be clear")
	}
	if f.letters != nil && f.kind != String && f.kind != Text {
		return fmt.Errorf("only a string can be upper or lower")
	}
	return nil
}

// readRules reads a validate tag: the field's own rules, and after dive those of its items.
func (f *field) readRules(tag string) error {
	at := f
	for part := range strings.SplitSeq(tag, ",") {
		if part == "" {
			continue
		}
		r := rule{tag: part}
		if !strings.Contains(part, "|") {
			r.tag, r.param, _ = strings.Cut(part, "=")
		}
		if r.tag == "dive" {
			if f.elem == nil || at != f {
				return fmt.Errorf("only a list can dive, once")
			}
			f.dives = true
			at = f.elem
			continue
		}
		at.rules = append(at.rules, r)
		narrow := checks[r.tag].narrow
		if narrow == nil {
			continue
		}
		if err := narrow(at, r.param); err != nil {
			return fmt.Errorf("validate %s: %w", part, err)
		}
	}
	return nil
}

// settle words what the field accepts, once all of it is known.
func (f *field) settle() {
	f.accepted = f.accepts()
	if f.elem != nil {
		f.elem.secret = f.secret
		f.elem.accepted = f.elem.accepts()
	}
}

// readValues reads the default and the example as a form would send them.
func (f *field) readValues(tag reflect.StructTag) error {
	if text, ok := tag.Lookup("default"); ok {
		n, value, err := f.written(text)
		if err != nil {
			return fmt.Errorf("default: %w", err)
		}
		f.fallback, f.defaultValue = &n, value
	}
	if text, ok := tag.Lookup("example"); ok {
		_, value, err := f.written(text)
		if err != nil {
			return fmt.Errorf("example: %w", err)
		}
		f.exampleValue = value
	}
	return nil
}

// written decodes a value that a tag holds.
func (f *field) written(text string) (node, any, error) {
	n := node{kind: textNode, text: text}
	if f.kind == Any {
		// What is not read is JSON already.
		var fault *FieldError
		if n, fault = parseNode([]byte(text)); fault != nil {
			return n, nil, fault
		}
	}
	v := reflect.New(f.typ).Elem()
	present, fault := f.decode(n, v)
	switch {
	case fault != nil:
		return n, nil, fault
	case !present:
		return n, nil, fmt.Errorf("it is blank")
	}
	return n, v.Interface(), f.judge(v, allRules)
}
