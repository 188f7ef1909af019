package schemas

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds, in characters, of what an error says.
const (
	maxQuote = 40
	maxPath  = 80
	maxError = 300
)

// FieldError says which input is at fault, why, and what would be accepted instead. It is made
// for the person who filled in the form, and quotes no secret.
type FieldError struct {
	// Field is the path of the input, such as messages[2].role; empty for the body as a whole.
	Field string
	// Label is its words on the form.
	Label string
	// Problem is what is wrong, without a full stop.
	Problem string
	// Accepted is what would be right; it may be empty.
	Accepted string
}

// Error returns one sentence of at most 300 characters:
//
//	Maximum results: "abc" is not a whole number; accepted: a whole number from 1 to 50
func (e *FieldError) Error() string {
	s := e.Problem
	if e.Label != "" {
		s = e.Label + ": " + s
	}
	if e.Accepted != "" {
		s += "; accepted: " + e.Accepted
	}
	return cut(s, maxError)
}

// under moves the error below a parent, a field or an item of one.
func (e *FieldError) under(path, label string) *FieldError {
	switch {
	case e.Field == "":
		e.Field = path
	case e.Field[0] == '[':
		e.Field = cut(path+e.Field, maxPath)
	default:
		e.Field = cut(path+"."+e.Field, maxPath)
	}
	if e.Label == "" {
		e.Label = label
	} else {
		e.Label = cut(label+", "+e.Label, maxPath)
	}
	return e
}

// underItem moves the error below item i of a list. People count from one.
func (e *FieldError) underItem(i int) *FieldError {
	return e.under("["+strconv.Itoa(i)+"]", itemLabel(i))
}

func itemLabel(i int) string { return "item " + strconv.Itoa(i+1) }

// secretStart finds where a Soke key or a token begins. What follows is hidden to its end: a key
// that was pasted with a line break in it is still a key.
var secretStart = regexp.MustCompile(`(?i)sk_live_|eyJ[A-Za-z0-9_-]{5}`)

// bareSecret is a Soke key in letters of either case, or a token as it is issued: at the beginning of
// a word and with a dot in it, for Eyjafjallajökull and a HoneyJourney are none. Package soke, which
// knows no forms, has the same.
var bareSecret = regexp.MustCompile(`(?i:sk_live_[a-z0-9_-])|(?:^|[^A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]`)

// Quote returns s in quotes for a message: at most 40 characters of it, control and invisible
// characters escaped, and nothing of a Soke key or token.
func Quote(s string) string { return `"` + plain(s) + `"` }

// plain is Quote without the quotes.
func plain(s string) string {
	s = prefix(s, maxQuote+1)
	tail := ""
	if at := secretStart.FindStringIndex(s); at != nil {
		s, tail = s[:at[0]], "[hidden]"
	}
	var b strings.Builder
	length := utf8.RuneCountInString(tail)
	for _, r := range s {
		escaped := strconv.Quote(string(r))
		escaped = escaped[1 : len(escaped)-1]
		length += utf8.RuneCountInString(escaped)
		if length > maxQuote {
			return b.String() + "…"
		}
		b.WriteString(escaped)
	}
	return b.String() + tail
}

// cut returns at most limit characters of s, the last of them an ellipsis where some are missing.
func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return prefix(s, limit-1) + "…"
}

// prefix returns the first n characters of s.
func prefix(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
