package delivery

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// maxAnswer is how many bytes of a receiver's body are worth reading. Callers read through an
// io.LimitReader, because a Client does not bound bodies.
const maxAnswer = 64 << 10

// Client returns a client that reaches only what the Guard admits, follows no redirect, uses
// no proxy and ends each exchange, body included, after timeout. A refusal is a *TargetError
// within the error that Do returns.
func (g *Guard) Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:   timeout,
		Transport: &transport{guard: g, secure: g.transport("https"), plain: g.transport("http")},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// transport keeps connections of the two schemes apart, because the dialler that judges an
// address has to know whether TLS will follow.
type transport struct {
	guard         *Guard
	secure, plain *http.Transport
}

// RoundTrip checks the URL once more, as the options may be stricter than they were when the
// target was stored.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := t.guard.CheckURL(r.URL.String()); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	transport := t.plain
	if r.URL.Scheme == "https" {
		transport = t.secure
	}
	answer, err := transport.RoundTrip(r)
	if err == nil && answer.StatusCode == http.StatusSwitchingProtocols {
		// net/http gives such a connection away: neither the context nor the timeout would end a read.
		_ = answer.Body.Close()
		answer.Body = http.NoBody
	}
	return answer, err
}

// CloseIdleConnections serves http.Client.CloseIdleConnections.
func (t *transport) CloseIdleConnections() {
	t.secure.CloseIdleConnections()
	t.plain.CloseIdleConnections()
}

func (g *Guard) transport(scheme string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return g.dial(ctx, scheme, network, address)
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.roots},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // a small body cannot unfold into a large one
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        time.Minute,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 32 << 10,
	}
}

// dial judges each address in the dialler's control function: after the name is resolved,
// before the socket connects.
func (g *Guard) dial(ctx context.Context, scheme, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialler := net.Dialer{
		Timeout:  10 * time.Second,
		Resolver: g.resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			addr, err := netip.ParseAddrPort(address)
			if err != nil {
				return refuseReserved(err)
			}
			return g.CheckAddr(scheme, strings.ToLower(host), addr)
		},
	}
	return dialler.DialContext(ctx, network, address)
}
