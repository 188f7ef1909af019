package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a sandbox over TCP with a clock of the test's own.
type box struct {
	t      *testing.T
	server *sandbox.Server
	http   *httptest.Server
	mu     sync.Mutex
	now    time.Time
}

func open(t *testing.T) *box {
	t.Helper()
	b := &box{t: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	b.server = sandbox.New(sandbox.Options{SlowFor: time.Millisecond, Now: func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now
	}})
	b.http = httptest.NewServer(b.server)
	t.Cleanup(b.http.Close)
	return b
}

func (b *box) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// reply is an answer read whole.
type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (r reply) code() string {
	code, _ := r.part("error")["code"].(string)
	return code
}

// part is an object of the answer's: data, error or meta.
func (r reply) part(name string) map[string]any {
	o, _ := r.body[name].(map[string]any)
	return o
}

func (r reply) text(name string) string {
	s, _ := r.part("data")[name].(string)
	return s
}

// ask sends a request; head is pairs of header names and values.
func (b *box) ask(method, path, body string, head ...string) reply {
	b.t.Helper()
	r, err := b.try(method, path, body, head...)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// try is ask for a test that expects no answer, or that is on another goroutine.
func (b *box) try(method, path, body string, head ...string) (reply, error) {
	request, err := http.NewRequest(method, b.http.URL+"/api/v1/"+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(head); i += 2 {
		request.Header.Set(head[i], head[i+1])
	}
	answer, err := b.http.Client().Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	r := reply{status: answer.StatusCode, header: answer.Header}
	if r.raw, err = io.ReadAll(answer.Body); err != nil {
		return r, err
	}
	_ = json.Unmarshal(r.raw, &r.body)
	return r, nil
}

const (
	keywords = `{"topic":"home espresso"}`
	chat     = `{"messages":[{"role":"user","content":"hello"}]}`
	nowhere  = "00000000-0000-0000-0000-000000000000"
)

// endpoint is a call that an active key succeeds with, or that names something there is not.
type endpoint struct {
	method, path, body string
	credits            int
	status             int
}

// endpoints are all of Soke's that need a credential.
var endpoints = []endpoint{
	{"POST", "research/keywords", keywords, 2, 200},
	{"POST", "chat/completions", chat, 5, 200},
	{"POST", "research/content", `{"keywords":["home espresso"]}`, 2, 200},
	{"POST", "content/optimize-title", `{"draftTitle":"Espresso"}`, 3, 200},
	{"POST", "content/score", `{"content":"Espresso at home"}`, 2, 200},
	{"POST", "content/generate-description", `{"title":"Espresso"}`, 3, 200},
	{"POST", "tags/suggest", `{"topic":"home espresso"}`, 1, 200},
	{"POST", "content/repurpose", `{"content":"Espresso at home"}`, 4, 200},
	{"GET", "trends/scan", "", 2, 200},
	{"POST", "competitor/analyze", `{"channelUrl":"https://www.youtube.com/@north"}`, 3, 200},
	{"POST", "thumbnail/generate", `{}`, 4, 200},
	{"POST", "thumbnail/generate-background", `{}`, 4, 200},
	{"POST", "transcription", `{"url":"https://www.youtube.com/watch?v=1"}`, 1, 200},
	{"GET", "transcription/" + nowhere, "", 0, 404},
	{"GET", "jobs/" + nowhere, "", 0, 404},
}

func (b *box) call(e endpoint, head ...string) reply {
	b.t.Helper()
	return b.ask(e.method, e.path, e.body, head...)
}

// key is the header of one of the sandbox's keys.
func key(name string) []string { return []string{"X-Soke-Key", "sk_live_sandbox_" + name} }

const active = "sk_live_sandbox_active"

// signIn returns the tokens of the one user who can sign in.
func (b *box) signIn() (access, refresh string) {
	b.t.Helper()
	r := b.ask("POST", "auth/login", `{"email":"demo@example.com","password":"sandbox"}`)
	if access, refresh = r.text("accessToken"), r.text("refreshToken"); r.status != 200 || access == "" || refresh == "" {
		b.t.Fatalf("login: %d %s", r.status, r.raw)
	}
	return access, refresh
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }
