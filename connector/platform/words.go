package platform

import (
	"slices"
	"strings"
	"unicode"
)

// TitleCase writes a label as Zapier's and n8n's forms have it.
func TitleCase(label string) string {
	small := []string{"a", "an", "and", "at", "for", "in", "of", "on", "or", "the", "to", "with"}
	words := strings.Fields(label)
	for i, w := range words {
		if i == 0 || !slices.Contains(small, w) {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

// SentenceCase writes a title of the catalogue as n8n's actions and Make's modules have it: "Ask the
// Assistant" is "Ask the assistant". Words that are not plain title case, such as API, are names and
// stay as they are.
func SentenceCase(title string) string {
	words := strings.Fields(title)
	for i, w := range words {
		if i > 0 && titled(w) && w != "Soke" {
			words[i] = strings.ToLower(w)
		}
	}
	return strings.Join(words, " ")
}

func titled(word string) bool {
	for i, r := range word {
		if (i == 0) != unicode.IsUpper(r) {
			return false
		}
	}
	return true
}

// Plural returns a noun of the catalogue in the plural: "Keyword" is "Keywords", "Category" is
// "Categories".
func Plural(noun string) string {
	switch {
	case strings.HasSuffix(noun, "y") && !strings.ContainsAny(noun[max(0, len(noun)-2):len(noun)-1], "aeiou"):
		return noun[:len(noun)-1] + "ies"
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "sh"):
		return noun + "es"
	default:
		return noun + "s"
	}
}
