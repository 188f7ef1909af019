package connector_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// exposed reports what of an answer's header is missing, or should not be there.
func exposed(path string, h http.Header) (faults []string) {
	if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
		faults = append(faults, "X-Content-Type-Options "+got)
	}
	below := strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/openai/")
	if got := h.Get("Cache-Control"); below && !strings.Contains(got, "no-store") {
		faults = append(faults, "Cache-Control "+got)
	}
	if kind := h.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") && !strings.HasPrefix(kind, "text/event-stream") {
		faults = append(faults, "Content-Type "+kind)
	}
	if h.Get("X-Request-Id") == "" {
		faults = append(faults, "no X-Request-Id")
	}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") || name == "Server" || name == "X-Powered-By" || name == "Set-Cookie" || name == "Www-Authenticate" || name == "Location" {
			faults = append(faults, name)
		}
	}
	return faults
}

func TestNoAnswerMayBeKeptGuessedAtOrReadByAnotherSite(t *testing.T) {
	w := startWatching(t)
	check := func(method, path string, a answer) {
		t.Helper()
		if faults := exposed(path, a.header); faults != nil {
			t.Errorf("%s %s, %d: %v", method, path, a.status, faults)
		}
	}
	origin := []string{"Origin", "https://evil.example", "Cookie", "a=b"}
	for o := range operations(t, w.service) {
		body := ""
		if o.method != http.MethodGet && o.method != http.MethodDelete {
			body = `{"topic":"x"}`
		}
		path := concrete(o.path)
		for _, key := range []string{activeKey, expiredKey, ""} {
			check(o.method, path, w.call(o.method, path, body, append([]string{"X-Soke-Key", key}, origin...)...))
		}
		preflight := w.call(http.MethodOptions, path, "", append([]string{"Access-Control-Request-Method", o.method, "Access-Control-Request-Headers", "x-soke-key"}, origin...)...)
		check(http.MethodOptions, path, preflight)
		if allow := preflight.header.Get("Allow"); allow == "" || strings.Contains(allow, http.MethodOptions) {
			t.Errorf("OPTIONS is refused at %s, and allowed are %q", path, allow)
		}
		for name := range preflight.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("a page of another site is let in at %s: %s", path, name)
			}
		}
		for _, method := range []string{http.MethodHead, http.MethodTrace, "PROPFIND"} {
			a := w.call(method, path, "", append([]string{"X-Soke-Key", activeKey}, origin...)...)
			check(method, path, a)
			monitored := method == http.MethodHead && (path == "/healthz" || path == "/readyz" || path == "/openapi.json")
			if want := map[bool]int{true: http.StatusOK, false: http.StatusMethodNotAllowed}[monitored]; a.status != want {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	}
	for _, path := range []string{"/", "/v1/", "/v1/nothing", "/v1/zapier/nothing", "/openai/nothing", "/favicon.ico"} {
		check(http.MethodGet, path, w.call(http.MethodGet, path, "", origin...))
	}
	for _, stream := range []string{"/openai/v1/chat/completions", "/v1/make/soke/chat/completions"} {
		a := w.post(stream, `{"stream":true,"messages":[{"role":"user","content":"x"}]}`, origin...)
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
			t.Errorf("%s does not stream: %d %s", stream, a.status, a.body)
		}
		check(http.MethodPost, stream, a)
	}
	check(http.MethodPost, "/v1/zapier/estimate", w.post("/v1/zapier/estimate", strings.Repeat(" ", 1<<20+1)))
}

func TestTheVerbOfARequestIsTheOneThatStandsInIt(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	made := w.subscribe("n8n", "new-keyword", espresso, in.URL)
	const path = "/v1/n8n/triggers/new-keyword/subscriptions/"
	id := made["id"].(string)
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, "delete", "DELETEX"} {
			body := ""
			if method == http.MethodPost || method == http.MethodPut {
				body = `{"_method":"DELETE"}`
			}
			a := w.call(method, path+id+"?_method=DELETE", body, "X-Soke-Key", activeKey, name, http.MethodDelete)
			want := http.StatusMethodNotAllowed
			if method == http.MethodGet {
				want = http.StatusOK
			}
			if a.status != want {
				t.Errorf("%s with %s: DELETE: %d %s", method, name, a.status, a.body)
			}
		}
	}
	if a := w.call(http.MethodGet, path+id, "", "X-Soke-Key", activeKey, "X-Original-Url", "/admin/watches", "X-Rewrite-Url", "/admin/watches"); a.object(t)["state"] != "active" {
		t.Errorf("the subscription is %s", a.body)
	}
	if a := w.call(http.MethodGet, fmt.Sprintf("%s%s/", path, id), "", "X-Soke-Key", activeKey); a.status != http.StatusNotFound {
		t.Errorf("a path with a slash too many: %d", a.status)
	}
}
