package platform

import (
	"errors"
	"math"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Failure is any error, said for people, in no dialect yet.
type Failure struct {
	Code   soke.Code
	Status int
	// Title is what happened, at most 80 characters; Message the whole instruction, at most 250,
	// the advice first and the request id last.
	Title, Message string
	// Retryable tells that the same call can succeed later without a person's help.
	Retryable  bool
	RetryAfter *int // whole seconds; nil is unknown
	Field      string
	Details    map[string]any
	RequestID  string

	row     native
	notSent bool
}

// Bounds of what people read: Zapier cuts at 250 (docs.zapier.com, Error handling).
const (
	maxTitle   = 80
	maxMessage = 250
	maxWait    = 24 * time.Hour
)

// Describe says an error for people. An error that is not a *soke.Error is a fault of the
// connector, and nothing of its text is shown.
func Describe(err error, call Call) Failure {
	var e *soke.Error
	if !errors.As(err, &e) {
		e = &soke.Error{Code: soke.ConnectorError, Err: err}
	}
	row := rowOf(e)
	f := Failure{
		Code: e.Code, Status: row.status, Title: clip(clean(row.title), maxTitle), Retryable: row.retryable,
		Field: clip(clean(e.Field), 200), Details: map[string]any{}, RequestID: requestID(e, call),
		row: row, notSent: e.NotSent,
	}
	if f.Code == "" {
		f.Code = soke.ConnectorError
	}
	if details, ok := cleanValue(e.Details, 0).(map[string]any); ok && details != nil {
		f.Details = details
	}
	if e.RetryAfter > 0 || row.status == http.StatusTooManyRequests || row.status == http.StatusServiceUnavailable {
		wait := waitSeconds(e)
		f.RetryAfter = &wait
	}
	words := row.advice(e, call)
	if row.quotes && e.Message != "" {
		words += " Soke says: " + e.Message
	}
	f.Message = sentence(clean(words), f.RequestID)
	return f
}

// waitSeconds is how long to wait, rounded up; a minute where Soke did not say.
func waitSeconds(e *soke.Error) int {
	if e.RetryAfter <= 0 {
		return throttle
	}
	return int(math.Ceil(min(e.RetryAfter, maxWait).Seconds()))
}

func requestID(e *soke.Error, call Call) string {
	for _, id := range []string{e.RequestID, call.RequestID} {
		if soke.IsRequestID(id) {
			return id
		}
	}
	return "unknown"
}

// sentence puts the request id last and cuts the words, never the id.
func sentence(words, id string) string {
	end := " (request " + id + ")"
	return clip(words, maxMessage-utf8.RuneCountInString(end)) + end
}

// clip cuts a text to n runes, at a word where one ends near.
func clip(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	cut := string(runes[:n-1])
	if space := strings.LastIndexByte(cut, ' '); space > len(cut)*2/3 {
		cut = cut[:space]
	}
	return strings.TrimRight(cut, " ,.;:") + "…"
}

// systemErrors are names that n8n searches messages for and then replaces the message by a text
// of its own (n8n-workflow, NodeError).
var systemErrors = regexp.MustCompile(`(?i)\bE(PERM|ACCES|NOENT|CONNREFUSED|CONNRESET|NOTFOUND|TIMEDOUT|CONNABORTED|ADDRINUSE|EXIST|ISDIR|NOTDIR|NOTEMPTY|PIPE|HOSTUNREACH|ADDRNOTAVAIL|MFILE|AI_AGAIN)\b`)

var tags = regexp.MustCompile(`<[A-Za-z/!][^>]*>`)

// clean makes a text fit to be shown: one line, no markup, no control character, no secret. The
// client of Soke has masked what it read; this is the last line of defence.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = tags.ReplaceAllString(s, " ")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	// Only now that nothing is left to be taken out of the middle of a secret.
	s = systemErrors.ReplaceAllString(soke.Mask(s), "a system fault")
	return strings.Join(strings.Fields(s), " ")
}

// cleanValue cleans what Soke sent for machines, to a depth that people would still read.
func cleanValue(v any, depth int) any {
	if depth > 8 {
		return nil
	}
	switch v := v.(type) {
	case string:
		return soke.Mask(strings.ToValidUTF8(v, ""))
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = cleanValue(v[i], depth+1)
		}
		return out
	case map[string]any:
		if v == nil {
			return v
		}
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[soke.Mask(strings.ToValidUTF8(name, ""))] = cleanValue(value, depth+1)
		}
		return out
	default:
		return v
	}
}
