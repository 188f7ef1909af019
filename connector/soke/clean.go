package soke

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// Bounds of what is taken over from a failure, in runes and bytes.
const (
	maxMessage = 1000
	maxCause   = 300
	maxDetails = 16 << 10
)

// hidden stands where a secret stood.
const hidden = "[hidden]"

// secretForms are an API key, or what is left of one, and a JWT.
var secretForms = regexp.MustCompile(`sk_live_[A-Za-z0-9_-]+|eyJ[A-Za-z0-9_-]{5,}(\.[A-Za-z0-9_-]*)*`)

// Mask hides whatever in a text looks like a key or a token of Soke's.
func Mask(s string) string { return secretForms.ReplaceAllString(s, hidden) }

// bareSecrets are an API key, or what is left of one, in letters of either case, because host names and
// platforms are lowered; and a token as it is issued, at the beginning of a word and with a dot in
// it: neither Eyjafjallajökull nor a HoneyJourney is one.
var bareSecrets = regexp.MustCompile(`(?i:sk_live_[a-z0-9_-])|(?:^|[^A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]`)

// HoldsSecret reports whether a text holds a key or a token, and may not be kept in clear. People
// swap the fields of a form.
func HoldsSecret(s string) bool { return bareSecrets.MatchString(s) }

// cleanText takes secrets and control characters out of a text of Soke's, and bounds it in runes.
func cleanText(s string, bound int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = Mask(s)
	if runes := []rune(s); len(runes) > bound {
		s = string(runes[:bound])
	}
	return strings.TrimSpace(s)
}

// cleanDetails takes over details that are an object of a sensible size, without secrets.
func cleanDetails(raw json.RawMessage) map[string]any {
	if len(raw) == 0 || len(raw) > maxDetails {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var details map[string]any
	if decoder.Decode(&details) != nil {
		return nil
	}
	return cleanObject(details)
}

// cleanObject cleans what was decoded: before, an escape could have hidden a secret.
func cleanObject(object map[string]any) map[string]any {
	if object == nil {
		return nil
	}
	cleaned := make(map[string]any, len(object))
	for name, value := range object {
		cleaned[cleanText(name, maxMessage)] = cleanValue(value)
	}
	return cleaned
}

func cleanValue(v any) any {
	switch v := v.(type) {
	case string:
		return cleanText(v, maxMessage)
	case map[string]any:
		return cleanObject(v)
	case []any:
		for i := range v {
			v[i] = cleanValue(v[i])
		}
	}
	return v
}
