package fault_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/sandbox/fault"
	"github.com/usesoke/soke-connector/connector/soke"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryFaultHasANameThatAKeyCanCarry(t *testing.T) {
	form, seen := regexp.MustCompile(`^[a-z0-9-]+$`), map[string]bool{}
	for _, f := range fault.All() {
		if !form.MatchString(f.Name) || seen[f.Name] || f.About == "" {
			t.Errorf("%+v", f)
		}
		seen[f.Name] = true
		if _, err := soke.ParseKey(f.Key()); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for _, key := range []string{f.Key(), f.Key() + "_zapier_2"} {
			r.Header.Set("X-Soke-Key", key)
			if got, ok := fault.ByKey(r); !ok || got.Name != f.Name {
				t.Errorf("%s chooses %q", key, got.Name)
			}
		}
	}
	for _, key := range []string{"", "sk_live_sandbox_active", "sk_live_fault_", "sk_live_fault_none", "sk_live_fault_html-5022"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Soke-Key", key)
		if f, ok := fault.ByKey(r); ok {
			t.Errorf("%q chooses %s", key, f.Name)
		}
	}
}

// ask researches through a proxy as a plain client, and returns what it got and how that ended.
func ask(t *testing.T, base, key string) (int, []byte, error) {
	t.Helper()
	transport := &http.Transport{MaxResponseHeaderBytes: 64 << 10}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v1/research/keywords", strings.NewReader(`{"topic":"tea"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Soke-Key", key)
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 9<<20))
	return resp.StatusCode, body, err
}

const keywords = `"keywords":[{"keyword":"tea`

func TestAnInjectedFaultBreaksTheAnswerAndAHarmlessOneDoesNot(t *testing.T) {
	proxy := fault.New(sandbox.New(sandbox.Options{}), fault.ByKey)
	server := httptest.NewServer(proxy)
	defer server.Close()
	for _, f := range fault.All() {
		if f.Early || f.Name == "other-protocol" { // a client of net/http cannot leave that one
			continue
		}
		status, body, err := ask(t, server.URL, f.Key())
		if right := err == nil && status == http.StatusOK && bytes.Contains(body, []byte(keywords)); right != f.Harmless {
			t.Errorf("%s: %d %.100q %v", f.Name, status, body, err)
		}
		if slow := err != nil && strings.Contains(err.Error(), "Client.Timeout"); slow != f.Slow {
			t.Errorf("%s ended with %v", f.Name, err)
		}
		if n := proxy.Arrived(f.Key()); n != 1 {
			t.Errorf("%s: %d requests arrived", f.Name, n)
		}
	}
}

func TestAnEarlyFaultLetsNoRequestThrough(t *testing.T) {
	resolver := net.DefaultResolver
	net.DefaultResolver = fault.NoNames()
	defer func() { net.DefaultResolver = resolver }()
	for _, f := range fault.All() {
		if !f.Early {
			continue
		}
		place := f.Place()
		_, _, err := ask(t, place.URL, f.Key())
		place.Close()
		want := map[string]string{
			"connection-refused": "connection refused", "dns-failure": "no such host", "tls-self-signed": "certificate",
			"tls-plain-text": "HTTP response to HTTPS client", "tls-silent": "Client.Timeout",
		}[f.Name]
		if err == nil || want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

func TestAProxyStandsBeforeAnotherProcessToo(t *testing.T) {
	upstream := httptest.NewServer(sandbox.New(sandbox.Options{}))
	defer upstream.Close()
	base, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	html, ok := fault.Named("html-502")
	if !ok {
		t.Fatal("no such fault")
	}
	for name, c := range map[string]struct {
		choose func(*http.Request) (fault.Fault, bool)
		status int
	}{"by key": {fault.ByKey, http.StatusOK}, "always": {fault.Always(html), http.StatusBadGateway}} {
		server := httptest.NewServer(fault.New(fault.Before(base), c.choose))
		status, body, err := ask(t, server.URL, "sk_live_sandbox_active")
		server.Close()
		if err != nil || status != c.status || bytes.Contains(body, []byte(keywords)) != (status == http.StatusOK) {
			t.Errorf("%s: %d %.100q %v", name, status, body, err)
		}
	}
}
