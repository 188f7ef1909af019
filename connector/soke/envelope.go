package soke

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// envelope is what Soke wraps its answers in, and as much of OpenAI's shape, in which chat answers,
// as tells it from anything else.
type envelope struct {
	success   *bool
	data      gjson.Result
	failure   gjson.Result
	requestID string

	id     string
	openAI bool
}

// decode makes an answer or a failure of what came back. Whatever is not Soke's own word is
// UPSTREAM_UNAVAILABLE, never a crash and never shown. The declared content type is not asked:
// gateways get it wrong both ways, the envelope is the proof.
func decode(resp *http.Response, raw []byte, now time.Time) (*Answer, *Error) {
	status := resp.StatusCode
	if status == http.StatusNoContent {
		return &Answer{Status: status, RequestID: headerRequestID(resp.Header)}, nil
	}
	if 300 <= status && status < 400 {
		return nil, foreign(resp, now, errors.New("a redirect is not followed"))
	}
	e, err := parse(raw)
	if err != nil {
		return nil, foreign(resp, now, err)
	}
	id := e.requestID
	if !IsRequestID(id) {
		id = headerRequestID(resp.Header)
	}
	switch {
	case e.success != nil && !*e.success:
		return nil, refusal(resp, e, id, now)
	case status < 200 || status > 299:
		return nil, foreign(resp, now, errors.New("no failure in the envelope"))
	case e.success != nil:
		return &Answer{Status: status, Body: raw, RequestID: id, data: e.data, enveloped: true}, nil
	case e.openAI:
		if id == "" && IsRequestID(e.id) {
			id = e.id
		}
		return &Answer{Status: status, Body: raw, RequestID: id}, nil
	}
	return nil, foreign(resp, now, errors.New("the answer has no envelope"))
}

// parse reads one JSON object that is safe to be decoded further and passed on.
func parse(raw []byte) (envelope, error) {
	var e envelope
	switch trimmed := bytes.TrimLeft(raw, " \t\r\n"); {
	case len(trimmed) == 0:
		return e, errors.New("the answer is empty")
	case trimmed[0] != '{':
		return e, errors.New("the answer is no JSON object")
	}
	if err := proven(raw); err != nil {
		return e, err
	}
	gjson.ParseBytes(raw).ForEach(func(name, value gjson.Result) bool {
		e.read(name.Str, value)
		return true
	})
	return e, nil
}

// proven says why raw is not one JSON value that may be passed on.
func proven(raw []byte) error {
	switch {
	case !utf8.Valid(raw):
		return errors.New("it is not UTF-8")
	case bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) > maxDepth && depth(raw) > maxDepth: // most have too few to be nested
		return errors.New("it is nested too deep")
	case !gjson.ValidBytes(raw):
		return errors.New("it is cut off or no JSON")
	}
	return nil
}

// read takes what it knows of a field. One of another type than expected is as good as not sent.
func (e *envelope) read(name string, value gjson.Result) {
	switch name {
	case "success":
		if said := value.Type == gjson.True; said || value.Type == gjson.False {
			e.success = &said
		}
	case "data":
		e.data = value
	case "error":
		e.failure = value
	case "meta":
		value.ForEach(func(name, value gjson.Result) bool {
			if name.Str == "request_id" {
				e.requestID = text(value)
			}
			return true
		})
	case "id":
		e.id = text(value)
	case "object", "choices":
		e.openAI = e.openAI || value.Raw != "null" && value.Raw != `""`
	}
}

// maxDepth bounds the nesting of what Soke sends.
const maxDepth = 64

// depth returns how deep a JSON text is nested; it need not be valid.
func depth(raw []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

var codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// refusal is a failure that Soke itself reported.
func refusal(resp *http.Response, e envelope, id string, now time.Time) *Error {
	var code, message string
	var details json.RawMessage
	e.failure.ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "code":
			code = text(value)
		case "message":
			message = text(value)
		case "details":
			details = json.RawMessage(value.Raw)
		}
		return true
	})
	if !codeForm.MatchString(code) {
		return foreign(resp, now, errors.New("the failure has no code"))
	}
	failure := &Error{
		Code:       Code(code),
		Message:    cleanText(message, maxMessage),
		Details:    cleanDetails(details),
		RequestID:  id,
		RetryAfter: ParseRetryAfter(resp.Header.Get("Retry-After"), now),
	}
	if resp.StatusCode >= 400 {
		failure.Status = resp.StatusCode
	}
	if wait := seconds(failure.Details["retryAfter"]); wait > 0 {
		failure.RetryAfter = wait
	}
	return failure
}

// foreign is an answer that is not Soke's word: a gateway's page, a part, nothing.
func foreign(resp *http.Response, now time.Time, err error) *Error {
	return &Error{
		Code:       UpstreamUnavailable,
		RequestID:  headerRequestID(resp.Header),
		RetryAfter: ParseRetryAfter(resp.Header.Get("Retry-After"), now),
		Err:        fmt.Errorf("status %d: %w", resp.StatusCode, err),
	}
}
