package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a body: how many objects and lists may lie within one another, and how many values it
// may hold. A value of two bytes becomes a node of a hundred, so a body is bounded while it is cut.
// The largest form, a hundred messages, has some three hundred values.
const (
	maxDepth  = 32
	maxValues = 10_000
)

type nodeKind uint8

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	textNode
	listNode
	objectNode
)

// node is one JSON value, cut but not yet read: encoding/json would lose the order and the
// duplicates of names, the digits of numbers and lone surrogates.
type node struct {
	kind    nodeKind
	raw     []byte // the value as it was sent
	text    string // a text's characters, or the literal of a number, true or false
	items   []node
	members []member
}

type member struct {
	name  string
	value node
}

var byteOrderMark = []byte("\ufeff")

// parseNode reads one JSON value that fills all of body.
func parseNode(body []byte) (node, *FieldError) {
	body = bytes.TrimPrefix(body, byteOrderMark)
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return node{}, &FieldError{Problem: "it is empty", Accepted: "one JSON object"}
	case !utf8.Valid(body):
		return node{}, &FieldError{Problem: "it is not valid UTF-8", Accepted: "one JSON object in UTF-8"}
	case !json.Valid(body):
		return node{}, syntaxFault(body)
	}
	c := cutter{body: body}
	n, fault := c.value(1)
	if c.values > maxValues { // all of them are at fault, and not the one that was too many
		return node{}, &FieldError{Problem: "it holds too many values", Accepted: fmt.Sprintf("at most %d fields and items in all", maxValues)}
	}
	return n, fault
}

// syntaxFault says where body stops being one JSON value.
func syntaxFault(body []byte) *FieldError {
	e := &FieldError{Problem: "it is not JSON", Accepted: "one JSON object"}
	d := json.NewDecoder(bytes.NewReader(body))
	var first json.RawMessage
	err := d.Decode(&first)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		e.Problem = fmt.Sprintf("it is not JSON from byte %d on", syntax.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		e.Problem = "it breaks off before its end"
	}
	if err == nil {
		e.Problem = "there is text after the JSON value"
	}
	return e
}

// cutter cuts JSON that json.Valid has accepted, so that it need not doubt the grammar.
type cutter struct {
	body   []byte
	at     int
	values int // cut so far
}

// next skips blanks, commas and colons, and returns the byte after them.
func (c *cutter) next() byte {
	for strings.IndexByte(" \t\r\n,:", c.body[c.at]) >= 0 {
		c.at++
	}
	return c.body[c.at]
}

func (c *cutter) value(depth int) (node, *FieldError) {
	opens := c.next()
	if c.values++; c.values > maxValues {
		return node{}, &FieldError{}
	}
	if depth > maxDepth && (opens == '{' || opens == '[') {
		return node{}, &FieldError{Problem: "it is nested too deeply", Accepted: fmt.Sprintf("at most %d levels", maxDepth)}
	}
	start := c.at
	var n node
	var err *FieldError
	switch opens {
	case '{':
		n.kind = objectNode
		n.members, err = c.members(depth)
	case '[':
		n.kind = listNode
		n.items, err = c.items(depth)
	case '"':
		n.kind = textNode
		n.text, err = c.text()
	default:
		n.kind, n.text = c.literal()
	}
	n.raw = c.body[start:c.at]
	return n, err
}

func (c *cutter) members(depth int) ([]member, *FieldError) {
	c.at++
	var all []member
	seen := make(map[string]struct{})
	for c.next() != '}' {
		name, err := c.text()
		if err != nil {
			return nil, err
		}
		value, err := c.value(depth + 1)
		if err != nil {
			return nil, err.under(plain(name), plain(name))
		}
		if _, twice := seen[name]; twice {
			return nil, (&FieldError{Problem: "it is there twice", Accepted: "every name once"}).under(plain(name), plain(name))
		}
		seen[name] = struct{}{}
		all = append(all, member{name, value})
	}
	c.at++
	return all, nil
}

func (c *cutter) items(depth int) ([]node, *FieldError) {
	c.at++
	all := []node{}
	for c.next() != ']' {
		item, err := c.value(depth + 1)
		if err != nil {
			return nil, err.underItem(len(all))
		}
		all = append(all, item)
	}
	c.at++
	return all, nil
}

func (c *cutter) text() (string, *FieldError) {
	start := c.at
	escaped := false
	for c.at++; c.body[c.at] != '"'; c.at++ {
		if c.body[c.at] == '\\' {
			escaped = true
			c.at++
		}
	}
	c.at++
	raw := c.body[start:c.at]
	if !escaped {
		return string(raw[1 : len(raw)-1]), nil
	}
	if loneSurrogate(raw) {
		return "", &FieldError{Problem: "it holds half of a character, a lone surrogate", Accepted: "whole characters"}
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", &FieldError{Problem: "it is not JSON text", Accepted: "JSON text"}
	}
	return s, nil
}

// loneSurrogate finds a \uD800–\uDFFF escape without its other half, which encoding/json would
// silently replace.
func loneSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		unit := hex4(raw[i+1:])
		i += 4
		switch {
		case unit < 0xD800 || unit > 0xDFFF:
			continue
		case unit >= 0xDC00 || !bytes.HasPrefix(raw[i+1:], []byte(`\u`)):
			return true
		}
		if low := hex4(raw[i+3:]); low < 0xDC00 || low > 0xDFFF {
			return true
		}
		i += 6
	}
	return false
}

func hex4(b []byte) uint64 {
	n, _ := strconv.ParseUint(string(b[:4]), 16, 32)
	return n
}

func (c *cutter) literal() (nodeKind, string) {
	start := c.at
	for c.at < len(c.body) && strings.IndexByte(" \t\r\n,:]}", c.body[c.at]) < 0 {
		c.at++
	}
	s := string(c.body[start:c.at])
	switch s[0] {
	case 'n':
		return nullNode, s
	case 't', 'f':
		return boolNode, s
	default:
		return numberNode, s
	}
}
