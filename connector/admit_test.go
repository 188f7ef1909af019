package connector_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

func TestMoreRequestsThanAllowedAreAskedToComeBack(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	reached, release := make(chan struct{}, 16), make(chan struct{})
	holding := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-release
		box.ServeHTTP(w, r)
	})
	s := start(t, withUpstream(holding), func(set *setup) { set.requests = 1 })
	documentOf(t, s) // asked for while there is room
	free := sync.OnceFunc(func() { close(release) })
	defer free()
	first := make(chan answer, 1)
	go func() { first <- s.post("/v1/zapier/actions/research-keywords", `{"topic":"x"}`) }()
	<-reached
	for _, c := range []struct{ platform, kind string }{{"zapier", "ThrottledError"}, {"n8n", "NodeApiError"}, {"make", "ConnectionError"}} {
		a := s.post("/v1/"+c.platform+"/actions/research-keywords", `{"topic":"x"}`)
		if e := a.failure(t); a.status != http.StatusServiceUnavailable || e["code"] != "CONNECTOR_ERROR" || e["type"] != c.kind || e["retryable"] != true || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", c.platform, a.status, a.body)
		}
	}
	if a := s.call(http.MethodGet, "/healthz", ""); a.status != http.StatusOK {
		t.Errorf("a busy connector says that it is not alive: %d", a.status)
	}
	if !strings.Contains(s.metrics(), "soke_connector_requests_in_flight 1\n") {
		t.Error("the request in flight is not counted")
	}
	free()
	if a := <-first; a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.post("/v1/zapier/actions/research-keywords", `{"topic":"x"}`); a.status != http.StatusOK {
		t.Errorf("there is room again, but %d %s", a.status, a.body)
	}
}

func TestTheLogNamesTheClientThatATrustedProxySaw(t *testing.T) {
	loopback, inner := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.1.0.0/16")
	for name, c := range map[string]struct {
		trusted   []netip.Prefix
		forwarded string
		want      string
	}{
		"nobody is trusted":            {nil, "203.0.113.9", "127.0.0.1"},
		"the proxy is not one of them": {[]netip.Prefix{inner}, "203.0.113.9", "127.0.0.1"},
		"a trusted proxy":              {[]netip.Prefix{loopback}, "203.0.113.9", "203.0.113.9"},
		"IPv6":                         {[]netip.Prefix{loopback}, "2001:db8::9", "2001:db8::9"},
		"what the client claims":       {[]netip.Prefix{loopback}, "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		"two trusted proxies":          {[]netip.Prefix{loopback, inner}, "203.0.113.9, 10.1.2.3", "203.0.113.9"},
		"loopback is not trusted":      {[]netip.Prefix{inner}, "127.0.0.2", "127.0.0.1"},
		"nothing was written":          {[]netip.Prefix{loopback}, "", "127.0.0.1"},
		"garbage":                      {[]netip.Prefix{loopback}, `"},{"msg":"forged`, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(set *setup) { set.proxies = c.trusted })
			s.call(http.MethodGet, "/healthz", "", "X-Forwarded-For", c.forwarded, "X-Real-Ip", "192.0.2.1", "Forwarded", "for=192.0.2.2")
			var line struct{ Msg, Client string }
			for text := range strings.Lines(s.logs.String()) {
				if strings.Contains(text, `"operation":"healthz"`) {
					if err := json.Unmarshal([]byte(text), &line); err != nil {
						t.Fatal(err)
					}
				}
			}
			if line.Msg != "request" || line.Client != c.want {
				t.Errorf("the log says %+v, want %s", line, c.want)
			}
		})
	}
}
