package connector_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/platform/make"
	"github.com/usesoke/soke-connector/connector/platform/n8n"
	"github.com/usesoke/soke-connector/connector/platform/zapier"
	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	activeKey  = "sk_live_sandbox_active"
	expiredKey = "sk_live_sandbox_expired"
)

func platforms() []platform.Dialect {
	return []platform.Dialect{zapier.Dialect{}, n8n.Dialect{}, make.Dialect{}}
}

// service is a whole connector in front of a whole sandbox (or of another upstream), over TCP.
type service struct {
	t        testing.TB
	url      string
	admin    http.Handler
	sandbox  *sandbox.Server
	logs     *lockedBuffer
	database string
	db       *sqlite.DB
	server   *connector.Server
	client   *http.Client
	stop     func() // once
}

type option func(*setup)

// setup is what a test may want otherwise.
type setup struct {
	upstream func(sandbox http.Handler) http.Handler
	address  string // in place of the upstream's own
	database string
	timeout  time.Duration // of Soke
	patience time.Duration // with bodies
	requests int
	proxies  []netip.Prefix
	guard    delivery.GuardOptions // of webhooks and callbacks
	answers  func(*sqlite.DB) connector.AnswerStore
	// callbacks keeps callbacks; nil refuses them. Their engine works in real time.
	callbacks func(*sqlite.DB) connector.CallbackStore
	// watching gets the engines of triggers; nil has no triggers. engine is how its outbox works.
	watching *watching
	engine   delivery.EngineOptions
	outbox   func(*sqlite.DB) delivery.Store // what the outbox asks; nil is the database
}

func withUpstream(h http.Handler) option {
	return func(s *setup) { s.upstream = func(http.Handler) http.Handler { return h } }
}

func withAddress(url string) option          { return func(s *setup) { s.address = url } }
func withDatabase(path string) option        { return func(s *setup) { s.database = path } }
func withTimeout(d time.Duration) option     { return func(s *setup) { s.timeout = d } }
func withBodyTimeout(d time.Duration) option { return func(s *setup) { s.patience = d } }

func withCallbacks(s *setup) {
	s.callbacks = func(db *sqlite.DB) connector.CallbackStore { return db }
}

// start starts a connector that runs actions, and what else the options say. Webhooks and callbacks
// may go to loopback.
func start(t testing.TB, options ...option) *service {
	t.Helper()
	set := setup{
		upstream: func(sandbox http.Handler) http.Handler { return sandbox }, timeout: 10 * time.Second,
		database: filepath.Join(t.TempDir(), "connector.db"),
		guard:    delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true},
		answers:  func(db *sqlite.DB) connector.AnswerStore { return db },
	}
	for _, o := range options {
		o(&set)
	}
	clock := time.Now
	if set.watching != nil {
		clock = set.watching.clock
	}
	s := &service{t: t, sandbox: sandbox.New(sandbox.Options{Now: clock}), logs: &lockedBuffer{}, database: set.database}
	upstream := httptest.NewServer(set.upstream(s.sandbox))
	logger := slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	db, err := sqlite.Open(context.Background(), sqlite.Options{Path: s.database, Logger: logger, Now: clock})
	if err != nil {
		t.Fatalf("opening the database: %v", err)
	}
	s.db = db
	metrics := connector.NewMetrics()
	client, err := soke.New(soke.Options{
		BaseURL: cmp.Or(set.address, upstream.URL), Timeout: set.timeout, UserAgent: "test", Observe: metrics.ObserveSoke, Now: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := delivery.NewGuard(set.guard)
	if err != nil {
		t.Fatal(err)
	}
	post := guard.Client(5 * time.Second)
	config := connector.Config{
		Soke: client, Catalogue: platform.Catalogue{Actions: actions.All()}, Platforms: platforms(),
		Answers: set.answers(db), Ready: db.Writable, Metrics: metrics, Logger: logger, Version: "test", Now: clock, CallTimeout: set.timeout,
		BodyTimeout: set.patience, MaxRequests: set.requests, Proxies: set.proxies,
	}
	if set.callbacks != nil {
		config.Callbacks = &connector.Callbacks{Store: set.callbacks(db), Targets: guard, Client: post, UserAgent: "soke-connector/test"}
	}
	if set.watching != nil {
		set.watching.service = s
		config.Catalogue.Triggers = triggers.All()
		if set.outbox != nil {
			set.engine.Store = set.outbox(db)
		}
		config.Watching = set.watching.build(set.engine, client, guard, metrics, logger)
	}
	s.server, err = connector.New(config)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(s.server)
	s.url, s.admin, s.client = front.URL, s.server.AdminHandler(), front.Client()
	ctx, cancel := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { _ = s.server.Run(ctx) })
	s.stop = sync.OnceFunc(func() {
		front.Close()
		cancel()
		background.Wait()
		drains := []func(context.Context) error{s.server.Drain}
		if w := set.watching; w != nil {
			drains = []func(context.Context) error{w.scheduler.Drain, w.outbox.Drain, s.server.Drain}
		}
		for _, drain := range drains {
			if err := drain(context.Background()); err != nil && !errors.Is(err, sqlite.ErrClosed) {
				t.Errorf("draining: %v", err)
			}
		}
		client.Close()
		post.CloseIdleConnections()
		upstream.Close()
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// answer is a response read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// object decodes the body, or fails the test.
func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("the answer is no JSON object: %v\n%s", err, a.body)
	}
	return v
}

// failure is the native error of an answer, or a failed test.
func (a answer) failure(t *testing.T) map[string]any {
	t.Helper()
	e, ok := a.object(t)["error"].(map[string]any)
	if !ok {
		t.Fatalf("the answer holds no error: %s", a.body)
	}
	return e
}

// call sends one request. Headers are name, value pairs; JSON is declared for every body unless
// they say otherwise.
func (s *service) call(method, path, body string, headers ...string) answer {
	s.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: reading the answer: %v", method, path, err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: read}
	validateAgainstOpenAPI(s.t, s, req, a)
	return a
}

// post calls with the sandbox's good key.
func (s *service) post(path, body string, headers ...string) answer {
	s.t.Helper()
	return s.call(http.MethodPost, path, body, append([]string{"X-Soke-Key", activeKey}, headers...)...)
}

// metrics is what the admin listener shows.
func (s *service) metrics() string {
	w := httptest.NewRecorder()
	s.admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// lockedBuffer takes logs from many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
