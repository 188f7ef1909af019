package schemas

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// value describes what was sent, for a message; nothing of a secret.
func (f *field) value(n node) string {
	switch {
	case f.secret:
		return "the value"
	case n.kind == textNode:
		return Quote(n.text)
	case n.kind == numberNode || n.kind == boolNode:
		return plain(n.text)
	default:
		return shapeOf(n)
	}
}

// text reads a string. Numbers and booleans become their text.
func (f *field) text(n node) (s, problem string) {
	if n.kind == listNode || n.kind == objectNode {
		return "", f.value(n) + " is not text"
	}
	s = strings.TrimSpace(n.text)
	if r, found := refusedRune(s, f.kind == Text); found {
		return "", "it holds the control character " + code(r)
	}
	if f.clear && bareSecret.MatchString(s) {
		return "", "it holds an API key or a token, which belongs into the connection alone"
	}
	if f.letters != nil {
		s = f.letters(s)
	}
	return s, ""
}

// refusedRune finds a character that no text may hold: control characters, but for line ends and
// tabs where several lines are meant, and the noncharacters of Unicode.
func refusedRune(s string, lines bool) (rune, bool) {
	for _, r := range s {
		switch {
		case lines && (r == '\n' || r == '\r' || r == '\t'):
		case unicode.IsControl(r), r&0xFFFE == 0xFFFE, r >= 0xFDD0 && r <= 0xFDEF:
			return r, true
		}
	}
	return 0, false
}

// code returns U+0000 as people look it up.
func code(r rune) string {
	s := strings.ToUpper(strconv.FormatInt(int64(r), 16))
	return "U+" + strings.Repeat("0", max(0, 4-len(s))) + s
}

// decimal is a number as people write it into forms: JSON's grammar, with leading zeros, a plus sign
// and a point at either end allowed; but it is one only if it has a digit before the exponent.
var decimal = regexp.MustCompile(`^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?$`)

// decimalParts cuts a decimal into its sign, its digits before and after the point and its exponent,
// which stand from 1 on; it is nil for anything else.
func decimalParts(s string) []string {
	part := decimal.FindStringSubmatch(s)
	if part == nil || part[2]+part[3] == "" {
		return nil
	}
	return part
}

// literal returns the number that n writes, as a number or as text.
func (n node) literal() (string, bool) {
	switch n.kind {
	case numberNode:
		return n.text, true
	case textNode:
		s := strings.TrimSpace(n.text)
		return s, decimalParts(s) != nil
	default:
		return "", false
	}
}

// whole reads a whole number, however it is spelt, exactly.
func (f *field) whole(n node) (int64, string) {
	literal, ok := n.literal()
	if !ok {
		return 0, f.value(n) + " is not a whole number"
	}
	if i, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return i, ""
	}
	literal, ok = expanded(literal)
	if !ok {
		return 0, f.value(n) + " is not a whole number"
	}
	i, err := strconv.ParseInt(literal, 10, 64)
	if err != nil {
		return 0, f.value(n) + " is out of range"
	}
	return i, ""
}

// maxDigits is more than an int64 has; a number with more is out of range.
const maxDigits = 20

// expanded writes a decimal without point and exponent, or reports that it is not whole. What is
// far out of range comes back with too many digits for any integer, but not with all of them.
func expanded(literal string) (string, bool) {
	part := decimalParts(literal)
	if part == nil {
		return "", false
	}
	sign, fraction := part[1], strings.TrimRight(part[3], "0")
	all := strings.TrimLeft(part[2]+fraction, "0")
	if all == "" {
		return "0", true
	}
	shift := -len(fraction)
	if part[4] != "" {
		exponent, err := strconv.ParseInt(part[4], 10, 32)
		if err != nil {
			// Beyond any sense: the sign alone decides.
			return sign + strings.Repeat("9", maxDigits), part[4][0] != '-'
		}
		shift += int(exponent)
	}
	for shift < 0 && strings.HasSuffix(all, "0") {
		all = all[:len(all)-1]
		shift++
	}
	if shift < 0 {
		return "", false
	}
	return sign + all + strings.Repeat("0", min(shift, maxDigits)), true
}

// number reads a finite number.
func (f *field) number(n node) (float64, string) {
	literal, ok := n.literal()
	if !ok {
		return 0, f.value(n) + " is not a number"
	}
	x, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.IsInf(x, 0) {
		return 0, f.value(n) + " is out of range"
	}
	if x == 0 {
		x = 0 // -0 and 0 mean the same and must encode the same.
	}
	return x, ""
}

// truth reads a boolean.
func (f *field) truth(n node) (value bool, problem string) {
	switch n.kind {
	case boolNode, textNode, numberNode:
		switch strings.ToLower(strings.TrimSpace(n.text)) {
		case "true", "yes", "on", "1":
			return true, ""
		case "false", "no", "off", "0":
			return false, ""
		}
	}
	return false, f.value(n) + " is neither true nor false"
}

// moment reads an RFC 3339 time.
func (f *field) moment(n node) (time.Time, string) {
	if n.kind != textNode {
		return time.Time{}, f.value(n) + " is not a time"
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(n.text))
	if err != nil {
		return time.Time{}, f.value(n) + " is not a time with date and zone"
	}
	return t.UTC(), ""
}
