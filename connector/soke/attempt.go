package soke

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// maxAnswer bounds an answer, after decompression.
const maxAnswer = 8 << 20

// attempt makes a call once.
func (s *Session) attempt(ctx context.Context, token Token, call Call) (answer *Answer, err error) {
	err = s.observed(call, func(o *Observation) error {
		resp, err := s.send(ctx, token, call, o)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		answer, err = s.read(ctx, resp)
		return err
	})
	return answer, err
}

// observed tells of an attempt, and remembers what Soke said along with its failure.
func (s *Session) observed(call Call, attempt func(*Observation) error) error {
	o, begun := Observation{Operation: call.Operation}, time.Now()
	err := attempt(&o)
	if failure := (*Error)(nil); errors.As(err, &failure) {
		if failure.Code == NotFound && failure.namesAccount() {
			failure.Field, failure.Label = accountField, accountLabel
		}
		o.Code = failure.Code
		s.remember(Meta{RequestID: failure.RequestID, Limits: failure.Limits})
	}
	o.Duration = time.Since(begun)
	s.client.observe(o)
	return err
}

// send sends a call and returns the head of its answer.
func (s *Session) send(ctx context.Context, token Token, call Call, o *Observation) (*http.Response, error) {
	if err := s.client.enter(ctx); err != nil {
		return nil, lost(ctx, err, true)
	}
	var left, connected, written atomic.Bool
	leave := func() {
		if !left.Swap(true) {
			s.client.leave()
		}
	}
	defer leave()
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			leave()
			connected.Store(true)
		},
		WroteHeaders: func() { written.Store(true) },
	})
	r, err := s.request(traced, token, call)
	if err != nil {
		return nil, &Error{Code: ConnectorError, NotSent: true, Err: scrub(err)}
	}
	resp, err := s.client.transport.RoundTrip(r) // no redirects, no cookies
	if err != nil {
		// Once the headers are on their way Soke may act on them; before, it surely did nothing.
		// When the context ends, net/http leaves without waiting for a writer that may be at
		// work, so then a connection is enough to be unsure.
		notSent := !connected.Load() || !written.Load() && ctx.Err() == nil
		return nil, lost(ctx, err, notSent)
	}
	o.Status = resp.StatusCode
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// net/http gives such a connection away: neither the context nor a deadline would end a read.
		_ = resp.Body.Close()
		return nil, foreign(resp, s.client.now(), errors.New("nobody asked for another protocol"))
	}
	return resp, nil
}

// enter takes a place among the calls that wait for a connection.
func (c *Client) enter(ctx context.Context) error {
	if c.opening == nil {
		return nil
	}
	select {
	case c.opening <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives the place back.
func (c *Client) leave() {
	if c.opening != nil {
		<-c.opening
	}
}

// request builds the HTTP request of a call.
func (s *Session) request(ctx context.Context, token Token, call Call) (*http.Request, error) {
	target := *s.client.base
	target.Path += apiRoot + call.Path
	target.RawQuery = call.Query.Encode()
	var body io.Reader
	if call.Body != nil {
		body = bytes.NewReader(call.Body)
	}
	r, err := http.NewRequestWithContext(ctx, call.Method, target.String(), body)
	if err != nil {
		return nil, err
	}
	sendOnce(r)
	h := r.Header
	h.Set("Accept", "application/json")
	if call.Stream {
		h.Set("Accept", "text/event-stream, application/json")
		h.Set("Accept-Encoding", "identity") // compressors hold events back
	}
	if call.Body != nil {
		h.Set("Content-Type", "application/json")
	}
	h.Set("User-Agent", s.client.userAgent)
	if s.cred.AccountID != "" {
		h.Set("X-Soke-Account-Id", s.cred.AccountID)
	}
	// The only place where a secret leaves.
	switch {
	case !s.cred.Key.IsZero():
		h.Set("X-Soke-Key", s.cred.Key.Reveal())
	case !token.IsZero():
		h.Set("Authorization", "Bearer "+token.Reveal())
	}
	return r, nil
}

// sendOnce keeps net/http from sending a GET or its like again by itself when a reused connection
// breaks after it was written: a GET of Soke's can cost credits, trends/scan for one. The
// transport leaves alone what has a body that cannot be had twice; an empty one is not sent.
// It repeats a POST only if nothing of it was written, which is as good as no attempt.
func sendOnce(r *http.Request) {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return
	}
	r.GetBody = nil
	if r.Body == nil {
		r.Body = io.NopCloser(bytes.NewReader(nil))
	}
}

// read reads an answer whole and decodes it.
func (s *Session) read(ctx context.Context, resp *http.Response) (*Answer, error) {
	limits := limitsOf(resp.Header)
	raw, err := readAll(resp)
	if err != nil {
		failure := lost(ctx, err, false)
		failure.RequestID, failure.Limits = headerRequestID(resp.Header), limits
		return nil, failure
	}
	answer, failure := decode(resp, raw, s.client.now())
	if failure != nil {
		failure.Limits = limits
		return nil, failure
	}
	answer.Limits = limits
	s.remember(Meta{RequestID: answer.RequestID, Limits: limits})
	return answer, nil
}

var errTooLarge = errors.New("the answer is larger than 8 MiB")

func readAll(resp *http.Response) ([]byte, error) {
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= maxAnswer {
		b.Grow(int(n) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && n > maxAnswer {
		err = errTooLarge
	}
	return b.Bytes(), err
}

// errImpatient is the cause that a stream's context ends with when Soke lets it wait too long.
var errImpatient = errors.New("no chunk came in time")

// lost makes the error of a call that brought no whole answer. Time that ran out before there was
// a connection stays UPSTREAM_UNAVAILABLE: no connection is what happened, and a repeat is safe.
func lost(ctx context.Context, err error, notSent bool) *Error {
	e := &Error{Code: UpstreamUnavailable, NotSent: notSent, Err: scrub(err)}
	switch {
	case errors.Is(context.Cause(ctx), errImpatient), errors.Is(ctx.Err(), context.DeadlineExceeded):
		if !notSent {
			e.Code = UpstreamTimeout
		}
		e.Err = context.DeadlineExceeded
	case ctx.Err() != nil:
		e.Err = ctx.Err()
	}
	return e
}

// scrub keeps a cause for the log without what it must not hold: the URL with its query, and
// secrets that a server wrote into what net/http quotes of it.
func scrub(err error) error {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err
	}
	return scrubbed{err}
}

type scrubbed struct{ err error }

func (s scrubbed) Error() string { return cleanText(s.err.Error(), maxCause) }
func (s scrubbed) Unwrap() error { return s.err }
