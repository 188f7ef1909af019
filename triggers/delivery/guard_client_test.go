package delivery_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

// TestMain points the environment at a proxy where nothing listens, before any transport can
// have read it: net/http reads it once.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			log.Fatal(err)
		}
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if err := os.Unsetenv(name); err != nil {
			log.Fatal(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// names starts a DNS server on loopback that answers the n-th A question for a name with the
// n-th of its addresses, the last one for ever, and returns a resolver that asks it alone.
func names(t *testing.T, answers map[string][]string) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(map[string]*atomic.Int64)
	for name := range answers {
		asked[name] = new(atomic.Int64)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		reply := new(dns.Msg)
		reply.SetReply(q)
		name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
		addrs, known := answers[name]
		switch {
		case !known:
			reply.SetRcode(q, dns.RcodeNameError)
		case q.Question[0].Qtype == dns.TypeA:
			n := min(int(asked[name].Add(1)), len(addrs))
			reply.Answer = []dns.RR{&dns.A{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET},
				A:   net.ParseIP(addrs[n-1]),
			}}
		}
		_ = w.WriteMsg(reply)
	})
	server := &dns.Server{PacketConn: conn, Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// receiver starts a receiver on loopback and returns it with a count of its requests.
func receiver(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	hits := new(atomic.Int64)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		answer(w, r)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(srv.Close)
	return srv, hits
}

func post(t *testing.T, g *delivery.Guard, target string) (*http.Response, error) {
	t.Helper()
	client := g.Client(10 * time.Second)
	t.Cleanup(client.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

// at returns the URL of srv with its host replaced by name.
func at(t *testing.T, srv *httptest.Server, name string) string {
	t.Helper()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = net.JoinHostPort(name, u.Port())
	return u.String()
}

func TestANameThatRebindsToLoopbackIsRefusedAtTheDial(t *testing.T) {
	srv, hits := receiver(t, func(http.ResponseWriter, *http.Request) {})
	srv.Start()
	// The operator has opened a documentation range, so the first answer is one that passes.
	// Ports are then left to the dialler, and nothing but its look at the address is in the way.
	g := guard(t, delivery.GuardOptions{
		AllowTargets: []string{"203.0.113.0/24"},
		Resolver:     names(t, map[string][]string{"rebind.test": {"203.0.113.7", "127.0.0.1"}}),
	})
	u, err := g.CheckURL(at(t, srv, "rebind.test"))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.CheckHost(t.Context(), u); err != nil {
		t.Fatalf("the first answer: %v", err)
	}
	_, err = post(t, g, u.String())
	var target *delivery.TargetError
	if !errors.As(err, &target) || !strings.Contains(target.Problem, "loopback") {
		t.Errorf("got %v, want a refusal of loopback", err)
	}
	if got := delivery.Unanswered(err).Failure; got != delivery.TargetRefused {
		t.Errorf("the outcome is %q, want %q", got, delivery.TargetRefused)
	}
	if hits.Load() != 0 {
		t.Error("the receiver was reached")
	}
}

func TestAddressesThatNamesResolveToAreRefused(t *testing.T) {
	answers := map[string][]string{
		"loopback.test": {"127.0.0.1"}, "private.test": {"10.0.0.1"}, "metadata.test": {"169.254.169.254"},
		"azure.test": {"168.63.129.16"}, "docs.test": {"203.0.113.7"}, "zero.test": {"0.0.0.0"},
	}
	g := guard(t, delivery.GuardOptions{Resolver: names(t, answers)})
	for name := range answers {
		u, err := g.CheckURL("https://" + name + "/webhook/s3cr3t")
		if err != nil {
			t.Fatal(err)
		}
		refused(t, name+" looked up", g.CheckHost(t.Context(), u))
		if name != "loopback.test" {
			continue // were the guard broken, a dial would leave this machine
		}
		_, err = post(t, g, u.String())
		var target *delivery.TargetError
		if !errors.As(err, &target) {
			t.Errorf("%s dialled: got %v, want a *TargetError", name, err)
		}
	}
	u, err := g.CheckURL("https://nobody.test/")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.CheckHost(t.Context(), u); err != nil {
		t.Errorf("a name that does not resolve yet: %v", err)
	}
	_, err = post(t, g, u.String())
	if got := delivery.Unanswered(err).Failure; got != delivery.UnknownHost {
		t.Errorf("a name that does not resolve: the outcome is %q, want %q", got, delivery.UnknownHost)
	}
}

func TestAURLRefusedTodayIsNotReachedThoughItWasStoredBefore(t *testing.T) {
	srv, hits := receiver(t, func(http.ResponseWriter, *http.Request) {})
	srv.Start()
	sandbox := guard(t, delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true})
	for target, g := range map[string]*delivery.Guard{
		srv.URL: guard(t, delivery.GuardOptions{}),
		strings.Replace(srv.URL, "//", "//user:s3cr3t@", 1): sandbox, // the address alone would pass
	} {
		_, err := post(t, g, target)
		var refusal *delivery.TargetError
		if !errors.As(err, &refusal) || hits.Load() != 0 {
			t.Errorf("got %v and %d requests, want a refusal", err, hits.Load())
		}
	}
}

func TestAllowedReceiversAreReachedInTheClear(t *testing.T) {
	srv, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	srv.Start()
	resolver := names(t, map[string][]string{"n8n.test": {"127.0.0.1"}})
	for target, g := range map[string]*delivery.Guard{
		srv.URL:                 guard(t, delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true}),
		at(t, srv, "127.0.0.1"): guard(t, delivery.GuardOptions{AllowTargets: []string{"127.0.0.0/8"}}),
		at(t, srv, "n8n.test"):  guard(t, delivery.GuardOptions{AllowTargets: []string{"n8n.test"}, Resolver: resolver}),
		at(t, srv, "N8N.test"):  guard(t, delivery.GuardOptions{AllowTargets: []string{"127.0.0.1"}, Resolver: resolver}),
	} {
		resp, err := post(t, g, target)
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s: got %v, %v, want 202", target, resp, err)
		}
	}
}

