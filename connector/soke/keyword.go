package soke

import (
	"cmp"
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
		k.Keyword = text(sent)
		return
	}
	var keyword, score, trend [3]string
	var documented [3]bool
	sent.ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "keyword":
			keyword[0], documented[0] = text(value), true
		case "term":
			keyword[1] = text(value)
		case "text":
			keyword[2] = text(value)
		case "competitionScore":
			score[0], documented[1] = text(value), true
		case "competition_score":
			score[1] = text(value)
		case "competition":
			score[2] = text(value)
		case "trendDirection":
			trend[0], documented[2] = text(value), true
		case "trend_direction":
			trend[1] = text(value)
		case "trend":
			trend[2] = text(value)
		}
		return true
	})
	k.raw, k.whole = strings.TrimSpace(sent.Raw), documented == [3]bool{true, true, true}
	k.Keyword, k.CompetitionScore, k.TrendDirection = cmp.Or(keyword[:]...), firstNumber(score), cmp.Or(trend[:]...)
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

// text reads a text, or a number that stands for one: a keyword may be a year, a score may be quoted.
func text(sent gjson.Result) string {
	switch sent.Type {
	case gjson.String:
		return strings.TrimSpace(sent.Str)
	case gjson.Number:
		return sent.Raw
	}
	return ""
}

func firstNumber(sent [3]string) *float64 {
	for _, text := range sent {
		if n, err := strconv.ParseFloat(text, 64); err == nil && finite(n) {
			return &n
		}
	}
	return nil
}

func finite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }
