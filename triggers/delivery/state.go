// Package delivery brings a subscription's events to its receiver: what may be reached, how
// a delivery is signed, and what becomes of it after each answer.
package delivery

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

const (
	// giveUpAfter is how long a target may fail, from the first failed attempt on, before
	// its subscription is paused as TargetFailing.
	giveUpAfter = 72 * time.Hour
	// probeEvery is how often a target that answered that it is off is tried again.
	probeEvery = time.Hour
)

// TargetFailing is the reason of a pause that the target caused.
const TargetFailing = "TARGET_FAILING"

// waits are how long to wait after the first, second, … failure in a row; the last one repeats.
var waits = [...]time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour,
}

// Policy is what the receivers of one platform mean by an answer. The zero Policy takes every
// answer but a 2xx for a failure that may pass.
type Policy struct {
	// Ends are the statuses by which a receiver says that it is gone for good.
	Ends []int
	// Pauses are the statuses of a receiver that is off and may come back.
	Pauses []int
	// QueueFull is the text in the body of a 400 that only asks for time and holds the host, as a
	// 429 does; empty is none. It goes before the lists above.
	QueueFull string
}

// Failure tells why an attempt got no answer. The empty Failure means that there was one.
type Failure string

// The failures without an answer.
const (
	Timeout        Failure = "timeout"
	NoConnection   Failure = "no-connection"
	UnknownHost    Failure = "unknown-host"
	BadCertificate Failure = "bad-certificate"
	TargetRefused  Failure = "target-refused" // by the Guard, before a byte was sent
)

// Outcome is what one attempt came to. A status counts even if reading the body failed
// afterwards: the receiver has taken the delivery or refused it.
type Outcome struct {
	Status     int // HTTP status, 0 without an answer
	Failure    Failure
	RetryAfter time.Duration // asked for by the receiver, 0 if it did not
	QueueFull  bool
}

// holds reports whether the receiver asked that its host be left alone.
func (o Outcome) holds() bool { return o.Status == http.StatusTooManyRequests || o.QueueFull }

// Answered returns the outcome of an answer. The body may be cut: its first maxAnswer bytes
// are enough.
func (p Policy) Answered(status int, header http.Header, body []byte, now time.Time) Outcome {
	return Outcome{
		Status:     status,
		RetryAfter: soke.ParseRetryAfter(header.Get("Retry-After"), now),
		QueueFull: status == http.StatusBadRequest && p.QueueFull != "" &&
			bytes.Contains(bytes.ToLower(body), bytes.ToLower([]byte(p.QueueFull))),
	}
}

// Unanswered returns the outcome of an attempt that failed with err. Log the outcome instead
// of err: an *url.Error quotes the target's URL, and whoever holds that can post to it.
func Unanswered(err error) Outcome {
	var refused *TargetError
	var unknown *net.DNSError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &refused):
		return Outcome{Failure: TargetRefused}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return Outcome{Failure: Timeout}
	case errors.As(err, &unknown):
		return Outcome{Failure: UnknownHost}
	case errors.As(err, &certificate):
		return Outcome{Failure: BadCertificate}
	}
	return Outcome{Failure: NoConnection}
}

// String returns the status or the failure, for logs.
func (o Outcome) String() string {
	switch {
	case o.QueueFull:
		return strconv.Itoa(o.Status) + " queue full"
	case o.Status != 0:
		return strconv.Itoa(o.Status)
	case o.Failure != "":
		return string(o.Failure)
	}
	return string(NoConnection)
}

// State is what a delivery remembers between attempts. The zero State is a delivery that has
// not been tried.
type State struct {
	Attempts int // all attempts so far
	Failures int // failures in a row, which choose the next wait
	// FailingSince is the time of the first of those failures; zero if there are none.
	FailingSince time.Time
}

// Step is what to do with a delivery after an attempt.
type Step string

// The steps. Retry, Pause and Delivered leave the subscription's other events where they are.
const (
	Delivered Step = "delivered" // done; a paused subscription is active again
	Retry     Step = "retry"     // try again at Decision.At
	Pause     Step = "pause"     // pause the subscription, keep its events
	End       Step = "end"       // end the subscription, the receiver is gone
)

// Decision is the step to take and the state to store with it.
type Decision struct {
	Step Step
	// At is when to try again, always in the future. It is zero after Delivered and End, and
	// after a Pause that only a new subscribe call ends.
	At time.Time
	// Reason is set on a Pause.
	Reason string
	State  State
}

// Next returns what becomes of a delivery in state s after an attempt that ended at now.
// Jitter returns a number in [0,1), as rand.Float64 does, and lengthens a wait by up to a
// fifth, within six hours.
//
// A receiver that says that it is off has answered: it is not failing, so its pause ends the
// row of failures and lasts until it answers otherwise. A refusal by the Guard is retried as
// any failure is, because the name may resolve properly again.
func Next(p Policy, s State, o Outcome, now time.Time, jitter func() float64) Decision {
	now = now.UTC()
	s.Attempts++
	settled := State{Attempts: s.Attempts}
	switch {
	case o.Status >= 200 && o.Status <= 299:
		return Decision{Step: Delivered, State: settled}
	case !o.QueueFull && slices.Contains(p.Ends, o.Status):
		return Decision{Step: End, State: settled}
	case !o.QueueFull && slices.Contains(p.Pauses, o.Status):
		at := now.Add(max(probeEvery, min(o.RetryAfter, soke.MaxRetryAfter)))
		return Decision{Step: Pause, At: at, Reason: TargetFailing, State: settled}
	}

	// A clock that was set back must not stretch the three days.
	if s.FailingSince.IsZero() || now.Before(s.FailingSince) {
		s.FailingSince = now
	}
	if now.Sub(s.FailingSince) >= giveUpAfter {
		return Decision{Step: Pause, Reason: TargetFailing, State: settled}
	}
	wait := max(backoffAfter(s.Failures, jitter()), min(o.RetryAfter, soke.MaxRetryAfter))
	s.Failures++
	return Decision{Step: Retry, At: now.Add(wait), State: s}
}

// backoffAfter returns the wait before the next attempt when so many failures came before
// the latest one.
func backoffAfter(failures int, jitter float64) time.Duration {
	last := len(waits) - 1
	base := waits[min(max(failures, 0), last)]
	spread := time.Duration(min(max(jitter, 0), 1) * float64(base/5))
	return min(base+spread, waits[last])
}