func TestTLSReceiversAreReachedOverHTTP2WithTheirCertificateChecked(t *testing.T) {
	srv, hits := receiver(t, func(http.ResponseWriter, *http.Request) {})
	srv.EnableHTTP2 = true
	srv.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())

	resp, err := post(t, guard(t, delivery.GuardOptions{AllowLoopback: true, RootCAs: roots}), srv.URL)
	if err != nil || resp.ProtoMajor != 2 || resp.TLS.Version < tls.VersionTLS12 {
		t.Errorf("got %v, %v, want HTTP/2 over TLS", resp, err)
	}
	_, err = post(t, guard(t, delivery.GuardOptions{AllowLoopback: true, RootCAs: x509.NewCertPool()}), srv.URL)
	if got := delivery.Unanswered(err).Failure; got != delivery.BadCertificate {
		t.Errorf("an unknown authority: the outcome is %q (%v), want %q", got, err, delivery.BadCertificate)
	}
	if hits.Load() != 1 {
		t.Errorf("got %d requests, want 1", hits.Load())
	}
}

func TestTLSBelow12IsRefused(t *testing.T) {
	srv, hits := receiver(t, func(http.ResponseWriter, *http.Request) {})
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	srv.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	_, err := post(t, guard(t, delivery.GuardOptions{AllowLoopback: true, RootCAs: roots}), srv.URL)
	if err == nil || hits.Load() != 0 {
		t.Errorf("got %v and %d requests, want an error", err, hits.Load())
	}
}

func TestRedirectsAreAnswersAndNotFollowed(t *testing.T) {
	other, hits := receiver(t, func(http.ResponseWriter, *http.Request) {})
	other.Start()
	for _, status := range []int{301, 302, 303, 307, 308} {
		srv, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		srv.Start()
		resp, err := post(t, guard(t, delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true}), srv.URL)
		if err != nil || resp.StatusCode != status {
			t.Errorf("got %v, %v, want %d itself", resp, err, status)
		}
	}
	if hits.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// A proxy would resolve and dial by itself, past the guard. Go's own proxy rule exempts
// loopback by name, so the target needs another name for this test to be able to fail.
func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	srv, hits := receiver(t, func(http.ResponseWriter, *http.Request) {})
	srv.Start()
	g := guard(t, delivery.GuardOptions{
		AllowTargets: []string{"receiver.test"},
		Resolver:     names(t, map[string][]string{"receiver.test": {"127.0.0.1"}}),
	})
	if _, err := post(t, g, at(t, srv, "receiver.test")); err != nil || hits.Load() != 1 {
		t.Errorf("got %v and %d requests at the receiver, want 1", err, hits.Load())
	}
}
