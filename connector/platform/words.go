package platform

import (
	"slices"
	"strings"
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
