package platform

import (
	"net/http"
	"strconv"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Body is the shape of every failure: Soke's own envelope, enriched, because n8n shows
// error.message in all of its node kinds (n8n-workflow, NodeApiError).
type Body struct {
	Success bool        `json:"success"`
	Error   NativeError `json:"error"`
	Meta    Meta        `json:"meta"`
}

// NativeError is a failure as one platform's package raises it.
type NativeError struct {
	Code    soke.Code `json:"code"`
	Title   string    `json:"title"`
	Message string    `json:"message"`
	// Type is the class that the exported package raises.
	Type       string         `json:"type"`
	Retryable  bool           `json:"retryable"`
	RetryAfter *int           `json:"retryAfter"` // whole seconds
	Field      *string        `json:"field"`
	Details    map[string]any `json:"details"`
}

// Meta says where a failure came from.
type Meta struct {
	RequestID string `json:"request_id"`
	Platform  *Name  `json:"platform"`
}

// Native says a failure in a platform's dialect, by the table.
func Native(name Name, f Failure, call Call) NativeError {
	kind, retryAfter := f.native(name, call)
	e := NativeError{
		Code: f.Code, Title: f.Title, Message: f.Message, Type: kind,
		Retryable: f.Retryable, RetryAfter: retryAfter, Details: f.Details,
	}
	if f.Field != "" {
		e.Field = &f.Field
	}
	return e
}

// Answer wraps a native error into the whole answer of a platform.
func Answer(name Name, f Failure, call Call) (int, http.Header, Body) {
	e := Native(name, f, call)
	header := http.Header{}
	if e.RetryAfter != nil {
		header.Set("Retry-After", strconv.Itoa(*e.RetryAfter))
	}
	return f.Status, header, Body{Error: e, Meta: Meta{RequestID: f.RequestID, Platform: &name}}
}

// Plain answers where no platform called: the same shape without a platform.
func Plain(f Failure) (int, http.Header, Body) {
	status, header, body := Answer("", f, Call{})
	body.Meta.Platform = nil
	return status, header, body
}

// openAIBody is a failure as OpenAI's clients read it.
type openAIBody struct {
	Error openAIError `json:"error"`
}

type openAIError struct {
	Message string    `json:"message"`
	Type    string    `json:"type"`
	Param   *string   `json:"param"`
	Code    soke.Code `json:"code"`
}

// OpenAI answers OpenAI's clients. They repeat 408, 409, 429 and 5xx by themselves; where a repeat
// could be charged again x-should-retry, which their SDKs obey, tells them not to.
func OpenAI(f Failure) (int, http.Header, any) {
	header := http.Header{}
	if f.RetryAfter != nil {
		header.Set("Retry-After", strconv.Itoa(*f.RetryAfter))
	}
	header.Set("X-Should-Retry", strconv.FormatBool(f.notSent && f.Retryable || f.Status == http.StatusTooManyRequests))
	e := openAIError{Message: f.Message, Type: openAIType(f.Status), Code: f.Code}
	if f.Field != "" {
		e.Param = &f.Field
	}
	return f.Status, header, openAIBody{e}
}

func openAIType(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusForbidden:
		return "permission_error"
	case status == http.StatusPaymentRequired:
		return "insufficient_quota"
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status < http.StatusInternalServerError:
		return "invalid_request_error"
	default:
		return "api_error"
	}
}
