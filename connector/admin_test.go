package connector_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// admin asks the operator's listener.
func (s *service) askAdmin(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestOnlyTheOperatorSeesMetricsAndProfiles(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1", "/healthz", "/readyz"} {
		if w := s.askAdmin(path); w.Code != http.StatusOK {
			t.Errorf("the operator gets %d for %s", w.Code, path)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/v1/zapier/metrics"} {
		if a := s.call(http.MethodGet, path, "", "X-Soke-Key", activeKey); a.status != http.StatusNotFound {
			t.Errorf("everybody gets %d for %s", a.status, path)
		}
	}
	if w := s.askAdmin("/v1/zapier/catalog"); w.Code != http.StatusNotFound {
		t.Errorf("the operator's listener serves the platforms: %d", w.Code)
	}
}

func TestAConnectorWithoutStorageIsNotReadyAndPaysForNothing(t *testing.T) {
	s := start(t)
	if a := s.call(http.MethodGet, "/readyz", ""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	if a := s.call(http.MethodGet, "/readyz", ""); a.status != http.StatusServiceUnavailable || strings.Contains(string(a.body), "sql") {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
	if a := s.call(http.MethodGet, "/healthz", ""); a.status != http.StatusOK {
		t.Errorf("healthz: %d %s", a.status, a.body)
	}
	for _, p := range platforms() {
		a := s.post("/v1/"+string(p.Name())+"/actions/research-keywords", `{"topic":"x"}`, "Idempotency-Key", "run-1")
		e := a.failure(t)
		if a.status != http.StatusServiceUnavailable || e["code"] != "CONNECTOR_ERROR" || a.header.Get("Retry-After") != "60" {
			t.Errorf("%s: %d %s", p.Name(), a.status, a.body)
		}
		if kind := e["type"]; p.Name() == "zapier" && kind != "ThrottledError" {
			t.Errorf("zapier raises %v", kind)
		}
	}
	if n := s.sandbox.CallCount("research/keywords"); n != 0 {
		t.Errorf("%d calls reached Soke", n)
	}
	if a := s.post("/v1/make/actions/research-keywords", `{"topic":"x"}`); a.status != http.StatusOK {
		t.Errorf("a call that needs no storage: %d %s", a.status, a.body)
	}
}

func TestACallersRequestIDIsKeptIfItIsOne(t *testing.T) {
	s := start(t)
	for _, id := range []string{"a", "Run-7_a.b", strings.Repeat("x", 128)} {
		if a := s.call(http.MethodGet, "/v1/make/catalog", "", "X-Request-Id", id); a.header.Get("X-Request-Id") != id {
			t.Errorf("%q became %q", id, a.header.Get("X-Request-Id"))
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", strings.Repeat("x", 129), "a b", "a:b", "a\tb", "é", "a/b", "<script>", "sk_live_canary_0123456789"} {
		got := s.call(http.MethodGet, "/v1/make/nothing", "", "X-Request-Id", id).header.Get("X-Request-Id")
		if got == id || len(got) != 36 || seen[got] {
			t.Errorf("%q became %q", id, got)
		}
		seen[got] = true
	}
}

func TestWhatTheRouterRefusesIsNativeToo(t *testing.T) {
	s := start(t)
	for _, p := range platforms() {
		root := "/v1/" + string(p.Name())
		for _, c := range []struct {
			name, method, path, body, kind string
			status                         int
			code, allow                    string
		}{
			{"nothing", "GET", root, "", "", 404, "NOT_FOUND", ""},
			{"nothing below", "GET", root + "/actions", "", "", 404, "NOT_FOUND", ""},
			{"another case", "GET", root + "/Connection", "", "", 404, "NOT_FOUND", ""},
			{"a double slash", "GET", root + "//connection", "", "", 404, "NOT_FOUND", ""},
			{"an escape", "GET", root + "/%63onnection", "", "", 404, "NOT_FOUND", ""},
			{"a path upwards", "GET", root + "/x/../connection", "", "", 404, "NOT_FOUND", ""},
			{"action by GET", "GET", root + "/actions/research-keywords", "", "", 405, "METHOD_NOT_ALLOWED", "POST"},
			{"connection by POST", "POST", root + "/connection", `{}`, "", 405, "METHOD_NOT_ALLOWED", "GET"},
			{"check by PUT", "PUT", root + "/connection/check", "", "", 405, "METHOD_NOT_ALLOWED", "GET"},
			{"raw by TRACE", "TRACE", root + "/soke/jobs/x", "", "", 405, "METHOD_NOT_ALLOWED", "PATCH"},
			{"no type", "POST", root + "/actions/chat-completion", `{}`, "-", 415, "UNSUPPORTED_MEDIA_TYPE", ""},
			{"text", "POST", root + "/estimate", `{}`, "text/json", 415, "UNSUPPORTED_MEDIA_TYPE", ""},
			{"too large", "POST", root + "/estimate", `{"action":"` + strings.Repeat("a", 1<<20) + `"}`, "", 413, "PAYLOAD_TOO_LARGE", ""},
		} {
			headers := []string{"X-Soke-Key", activeKey}
			if c.kind != "" {
				headers = append(headers, "Content-Type", strings.TrimPrefix(c.kind, "-"))
			}
			a := s.call(c.method, c.path, c.body, headers...)
			o := a.object(t)
			e, meta := a.failure(t), o["meta"].(map[string]any)
			if a.status != c.status || e["code"] != c.code || meta["platform"] != string(p.Name()) || meta["request_id"] != a.header.Get("X-Request-Id") || o["success"] != false {
				t.Errorf("%s on %s: %d %s", c.name, p.Name(), a.status, a.body)
			}
			if !strings.Contains(a.header.Get("Allow"), c.allow) || (c.allow == "") != (a.header.Get("Allow") == "") {
				t.Errorf("%s on %s: Allow is %q", c.name, p.Name(), a.header.Get("Allow"))
			}
		}
	}
	for _, method := range []string{"HEAD", "OPTIONS"} { // answers without a body
		a := s.call(method, "/v1/zapier/actions/research-keywords", "")
		if a.status != http.StatusMethodNotAllowed || !strings.Contains(a.header.Get("Allow"), "POST") {
			t.Errorf("%s: %d %v", method, a.status, a.header)
		}
	}
	plain := s.call(http.MethodGet, "/v1/ifttt/connection", "").object(t)
	if e := plain["error"].(map[string]any); e["code"] != "NOT_FOUND" || plain["meta"].(map[string]any)["platform"] != nil {
		t.Errorf("a platform that there is not: %v", plain)
	}
}

// dribble sends a request whose body does not come, and returns the whole answer.
func dribble(t *testing.T, s *service, head string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // a connector that waits for ever fails the test
	if _, err := fmt.Fprintf(conn, "%s\r\nHost: x\r\nX-Soke-Key: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"topic\":", head, activeKey); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%s: %v after %q", head, err, answer)
	}
	return string(answer)
}

func TestABodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	s := start(t, withBodyTimeout(100*time.Millisecond))
	for head, want := range map[string]string{
		"POST /v1/make/actions/research-keywords HTTP/1.1": `"code":"INVALID_INPUT"`,
		"POST /v1/n8n/soke/content/score HTTP/1.1":         `"code":"INVALID_INPUT"`,
		"POST /v1/zapier/nothing HTTP/1.1":                 `"code":"NOT_FOUND"`, // a body that nobody reads
		"GET /v1/zapier/catalog HTTP/1.1":                  `"actions":`,
	} {
		if answer := dribble(t, s, head); !strings.Contains(answer, want) || strings.Count(answer, "HTTP/1.1") != 1 {
			t.Errorf("%s: %s", head, answer)
		}
	}
	if n := s.sandbox.Charged(activeKey); n != 0 {
		t.Errorf("%d credits were spent", n)
	}
}

func TestTheTimeForABodyDoesNotBoundTheAnswerNorTheNextRequest(t *testing.T) {
	const patience = 100 * time.Millisecond
	s := start(t, withBodyTimeout(patience), withUpstream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		timer := time.NewTimer(3 * patience)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, `{"success":true,"data":{}}`)
	})))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i := range 2 { // on one connection
		if _, err := fmt.Fprintf(conn, "POST /v1/make/soke/content/score HTTP/1.1\r\nHost: x\r\nX-Soke-Key: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", activeKey); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("answer %d: %d %s", i, resp.StatusCode, body)
		}
	}
	if a := s.call(http.MethodGet, "/v1/make/connection", "", "X-Soke-Key", activeKey); a.status != http.StatusOK {
		t.Errorf("a request without a body: %d %s", a.status, a.body)
	}
}
