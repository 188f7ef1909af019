package soke

import (
	"context"
	"encoding/json"
	"net/url"
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

// Session is one caller's calls: a client bound to a credential. It is safe for concurrent use.
type Session struct {
	client *Client
	cred   Credential
	source *TokenSource // nil unless the credential is a login's

	mu   sync.Mutex
	meta Meta
}

// Meta is what Soke said along with an answer or failure.
type Meta struct {
	RequestID string
	Limits    Limits
}

// Session returns a session for a credential.
func (c *Client) Session(cred Credential) *Session { return &Session{client: c, cred: cred} }

// Credential returns what the session's calls are authorised with.
func (s *Session) Credential() Credential {
	cred := s.cred
	if s.source != nil {
		cred.Token = s.source.held()
	}
	return cred
}

// Persists reports whether Soke keeps the session's conversations.
func (s *Session) Persists() bool { return s.source != nil || s.cred.Persists() }

// Meta returns what Soke said along with the session's latest answer or failure. It is empty where
// the latest call brought nothing from Soke.
func (s *Session) Meta() Meta {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meta
}

func (s *Session) remember(m Meta) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meta = m
}

// Call is one call of an endpoint.
type Call struct {
	// Operation labels metrics: research-keywords, chat-completion, check, soke.
	Operation string
	Method    string
	// Path is below /api/v1/, clean and without a leading slash.
	Path  string
	Query url.Values
	// Body is JSON; nil for none.
	Body []byte
	// Stream asks for an event stream; such a call goes to Session.Stream.
	Stream bool
}

// Answer is a success as Soke sent it.
type Answer struct {
	Status int // HTTP
	// Body is the whole body, nil for 204.
	Body []byte
	// RequestID is the envelope's, else the header's, else a completion's id; it may be empty.
	RequestID string
	// Limits holds the headers that may be passed on, too.
	Limits Limits

	data      gjson.Result // the envelope's
	enveloped bool
}

// Data returns the data of the envelope, null where it holds none, and nil where the body is no
// envelope.
func (a *Answer) Data() json.RawMessage {
	switch {
	case !a.enveloped:
		return nil
	case !a.data.Exists():
		return json.RawMessage("null")
	}
	return json.RawMessage(a.data.Raw)
}

// Do makes a call and reads its answer whole. Its errors are *Error: Soke's own failures with their
// code, UPSTREAM_UNAVAILABLE or UPSTREAM_TIMEOUT for everything else, wrapping context.Canceled if
// the caller left.
func (s *Session) Do(ctx context.Context, call Call) (*Answer, error) {
	until := time.Now().Add(s.client.timeout)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return repeat(ctx, s, until, func(token Token) (*Answer, error) {
		return s.attempt(ctx, token, call)
	})
}
