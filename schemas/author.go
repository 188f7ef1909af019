package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"
)

// check finds what the tags of an input cannot mean, so that no caller ever meets it.
func (p *plan) check() error {
	if err := tryRules(p.typ); err != nil {
		return err
	}
	for _, f := range p.fields {
		if err := p.checkField(f); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		for _, inner := range []*field{f, f.elem} {
			if inner == nil || inner.plan == nil {
				continue
			}
			if err := inner.plan.check(); err != nil {
				return fmt.Errorf("%s: %w", f.path, err)
			}
		}
	}
	return nil
}

func (p *plan) checkField(f *field) error {
	for _, r := range f.rules {
		if !checks[r.tag].across {
			if err := f.try(r); err != nil {
				return fmt.Errorf("validate %s: %w", r, err)
			}
			continue
		}
		for _, name := range choices(r.param) {
			if p.sibling(f, name) == nil {
				return fmt.Errorf("validate %s: there is no field %s beside it", r, name)
			}
		}
		if f.fallback != nil {
			return fmt.Errorf("validate %s: a field with a default is never absent", r)
		}
	}
	if f.elem != nil && f.elem.plan != nil && !f.dives && f.elem.plan.ruled() {
		return errors.New("its items have rules that validate does not dive to")
	}
	return f.checkAbsence()
}

// ruled reports whether any field of p has a rule.
func (p *plan) ruled() bool {
	for _, f := range p.fields {
		if len(f.rules) > 0 || f.elem != nil && len(f.elem.rules) > 0 || f.plan != nil && f.plan.ruled() {
			return true
		}
	}
	return false
}

// checkAbsence refuses tags under which the validator could not tell an absent value from a zero
// one: the schema and the judge would disagree.
func (f *field) checkAbsence() error {
	zero := reflect.Zero(f.typ)
	if f.plan != nil {
		if f.required && !f.pointer {
			return errors.New("required cannot be said of a struct; use a pointer")
		}
		return nil
	}
	if f.pointer {
		zero = reflect.Zero(reflect.PointerTo(f.typ))
	}
	number := !f.pointer && (f.kind == Integer || f.kind == Number)
	switch {
	case number && f.required && f.judge(zero, valueRules) == nil:
		return errors.New("required refuses 0, which its bounds allow; use a pointer")
	case number && !f.required && f.judge(zero, valueRules) != nil && f.judge(zero, allRules) == nil:
		return errors.New("omitempty lets 0 pass its bounds; use a pointer, or a default without omitempty")
	case !f.required && f.fallback == nil && f.judge(zero, allRules) != nil:
		return errors.New("an absent value breaks its rules; use omitempty, required or a default")
	}
	return nil
}

// allRules keeps every rule that can be judged on a value alone; valueRules leaves out those
// that are about its absence.
func allRules(rule) bool { return true }

func valueRules(r rule) bool { return r.tag != "omitempty" && r.tag != "required" }

// judge holds a single value to those of the field's rules that do not look at other fields.
func (f *field) judge(v reflect.Value, keep func(rule) bool) error {
	var tags []string
	add := func(rules []rule) {
		for _, r := range rules {
			if keep(r) && !checks[r.tag].across {
				tags = append(tags, r.String())
			}
		}
	}
	add(f.rules)
	if f.elem != nil && f.dives {
		tags = append(tags, "dive")
		add(f.elem.rules)
	}
	if len(tags) == 0 {
		return nil
	}
	return guarded(func() error { return judge.Var(v.Interface(), strings.Join(tags, ",")) })
}

// guarded turns the panics with which the validator meets an unknown or unfit tag into errors.
func guarded(try func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the validator panics: %v", r)
		}
	}()
	return try()
}

// tryRules runs t's rules together on filled fields, since the validator panics only when a rule
// meets a value.
func tryRules(t reflect.Type) error {
	v := reflect.New(t)
	fillIn(v.Elem())
	return unlessRefused(guarded(func() error { return judge.Struct(v.Interface()) }))
}

// try runs one rule alone: beside others it is only reached if they pass.
func (f *field) try(r rule) error {
	v := reflect.New(f.typ).Elem()
	fillIn(v)
	return unlessRefused(guarded(func() error { return judge.Var(v.Interface(), r.String()) }))
}

// unlessRefused drops a mere refusal, which is what rules are for.
func unlessRefused(err error) error {
	var refusals validator.ValidationErrors
	if errors.As(err, &refusals) {
		return nil
	}
	return err
}

// fillIn sets v to something that is not empty.
func fillIn(v reflect.Value) {
	switch {
	case v.Kind() == reflect.Struct && v.Type() != timeType:
		// An embedded struct that is not exported cannot be set, but its fields can.
		for i := range v.NumField() {
			fillIn(v.Field(i))
		}
		return
	case !v.CanSet():
		return
	case v.Type() == timeType:
		v.Set(reflect.ValueOf(time.Unix(0, 0)))
		return
	case v.Type() == rawType:
		v.Set(reflect.ValueOf(json.RawMessage("1")))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("a")
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillIn(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillIn(v.Index(0))
	}
}
