package soke

import (
	"fmt"
	"net/http"
	"time"
)

// Code names a failure for machines. The first group is Soke's own, the second is the
// connector's; Soke may invent further ones, which pass through as they are.
type Code string

// Codes that Soke answers with.
const (
	BadRequest             Code = "BAD_REQUEST"
	TopicRequired          Code = "TOPIC_REQUIRED"
	KeywordsRequired       Code = "KEYWORDS_REQUIRED"
	Unauthorized           Code = "UNAUTHORIZED"
	InsufficientCredits    Code = "INSUFFICIENT_CREDITS"
	Forbidden              Code = "FORBIDDEN"
	SubscriptionRequired   Code = "SUBSCRIPTION_REQUIRED"
	NotFound               Code = "NOT_FOUND"
	RateLimitExceeded      Code = "RATE_LIMIT_EXCEEDED"
	PlatformNotImplemented Code = "PLATFORM_NOT_IMPLEMENTED"
	InternalError          Code = "INTERNAL_ERROR"
)

// Codes of the connector itself.
const (
	InvalidInput         Code = "INVALID_INPUT"
	IdempotencyMismatch  Code = "IDEMPOTENCY_MISMATCH"
	MethodNotAllowed     Code = "METHOD_NOT_ALLOWED"
	PayloadTooLarge      Code = "PAYLOAD_TOO_LARGE"
	UnsupportedMediaType Code = "UNSUPPORTED_MEDIA_TYPE"
	UpstreamUnavailable  Code = "UPSTREAM_UNAVAILABLE"
	UpstreamTimeout      Code = "UPSTREAM_TIMEOUT"
	ConnectorError       Code = "CONNECTOR_ERROR"
)

// Known reports whether the code is one of those above.
func (c Code) Known() bool {
	switch c {
	case BadRequest, TopicRequired, KeywordsRequired, Unauthorized, InsufficientCredits, Forbidden,
		SubscriptionRequired, NotFound, RateLimitExceeded, PlatformNotImplemented, InternalError,
		InvalidInput, IdempotencyMismatch, MethodNotAllowed, PayloadTooLarge, UnsupportedMediaType,
		UpstreamUnavailable, UpstreamTimeout, ConnectorError:
		return true
	}
	return false
}

// Error is the one error type of the connector: whatever fails, wherever it fails,
// reaches the platform that called as a value of it. An error of any other type is a
// fault of the connector and is shown as CONNECTOR_ERROR without its text.
type Error struct {
	Code Code
	// Status is the HTTP status that Soke answered with, 0 where Soke did not answer or
	// answered a failure with a status below 400.
	Status int
	// Message is for a person. It is Soke's own sentence, or ours; it may be empty.
	Message string
	// Details is what Soke or the connector adds for machines. It may be nil.
	Details map[string]any
	// Field is the name of the input at fault and Label its words on a form; both empty
	// where no single input is at fault.
	Field, Label string
	// RetryAfter is how long to wait before a repeat can succeed; 0 is unknown.
	RetryAfter time.Duration
	// NotSent reports that Soke surely did nothing, so that a repeat cannot be charged twice.
	NotSent bool
	// RequestID is Soke's, empty where Soke gave none.
	RequestID string
	// Limits is what Soke said of the caller's rate and credits along with the failure.
	Limits Limits
	// Err is the cause, for logs; no caller ever sees it.
	Err error
}

// Error returns the code and, where there is one, the message and the cause.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Limits is what the X-Soke-* headers of an answer say. A nil field was not sent.
type Limits struct {
	Limit            *int       // requests a minute
	Remaining        *int       // requests left in this minute
	Reset            *time.Time // when the minute ends
	CreditsRemaining *int
	// Header holds the X-Soke-* headers as Soke sent them, to be passed on.
	Header http.Header
}
