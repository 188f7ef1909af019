// Package connector is the service: it takes requests in the words of an automation platform,
// has Soke answer them, and answers in the same platform's words.
//
// The way of a request: observe (request id, log line, metrics) → credential → handler → the
// operation of the catalogue → output. A failure anywhere is an error value, which fail.go says in the
// caller's dialect.
package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
)

// Config is what a Server is made of. Every field is required unless it says otherwise.
type Config struct {
	Soke      *soke.Client
	Catalogue platform.Catalogue
	Platforms []platform.Dialect
	// Watching is what triggers need; nil if the catalogue has none.
	Watching *Watching
	// Callbacks is what actions need to post their answers; nil refuses callbacks.
	Callbacks *Callbacks
	// Answers keeps the answers of idempotent actions.
	Answers AnswerStore
	// Ready reports why the connector cannot do its work, or nil.
	Ready func(context.Context) error
	// Metrics counts what the server does.
	Metrics *Metrics
	Logger  *slog.Logger
	// Version is shown in OpenAPI; PublicURL, where it is known, is its server.
	Version, PublicURL string
	// CallTimeout bounds a paid call that goes on after its caller has left. 0 is two minutes.
	CallTimeout time.Duration
	// BodyTimeout is how long a caller may take to send a request's body. 0 is 30 seconds.
	BodyTimeout time.Duration
	// MaxRequests is how many requests are answered at a time; more are asked to come back. 0 is no
	// limit. In HTTP/2 one socket may carry many.
	MaxRequests int
	// Proxies are the networks whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Server answers the platforms.
type Server struct {
	Config
	echo      *echo.Echo
	routes    []route
	openAPI   []byte
	paidOnce  *paidOnce
	callbacks *callbackEngine
	inFlight  atomic.Int64
}

// New builds the server with every route of its table.
func New(c Config) (*Server, error) {
	if c.Soke == nil || c.Answers == nil || c.Ready == nil || c.Metrics == nil || c.Logger == nil {
		return nil, errors.New("connector: incomplete Config")
	}
	if len(c.Catalogue.Triggers) > 0 && c.Watching == nil {
		return nil, errors.New("connector: triggers without Watching")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = 2 * time.Minute
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = 30 * time.Second
	}
	s := &Server{Config: c}
	s.paidOnce = newPaidOnce(c.Answers, c.CallTimeout, c.Now, c.Logger)
	if c.Callbacks != nil {
		s.callbacks = newCallbackEngine(*c.Callbacks, s)
	}
	if err := c.Metrics.countInFlight(&s.inFlight); err != nil {
		return nil, fmt.Errorf("connector: metrics: %w", err)
	}
	s.routes = s.table()
	doc, err := s.document()
	if err != nil {
		return nil, fmt.Errorf("connector: OpenAPI: %w", err)
	}
	s.openAPI = doc

	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.IPExtractor = clientAddress(c.Proxies)
	e.Use(s.observe, s.admit, s.onlyKnownVerbs, s.recover)
	for _, r := range s.routes {
		e.Add(r.method, r.path, s.enter(r))
		if r.method == http.MethodGet && r.dialect == nil && r.open { // what monitors of a service ask
			e.Add(http.MethodHead, r.path, s.enter(r))
		}
	}
	s.echo = e
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// InFlight returns how many requests are being answered.
func (s *Server) InFlight() int { return int(s.inFlight.Load()) }

// Run works on callbacks until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	if s.callbacks == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.callbacks.run(ctx)
}

// Drain waits for the paid calls that go on without their callers, until ctx ends.
func (s *Server) Drain(ctx context.Context) error {
	var err error
	if s.callbacks != nil {
		err = s.callbacks.drain(ctx)
	}
	return errors.Join(err, s.paidOnce.drain(ctx))
}
