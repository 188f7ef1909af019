package soke

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/tmaxmax/go-sse"
)

// maxEvent bounds one event of a stream, in bytes.
const maxEvent = 1 << 20

// StreamEnd is the data of the event that ends a stream, as OpenAI has it.
const StreamEnd = "[DONE]"

// Stream is an answer that comes in events. It is for one reader; Close frees its call.
type Stream struct {
	session *Session
	ctx     context.Context //nolint:containedctx // a stream is its call, still going on
	cancel  context.CancelCauseFunc
	meta    Meta
	body    *patientBody // nil if Soke did not stream
	whole   *Answer      // nil if it did
}

// Stream makes a call that is answered in events, and returns when their head is here. Its errors
// are *Error, as those of Do.
func (s *Session) Stream(ctx context.Context, call Call) (*Stream, error) {
	call.Stream = true
	ctx, cancel := context.WithCancelCause(ctx)
	st := &Stream{session: s, ctx: ctx, cancel: cancel}
	patience := time.AfterFunc(s.client.timeout, func() { cancel(errImpatient) })
	defer patience.Stop()
	until := time.Now().Add(s.client.timeout)
	_, err := repeat(ctx, s, until, func(token Token) (*Stream, error) {
		return st, s.observed(call, func(o *Observation) error { return st.open(token, call, o) })
	})
	if err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

// open sends the call and reads the head of its answer, or the whole of one that is no stream.
func (st *Stream) open(token Token, call Call, o *Observation) error {
	s := st.session
	resp, err := s.send(st.ctx, token, call, o)
	if err != nil {
		return err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode == http.StatusOK && kind == "text/event-stream" {
		st.body = newPatientBody(resp.Body, s.client.timeout, st.cancel)
		st.meta = Meta{RequestID: headerRequestID(resp.Header), Limits: limitsOf(resp.Header)}
		s.remember(st.meta)
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	st.whole, err = s.read(st.ctx, resp)
	return err
}

// Whole returns the answer of a Soke that did not stream although it was asked to, and nil for a
// stream.
func (st *Stream) Whole() *Answer { return st.whole }

// Events yields the data of each complete event up to [DONE], which is not yielded. It goes out
// unchanged, as JSON in UTF-8, or not at all: a stream that holds anything else, breaks off before
// its end, stalls, or reports a failure ends with an *Error. An answer that is no
// stream is yielded as one event. Events is to be ranged over once.
func (st *Stream) Events() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if st.body == nil {
			yield(string(st.whole.Body), nil)
			return
		}
		for event, err := range sse.Read(st.body, &sse.ReadConfig{MaxEventSize: maxEvent}) {
			if err != nil {
				yield("", st.fail(lost(st.ctx, err, false)))
				return
			}
			data := event.Data
			switch strings.TrimSpace(data) {
			case StreamEnd:
				return
			case "":
				continue
			}
			if err := proven([]byte(data)); err != nil {
				yield("", st.fail(lost(st.ctx, fmt.Errorf("an event of the stream: %w", err), false)))
				return
			}
			if failure := st.refusalIn(data); failure != nil {
				yield("", st.fail(failure))
				return
			}
			if !yield(data, nil) {
				return
			}
		}
		yield("", st.fail(lost(st.ctx, errors.New("the stream broke off before its end"), false)))
	}
}

// refusalIn finds the failure that Soke can only report in the midst of a stream: its envelope.
func (st *Stream) refusalIn(data string) *Error {
	if !strings.Contains(data, `"success"`) {
		return nil
	}
	head := &http.Response{StatusCode: http.StatusOK}
	if _, failure := decode(head, []byte(data), st.session.client.now()); failure != nil && failure.Code != UpstreamUnavailable {
		return failure
	}
	return nil
}

func (st *Stream) fail(e *Error) *Error {
	if e.RequestID == "" {
		e.RequestID = st.meta.RequestID
	}
	e.Limits = st.meta.Limits
	return e
}

// Close frees the call. It may be called more than once.
func (st *Stream) Close() {
	st.cancel(context.Canceled)
	if st.body != nil {
		_ = st.body.Close()
	}
}

// patientBody ends its call when a chunk does not come in time. The time in which nobody reads
// does not count, so that a slow reader is not taken for a stalled Soke.
type patientBody struct {
	io.ReadCloser
	wait  time.Duration
	timer *time.Timer
}

func newPatientBody(body io.ReadCloser, wait time.Duration, cancel context.CancelCauseFunc) *patientBody {
	timer := time.AfterFunc(wait, func() { cancel(errImpatient) })
	timer.Stop()
	return &patientBody{ReadCloser: body, wait: wait, timer: timer}
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.wait)
	defer b.timer.Stop()
	return b.ReadCloser.Read(p)
}
