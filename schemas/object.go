package schemas

// Object is one JSON object as a caller sent it: Take takes known parts out of it, Decode reads
// all the rest. It is not safe for concurrent use.
type Object struct {
	members []member
	taken   []string // names that Take knew, for hints
}

// ParseObject reads body as one JSON object. An empty body, text behind the object, a name that is
// there twice, invalid UTF-8, a lone surrogate, more than 32 levels or 10,000 values and anything but an
// object are refused with a *FieldError. A byte order mark is tolerated.
func ParseObject(body []byte) (*Object, error) {
	n, err := parseNode(body)
	switch {
	case err != nil && err.Field == "":
		return nil, err.under("", "Body")
	case err != nil:
		return nil, err
	case n.kind != objectNode:
		return nil, &FieldError{Label: "Body", Problem: "it is " + shapeOf(n), Accepted: "one JSON object"}
	}
	return &Object{members: n.members}, nil
}

// Len returns how many fields have not been taken.
func (o *Object) Len() int { return len(o.members) }

// shapeOf names a JSON value's type with its article.
func shapeOf(n node) string {
	switch n.kind {
	case boolNode:
		return "true or false"
	case numberNode:
		return "a number"
	case textNode:
		return "text"
	case listNode:
		return "a list"
	case objectNode:
		return "an object"
	default:
		return "null"
	}
}
