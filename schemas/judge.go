package schemas

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
)

// judge is the validator of every input. It is safe for concurrent use and only ever caches what
// the types say.
var judge = validator.New(validator.WithRequiredStructEnabled())

// validate holds a decoded struct, given by pointer, to its rules and words the first refusal.
func (p *plan) validate(v any) error {
	err := judge.Struct(v)
	if err == nil {
		return nil
	}
	var refusals validator.ValidationErrors
	if !errors.As(err, &refusals) || len(refusals) == 0 {
		return fmt.Errorf("validating %v: %w", p.typ, err)
	}
	first := refusals[0]
	path := first.StructNamespace()
	if name := p.typ.Name(); name != "" {
		path = strings.TrimPrefix(path, name+".")
	}
	return p.word(path, first)
}

// word finds the field at a Go path below p, such as Messages[2].Role, and says what is wrong.
func (p *plan) word(path string, refusal validator.FieldError) *FieldError {
	f, index, rest := p.resolve(path)
	if f == nil {
		return &FieldError{Problem: "a field does not pass the rule " + plain(refusal.Tag())}
	}
	var e *FieldError
	switch {
	case rest != "" && f.plan != nil:
		e = f.plan.word(rest, refusal)
	case rest != "" && f.elem != nil && f.elem.plan != nil:
		e = f.elem.plan.word(rest, refusal)
	case index >= 0:
		e = f.elem.refused(p, f, refusal)
	default:
		e = f.refused(p, f, refusal)
	}
	if index >= 0 {
		e = e.underItem(index)
	}
	return e.under(f.name, f.label)
}

// resolve follows path through embedded structs to a field; index is -1 where the path has none.
func (p *plan) resolve(path string) (f *field, index int, rest string) {
	for end := 0; end < len(path); {
		next := strings.IndexByte(path[end:], '.')
		if next < 0 {
			next = len(path) - end
		}
		end += next
		head, at := path[:end], -1
		if open := strings.IndexByte(head, '['); open >= 0 {
			at, _ = strconv.Atoi(strings.TrimSuffix(head[open+1:], "]"))
			head = head[:open]
		}
		if known, ok := p.byPath[head]; ok {
			return known, at, strings.TrimPrefix(path[end:], ".")
		}
		end++
	}
	return nil, -1, ""
}

// refused words one refusal; owner is the field of p itself, or that of the list f is an item of.
func (f *field) refused(p *plan, owner *field, refusal validator.FieldError) *FieldError {
	v := reflect.ValueOf(refusal.Value())
	s := subject{field: f, param: refusal.Param(), value: f.describe(v)}
	switch v.Kind() {
	case reflect.String:
		s.size = utf8.RuneCountInString(v.String())
	case reflect.Slice, reflect.Map:
		s.size = v.Len()
	}
	r := rule{refusal.Tag(), refusal.Param()}
	if checks[r.tag].across {
		s.partner = joined(p.partners(owner, r.param), "and")
	}
	problem, accepted := sentence(r, s)
	return &FieldError{Problem: problem, Accepted: accepted}
}

// partners returns the labels of the fields that a rule of f names in Go.
func (p *plan) partners(f *field, param string) []string {
	var labels []string
	for _, name := range choices(param) {
		if other := p.sibling(f, name); other != nil {
			labels = append(labels, other.label)
		}
	}
	return labels
}

// sibling finds the field with a Go name in the struct that declares f.
func (p *plan) sibling(f *field, name string) *field {
	return p.byPath[f.path[:strings.LastIndexByte(f.path, '.')+1]+name]
}

// describe words a decoded value for a message.
func (f *field) describe(v reflect.Value) string {
	if f.secret {
		return "the value"
	}
	switch v.Kind() {
	case reflect.String:
		return Quote(v.String())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	default:
		return "the value"
	}
}
