package soke

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Keyword is one keyword of a research. What else Soke sent along is kept and goes out again
// unchanged; Soke documents the shape by examples alone, so nothing that is missing or of another
// type is a failure.
type Keyword struct {
	Keyword          string   `json:"keyword" title:"Keyword" help:"As Soke wrote it."`
	CompetitionScore *float64 `json:"competitionScore" title:"Competition score" help:"From 0, easy, to 1, crowded; null where Soke did not say."`
	TrendDirection   string   `json:"trendDirection" title:"Trend direction" form:"nullable" help:"rising, falling or stable; null where Soke did not say."`

	raw   string // Soke's object; empty if it sent a bare text
	whole bool   // raw has the three documented names
}

// UnmarshalJSON reads a keyword: an object, or a bare text. What is neither leaves Keyword empty.
// A field that comes under two names is read under the documented one.
func (k *Keyword) UnmarshalJSON(b []byte) error {
	k.read(gjson.ParseBytes(b))
	return nil
}

func (k *Keyword) read(sent gjson.Result) {
	*k = Keyword{}
	if !sent.IsObject() {
		k.Keyword, _ = text(sent)
		return
	}
	var keyword, score, trend [3]gjson.Result
	sent.ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
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
		return true
	})
	k.raw, k.whole = strings.TrimSpace(sent.Raw), keyword[0].Exists() && score[0].Exists() && trend[0].Exists()
	k.Keyword, k.CompetitionScore, k.TrendDirection = firstText(keyword), firstNumber(score), firstText(trend)
}

// MarshalJSON writes Soke's object as it came, with the three documented names present, null where
// Soke said nothing.
func (k Keyword) MarshalJSON() ([]byte, error) {
	return k.AppendJSON(make([]byte, 0, len(k.raw)+128)), nil
}

// AppendJSON appends what MarshalJSON returns.
func (k Keyword) AppendJSON(out []byte) []byte {
	if k.whole {
		return append(out, k.raw...)
	}
	var keyword, score, trend, sent bool
	gjson.Parse(k.raw).ForEach(func(name, _ gjson.Result) bool {
		sent = true
		switch name.Str {
		case "keyword":
			keyword = true
		case "competitionScore":
			score = true
		case "trendDirection":
			trend = true
		}
		return true
	})
	out = append(out, '{')
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
		return append(out, k.raw[1:]...)
	}
	out[len(out)-1] = '}' // in place of the last comma
	return out
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
func text(sent gjson.Result) (string, bool) {
	switch sent.Type {
	case gjson.String:
		return strings.TrimSpace(sent.Str), true
	case gjson.Number:
		return sent.Raw, true
	}
	return "", false
}

func firstText(sent [3]gjson.Result) string {
	for _, field := range sent {
		if s, ok := text(field); ok && s != "" {
			return s
		}
	}
	return ""
}

// firstNumber reads a number, or a text that holds one.
func firstNumber(sent [3]gjson.Result) *float64 {
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
