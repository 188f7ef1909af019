package soke

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// Keyword is one keyword of a research. What else Soke sent along is kept and goes out again
// unchanged; Soke documents the shape by examples alone, so nothing that is missing or of another type is
// a failure.
type Keyword struct {
	Keyword          string   `json:"keyword" title:"Keyword" help:"As Soke wrote it."`
	CompetitionScore *float64 `json:"competitionScore" title:"Competition score" help:"From 0, easy, to 1, crowded; null where Soke did not say."`
	TrendDirection   string   `json:"trendDirection" title:"Trend direction" form:"nullable" help:"rising, falling or stable; null where Soke did not say."`

	raw   json.RawMessage // Soke's object; nil if it sent a bare text
	whole bool            // raw has the three documented names
}

// UnmarshalJSON reads a keyword: an object, or a bare text. What is neither leaves Keyword empty.
// A field that comes under two names is read under the documented one.
func (k *Keyword) UnmarshalJSON(b []byte) error {
	k.read(bytes.Clone(b))
	return nil
}

// read is UnmarshalJSON for bytes that nobody changes later: the keyword keeps them.
func (k *Keyword) read(b []byte) {
	*k = Keyword{}
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' {
		k.Keyword, _ = text(b)
		return
	}
	var keyword, score, trend [3]json.RawMessage
	for name, value := range fields(b) {
		switch string(name) {
		case "keyword":
			keyword[0] = value
		case "term":
			keyword[1] = value
		case "text":
			keyword[2] = value
		case "competitionScore":
			score[0] = value
		case "competition_score":
			score[1] = value
		case "competition":
			score[2] = value
		case "trendDirection":
			trend[0] = value
		case "trend_direction":
			trend[1] = value
		case "trend":
			trend[2] = value
		}
	}
	k.raw, k.whole = b, keyword[0] != nil && score[0] != nil && trend[0] != nil
	k.Keyword, k.CompetitionScore, k.TrendDirection = firstText(keyword), firstNumber(score), firstText(trend)
}

// MarshalJSON writes Soke's object as it came, with the three documented names present, null where
// Soke said nothing.
func (k Keyword) MarshalJSON() ([]byte, error) {
	if k.whole {
		return k.raw, nil
	}
	var keyword, score, trend, sent bool
	for name := range fields(k.raw) {
		sent = true
		switch string(name) {
		case "keyword":
			keyword = true
		case "competitionScore":
			score = true
		case "trendDirection":
			trend = true
		}
	}
	out := append(make([]byte, 0, len(k.raw)+128), '{')
	if !keyword {
		out = appendText(append(out, `"keyword":`...), k.Keyword)
	}
	if !score {
		out = appendNumber(append(out, `"competitionScore":`...), k.CompetitionScore)
	}
	if !trend {
		out = appendText(append(out, `"trendDirection":`...), k.TrendDirection)
	}
	if sent {
		out = append(out, k.raw[1:]...)
		return out, nil
	}
	out[len(out)-1] = '}' // in place of the last comma
	return out, nil
}

// appendText appends a text and a comma; an empty text is null.
func appendText(out []byte, s string) []byte {
	value := []byte("null")
	if s != "" {
		value, _ = json.Marshal(s) // a string always encodes
	}
	return append(append(out, value...), ',')
}

// appendNumber appends a number and a comma; what JSON has no number for is null.
func appendNumber(out []byte, n *float64) []byte {
	value := []byte("null")
	if n != nil && finite(*n) {
		value, _ = json.Marshal(*n) // a finite number always encodes
	}
	return append(append(out, value...), ',')
}

// text reads a text, or a number that stands for one: a keyword may be a year.
func text(raw json.RawMessage) (string, bool) {
	switch {
	case len(raw) == 0:
		return "", false
	case raw[0] == '"':
		return trendOr(bytes.TrimSpace(unquote(raw))), true
	case raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9':
		return string(raw), true
	}
	return "", false
}

// trendOr returns a text, one of the trends without a copy of its own: every keyword has one.
func trendOr(b []byte) string {
	switch string(b) {
	case "rising":
		return "rising"
	case "falling":
		return "falling"
	case "stable":
		return "stable"
	}
	return string(b)
}

func firstText(sent [3]json.RawMessage) string {
	for _, field := range sent {
		if s, ok := text(field); ok && s != "" {
			return s
		}
	}
	return ""
}

// firstNumber reads a number, or a text that holds one.
func firstNumber(sent [3]json.RawMessage) *float64 {
	for _, field := range sent {
		s, ok := text(field)
		if !ok {
			continue
		}
		if n, err := strconv.ParseFloat(s, 64); err == nil && finite(n) {
			return &n
		}
	}
	return nil
}

func finite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }
