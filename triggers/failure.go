package triggers

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Failure is a refusal of Soke's as it is kept with a watch, so that polls and subscriptions can
// tell of it without asking Soke again.
type Failure struct {
	Code       soke.Code      `json:"code"`
	Status     int            `json:"status,omitempty"`
	Message    string         `json:"message,omitempty"`
	Details    map[string]any `json:"details,omitempty"`
	RequestID  string         `json:"requestId,omitempty"`
	RetryAfter time.Duration  `json:"retryAfter,omitempty"` // nanoseconds
	// Attempted tells that Soke may have acted, so that a repeat could be charged twice.
	Attempted bool      `json:"attempted,omitempty"`
	At        time.Time `json:"at"`
}

// FailureOf keeps what an error says. An error that is not Soke's is CONNECTOR_ERROR.
func FailureOf(err error, at time.Time) *Failure {
	var e *soke.Error
	if !errors.As(err, &e) {
		return &Failure{Code: soke.ConnectorError, At: at.UTC()}
	}
	return &Failure{
		Code: e.Code, Status: e.Status, Message: e.Message, Details: e.Details, RequestID: e.RequestID,
		RetryAfter: e.RetryAfter, Attempted: !e.NotSent, At: at.UTC(),
	}
}

// Error returns the failure as the error it was.
func (f *Failure) Error() *soke.Error {
	return &soke.Error{
		Code: f.Code, Status: f.Status, Message: f.Message, Details: f.Details, RequestID: f.RequestID,
		RetryAfter: f.RetryAfter, NotSent: !f.Attempted,
	}
}

// Encode returns the failure as JSON, for a store.
func (f *Failure) Encode() string {
	b, _ := json.Marshal(f) // it holds nothing that JSON cannot
	return string(b)
}

// DecodeFailure reads what Encode wrote; what it cannot read is nil.
func DecodeFailure(text string) *Failure {
	var f Failure
	if text == "" || json.Unmarshal([]byte(text), &f) != nil {
		return nil
	}
	return &f
}

// NeedsUser reports whether only the user can make the next run succeed, so that the watch pauses
// until then.
func (f *Failure) NeedsUser() bool {
	switch f.Code {
	case soke.SubscriptionRequired, soke.Unauthorized, soke.InsufficientCredits, soke.Forbidden:
		return true
	}
	return false
}

// Lasts reports whether Soke refused the run for what it asks, so that the next one will be refused, too.
func (f *Failure) Lasts() bool {
	asked := f.Status >= http.StatusBadRequest && f.Status < http.StatusInternalServerError && f.Code != soke.RateLimitExceeded
	return !f.NeedsUser() && (asked || f.Code == soke.PlatformNotImplemented)
}

// Passes reports whether a repeat of the run may succeed by itself and cannot be charged twice:
// Soke asked for time, said that it failed, or was surely not reached.
func (f *Failure) Passes() bool {
	switch {
	case f.Code == soke.RateLimitExceeded, !f.Attempted && f.Code == soke.UpstreamUnavailable:
		return true
	case f.Code == soke.UpstreamUnavailable, f.Code == soke.UpstreamTimeout, f.Code == soke.ConnectorError:
		return false
	}
	return f.Status >= http.StatusInternalServerError && f.Code != soke.PlatformNotImplemented
}
