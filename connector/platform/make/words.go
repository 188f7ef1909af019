package make

import (
	"strings"
	"unicode"

	"github.com/usesoke/soke-connector/connector/platform"
)

// watched names what a trigger watches, in the plural: "New Keyword" is "new keywords". What is
// said with a participle has no plural: "Research Completed" is "completed research".
func watched(title string) string {
	words := strings.Fields(strings.ToLower(title))
	last := len(words) - 1
	if last > 0 && strings.HasSuffix(words[last], "ed") {
		return strings.Join(append([]string{words[last]}, words[:last]...), " ")
	}
	return platform.Plural(strings.Join(words, " "))
}

// camel is a component's ID in makecomapp.json for the folder that its files lie in: the editor
// derives one from the other.
func camel(kebab string) string {
	var b strings.Builder
	for i, part := range strings.Split(kebab, "-") {
		if i > 0 && part != "" {
			part = strings.ToUpper(part[:1]) + part[1:]
		}
		b.WriteString(part)
	}
	return b.String()
}

// spoken is a JSON name as a label: "longTail" and "long_tail" are "Long tail".
func spoken(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case i == 0:
			b.WriteRune(unicode.ToUpper(r))
		case r == '_' || r == '-':
			b.WriteByte(' ')
		case unicode.IsUpper(r):
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
