package connector_test

import (
	"bytes"
	"context"
	"encoding/json"
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
}

type option func(*setup)

type setup struct {
	upstream http.Handler
	address  string // in place of the upstream's own
	patience time.Duration
	timeout  time.Duration
	now      func() time.Time
	actions  []actions.Action
	requests int
	proxies  []netip.Prefix
	answers  func(*sqlite.DB) connector.AnswerStore
}

func withUpstream(h http.Handler) option { return func(s *setup) { s.upstream = h } }
func withTimeout(d time.Duration) option { return func(s *setup) { s.timeout = d } }

func withAddress(url string) option          { return func(s *setup) { s.address = url } }
func withBodyTimeout(d time.Duration) option { return func(s *setup) { s.patience = d } }

func start(t testing.TB, options ...option) *service {
	t.Helper()
	box := sandbox.New(sandbox.Options{})
	set := setup{upstream: box, timeout: 10 * time.Second, now: time.Now, actions: actions.All(), answers: func(db *sqlite.DB) connector.AnswerStore { return db }}
	for _, o := range options {
		o(&set)
	}
	upstream := httptest.NewServer(set.upstream)
	t.Cleanup(upstream.Close)
	if set.address == "" {
		set.address = upstream.URL
	}

	s := &service{t: t, sandbox: box, logs: &lockedBuffer{}, database: filepath.Join(t.TempDir(), "connector.db")}
	logger := slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	db, err := sqlite.Open(context.Background(), sqlite.Options{Path: s.database, Logger: logger, Now: set.now})
	if err != nil {
		t.Fatalf("opening the database: %v", err)
	}
	s.db = db
	metrics := connector.NewMetrics()
	client, err := soke.New(soke.Options{BaseURL: set.address, Timeout: set.timeout, UserAgent: "test", Observe: metrics.ObserveSoke})
	if err != nil {
		t.Fatal(err)
	}
	s.server, err = connector.New(connector.Config{
		Soke: client, Catalogue: platform.Catalogue{Actions: set.actions}, Platforms: platforms(),
		Answers: set.answers(db), Ready: db.Writable, Metrics: metrics, Logger: logger, Version: "test", Now: set.now, CallTimeout: set.timeout,
		BodyTimeout: set.patience, MaxRequests: set.requests, Proxies: set.proxies,
	})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(s.server)
	s.url, s.admin, s.client = front.URL, s.server.AdminHandler(), front.Client()
	t.Cleanup(func() {
		front.Close()
		if err := s.server.Drain(context.Background()); err != nil {
			t.Errorf("draining: %v", err)
		}
		client.Close()
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
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
