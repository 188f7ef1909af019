package connector_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"testing"
)

func TestARawCallPassesMethodQueryBodyAndEnvelopeThrough(t *testing.T) {
	const sent, said = `{ "a" : [1, 2.50, "é"] }`, `{"success":true,"data":{"x":1.0,"later":null},"meta":{"request_id":"soke-1"}}`
	var got *http.Request
	var body string
	s := start(t, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read, _ := io.ReadAll(r.Body)
		got, body = r, string(read)
		w.Header().Set("X-Soke-Remaining", "9")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, said)
	})))
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		want := sent
		if method == "GET" || method == "DELETE" {
			want = ""
		}
		a := s.call(method, "/v1/make/soke/jobs/job_1?b=2&a=1&a=%20%26&c", want, "X-Soke-Key", activeKey, "X-Soke-Account-Id", "acc_main", "Cookie", "a=b", "X-Other", "no")
		if a.status != http.StatusCreated || string(a.body) != said || a.header.Get("X-Soke-Request-Id") != "soke-1" || a.header.Get("X-Soke-Remaining") != "9" {
			t.Errorf("%s: %d %v %s", method, a.status, a.header, a.body)
		}
		query := url.Values{"a": {"1", " &"}, "b": {"2"}, "c": {""}}
		if got.Method != method || got.URL.Path != "/api/v1/jobs/job_1" || body != want || got.URL.Query().Encode() != query.Encode() {
			t.Errorf("%s arrived as %s %s %q", method, got.Method, got.URL, body)
		}
		if h := got.Header; h.Get("X-Soke-Key") != activeKey || h.Get("X-Soke-Account-Id") != "acc_main" || h.Get("Cookie") != "" || h.Get("X-Other") != "" {
			t.Errorf("%s arrived with %v", method, h)
		}
	}
}

func TestPeopleMayPasteARawPathWithItsRoot(t *testing.T) {
	s := start(t)
	for _, p := range []string{"jobs/none", "/jobs/none", "api/v1/jobs/none", "/api/v1/jobs/none/"} {
		a := s.call(http.MethodGet, "/v1/n8n/soke/"+p, "", "X-Soke-Key", activeKey)
		if e := a.failure(t); a.status != http.StatusNotFound || e["code"] != "NOT_FOUND" || e["field"] != nil {
			t.Errorf("%s: %d %s", p, a.status, a.body)
		}
	}
	if n := s.sandbox.CallCount("jobs/{id}"); n != 4 {
		t.Errorf("%d calls arrived, want 4", n)
	}
}

func TestNoRawPathLeavesTheAPIOrSignsIn(t *testing.T) {
	var arrived atomic.Int64
	s := start(t, withUpstream(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) })))
	for _, p := range []string{
		"auth/login", "AUTH/login", "Auth/refresh", "%61uth/login", "a%75th%2flogin", "auth", "auth/", "/auth/login", "//auth/login", "%2fauth/login",
		"api/v1/auth/login", "/api/v1//auth/login", "./auth/login", "%2e/auth/login", "jobs/../auth/login", "jobs/%2e%2e/auth/login",
		"..", "../admin", "%2e%2e/admin", "%2E%2E%2Fadmin", "..%2fadmin", "%252e%252e/admin", "%25%32%65%25%32%65/admin", "..%5cadmin", `..\admin`, "...", "jobs/...",
		"jobs//x", "jobs%2f%2fx", "jobs/%00", "jobs/%0d%0aX-Evil:1", "jobs/%zz", "jobs/x%3fy=1", "jobs/x%23y", "jobs/x;y", "jobs/%20", "jobs/%ff", "jobs/%c0%ae%c0%ae", "jobs/．．", "jobs/ａuth",
		"http:%2f%2f127.0.0.1/x", "@127.0.0.1/ x", "", "/", strings.Repeat("a", 201), strings.Repeat("a/", 600) + "a",
	} {
		for _, d := range platforms() {
			a := rawPath(s, "/v1/"+string(d.Name())+"/soke/"+p)
			e := a.failure(t)
			if code := e["code"]; (a.status != http.StatusBadRequest || code != "INVALID_INPUT") && (a.status != http.StatusNotFound || code != "NOT_FOUND") {
				t.Errorf("%s %q: %d %s", d.Name(), p, a.status, a.body)
			}
			if m := e["message"].(string); len([]rune(m)) > 250 || strings.ContainsAny(m, "\r\n\x00") {
				t.Errorf("%s %q is refused with %q", d.Name(), p, m)
			}
		}
	}
	if n := arrived.Load(); n != 0 {
		t.Errorf("%d calls arrived", n)
	}
}

// rawPath asks for a path as it stands, as no client of net/http would.
func rawPath(s *service, target string) answer {
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.RequestURI = target
	if u, err := url.ParseRequestURI(target); err == nil {
		req.URL = u
	} else {
		req.URL = &url.URL{Path: target}
	}
	req.Header.Set("X-Soke-Key", activeKey)
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, req)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

func TestARawBodyMustBeJSON(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct {
		body, kind, code string
		status           int
	}{
		"a form":      {"a=b", "application/x-www-form-urlencoded", "UNSUPPORTED_MEDIA_TYPE", 415},
		"broken JSON": {`{"a":`, "application/json", "INVALID_INPUT", 400},
		"too large":   {`"` + strings.Repeat("a", 1<<20) + `"`, "application/json", "PAYLOAD_TOO_LARGE", 413},
	} {
		a := s.post("/v1/zapier/soke/content/score", c.body, "Content-Type", c.kind)
		if e := a.failure(t); a.status != c.status || e["code"] != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if n := s.sandbox.CallCount("content/score"); n != 0 {
		t.Errorf("%d calls arrived", n)
	}
}

// FuzzRawPath asks for any path: whatever arrives at Soke stays below /api/v1/, reads the same
// however often it is decoded or cleaned, and never signs in.
func FuzzRawPath(f *testing.F) {
	for _, seed := range []string{
		"jobs/x", "/api/v1/jobs/x", "%61uth/login", "a/%2e%2e/auth", "a//b", "..%2f", `a\b`, "%252e", "api/v1/api/v1/auth", "a?b=c#d", "auth.", "AUTH/", ".", "~", "a:b@c",
	} {
		f.Add(seed)
	}
	var arrived []string
	s := start(f, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived = append(arrived, r.RequestURI)
		_, _ = io.WriteString(w, `{"success":true,"data":{}}`)
	})))
	f.Fuzz(func(t *testing.T, p string) {
		arrived = nil
		a := rawPath(s, "/v1/make/soke/"+p)
		switch {
		case a.status == http.StatusOK && len(arrived) == 1:
		case a.status < 500 && len(arrived) == 0:
			a.failure(t)
			return
		default:
			t.Fatalf("%q: %d %s after %q", p, a.status, a.body, arrived)
		}
		target, _, _ := strings.Cut(arrived[0], "?")
		decoded, err := url.PathUnescape(target)
		if err != nil || decoded != target || path.Clean(target) != target || !strings.HasPrefix(target, "/api/v1/") {
			t.Errorf("%q arrived as %q", p, target)
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(target, "/api/v1/"), "/")
		if strings.EqualFold(first, "auth") {
			t.Errorf("%q signs in: %q", p, target)
		}
	})
}
