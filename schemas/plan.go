package schemas

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// direction tells inputs, which rules close, from outputs, which are open.
type direction uint8

const (
	input direction = iota
	output
)

// plan is all that reflection finds out about a struct type, so that decoding need not ask again.
type plan struct {
	fields []*field
	names  []string          // of the fields, in order
	byName map[string]int    // JSON name → index in fields
	byPath map[string]*field // Go path below the struct, such as WatchInput.Topic
	typ    reflect.Type
	form   *Form
}

// field is one field of a plan, or, without a name, an item of a list.
type field struct {
	name, label, help, path string
	index                   []int // for reflect's FieldByIndex

	kind Kind
	typ  reflect.Type // what is decoded into; a pointer is already followed
	elem *field       // an item of a list or of a list of objects
	plan *plan        // of an object with known fields

	pointer, nullable, optional bool // optional: the JSON may lack it
	advanced, hidden, secret    bool
	clear                       bool // kept in clear, so that it must not hold a secret
	required                    bool
	letters                     func(string) string // upper or lower case; nil leaves them
	rules                       []rule
	enum                        []string
	min, max                    *float64
	pattern, format, noun       string
	accepted                    string // what would be right, for errors
	fallback                    *node  // the default, as a form would send it
	defaultValue, exampleValue  any
	dives                       bool
}

type planKey struct {
	typ reflect.Type
	way direction
}

type planned struct {
	plan *plan
	err  error
}

// plans keeps what reflection found, by planKey. It only ever holds what the types say, so that
// sharing it between callers cannot be observed.
var plans sync.Map

// planOf returns the plan of a struct type. Its errors are the author's, not a caller's.
func planOf(t reflect.Type, way direction) (*plan, error) {
	key := planKey{t, way}
	if known, ok := plans.Load(key); ok {
		return known.(planned).plan, known.(planned).err
	}
	p, err := compile(t, way)
	known, _ := plans.LoadOrStore(key, planned{p, err})
	return known.(planned).plan, known.(planned).err
}

func compile(t reflect.Type, way direction) (*plan, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("schemas: %v is not a struct", t)
	}
	c := compiler{way: way, within: map[reflect.Type]bool{}}
	p, err := c.plan(t)
	if err == nil && way == input {
		err = p.check()
	}
	if err != nil {
		return nil, fmt.Errorf("schemas: %v: %w", t, err)
	}
	p.form = &Form{Schema: p.schema(way), Fields: p.describe(way)}
	return p, nil
}

// compiler carries what a compilation must remember while it descends.
type compiler struct {
	way    direction
	within map[reflect.Type]bool // against types that hold themselves
}

func (c *compiler) plan(t reflect.Type) (*plan, error) {
	if c.within[t] {
		return nil, fmt.Errorf("%v holds itself", t)
	}
	c.within[t] = true
	defer delete(c.within, t)
	p := &plan{typ: t, byName: map[string]int{}, byPath: map[string]*field{}}
	if err := c.flatten(p, t, nil, ""); err != nil {
		return nil, err
	}
	return p, nil
}

// flatten adds the fields of t, which is p's type or embedded in it.
func (c *compiler) flatten(p *plan, t reflect.Type, index []int, path string) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(append([]int(nil), index...), i)
		tag, named := sf.Tag.Lookup("json")
		if sf.Anonymous && (!named || tag == "") {
			if sf.Type.Kind() != reflect.Struct {
				return fmt.Errorf("%s%s: only structs can be embedded", path, sf.Name)
			}
			if err := c.flatten(p, sf.Type, at, path+sf.Name+"."); err != nil {
				return err
			}
			continue
		}
		if !sf.IsExported() || tag == "-" {
			continue
		}
		f, err := c.field(sf)
		if err != nil {
			return fmt.Errorf("%s%s: %w", path, sf.Name, err)
		}
		f.index, f.path = at, path+sf.Name
		if _, twice := p.byName[f.name]; twice {
			return fmt.Errorf("%s: the name %s is there twice", f.path, f.name)
		}
		p.byName[f.name] = len(p.fields)
		p.byPath[f.path] = f
		p.names = append(p.names, f.name)
		p.fields = append(p.fields, f)
	}
	return nil
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	rawType     = reflect.TypeFor[json.RawMessage]()
	schemaType  = reflect.TypeFor[jsonschema.Schema]()
	anyType     = reflect.TypeFor[any]()
	decoderType = reflect.TypeFor[json.Unmarshaler]()
	readerType  = reflect.TypeFor[encoding.TextUnmarshaler]()
	writerType  = reflect.TypeFor[encoding.TextMarshaler]()
)

// shape finds out what a type holds.
func (c *compiler) shape(f *field, t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		if f.pointer || t.Elem().Kind() == reflect.Pointer {
			return fmt.Errorf("%v is a pointer to a pointer", t)
		}
		f.pointer, f.nullable, t = true, true, t.Elem()
	}
	f.typ = t
	switch t {
	case timeType:
		f.kind, f.format = Datetime, "date-time"
		return nil
	case rawType, anyType:
		f.kind = Any
		return nil
	case schemaType:
		f.kind = Group
		return nil
	}
	switch itself := reflect.PointerTo(t); {
	case c.way == input && (itself.Implements(decoderType) || itself.Implements(readerType)):
		return fmt.Errorf("%v decodes itself, which no schema can tell", t)
	case c.way == output && itself.Implements(writerType):
		f.kind = String
		return nil
	}
	return c.shapeByKind(f, t)
}

func (c *compiler) shapeByKind(f *field, t reflect.Type) (err error) {
	switch t.Kind() {
	case reflect.String:
		f.kind = String
	case reflect.Int, reflect.Int64:
		f.kind = Integer
	case reflect.Float64:
		f.kind = Number
	case reflect.Bool:
		f.kind = Boolean
	case reflect.Struct:
		f.kind = Group
		f.plan, err = c.plan(t)
	case reflect.Map:
		if t.Key().Kind() != reflect.String || c.way == input && t.Elem() != anyType && t.Elem() != rawType {
			return fmt.Errorf("%v cannot be expressed", t)
		}
		f.kind = Group
	case reflect.Slice:
		f.kind = List
		if f.elem, err = c.item(t.Elem()); err == nil && f.elem.kind == Group {
			f.kind = Objects
		}
	default:
		err = fmt.Errorf("%v cannot be expressed", t)
	}
	return err
}

func (c *compiler) item(t reflect.Type) (*field, error) {
	f := &field{}
	err := c.shape(f, t)
	switch {
	case err != nil:
		return nil, err
	case f.pointer || f.kind == List || f.kind == Objects:
		return nil, fmt.Errorf("a list of %v cannot be expressed", t)
	}
	return f, nil
}
