// Package soke is the client of the Soke API: what goes over the wire, what comes back, and what
// each failure means. It knows nothing of platforms.
//
// Two promises are kept here. A call that may have been charged is never repeated (repeat.go),
// and no secret leaves the process but to Soke (key.go, credential.go, clean.go).
package soke

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// DefaultBaseURL is where Soke serves its API.
const DefaultBaseURL = "https://api.usesoke.ai"

// apiRoot is the root of every endpoint below the base URL.
const apiRoot = "/api/v1/"

// Options make a Client.
type Options struct {
	// BaseURL is scheme, host and port, and a path before /api/v1 if there is one. Plain http goes
	// only to loopback. "" is DefaultBaseURL.
	BaseURL string
	// Timeout bounds a whole call. Of a stream it bounds the wait for its head and then for each
	// further chunk. 0 is two minutes.
	Timeout time.Duration
	// UserAgent is how the client names itself; "" is soke-connector.
	UserAgent string
	// Observe, if set, is told of each attempt of a call. It must be safe for concurrent use.
	Observe func(Observation)
	// TLS replaces the transport's TLS configuration, for tests.
	TLS *tls.Config
	// Now is the clock that the ends of tokens and dates of Retry-After are judged by; nil is
	// time.Now.
	Now func() time.Time
	// Sleep waits before a repeat and returns the context's error if that ends first; nil waits in
	// real time.
	Sleep func(context.Context, time.Duration) error
}

// Observation is one attempt of a call, for metrics. Of a stream it ends with the answer's head.
type Observation struct {
	Operation string
	Status    int  // HTTP; 0 where no answer came
	Code      Code // empty for success
	Duration  time.Duration
}

// Client calls Soke for any number of users at once.
type Client struct {
	base      *url.URL
	timeout   time.Duration
	userAgent string
	observe   func(Observation)
	now       func() time.Time
	sleep     func(context.Context, time.Duration) error
	// transport is used as it is: a client above it would follow redirects, and so carry the key
	// to wherever they point.
	transport *http.Transport
	// opening holds a place for each call that waits for a connection; nil is no limit.
	opening chan struct{}
}

// maxOpening is how many calls may wait for a connection at a time. net/http opens one for each call
// that finds none free, and cannot know yet how many calls each will carry: thousands that come at
// once would open thousands, where forty carry them all. Whoever waits here finds one open.
const maxOpening = 8

// New returns a client, or says what is wrong with its options.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	c := &Client{
		base: base, timeout: o.Timeout, userAgent: o.UserAgent,
		observe: o.Observe, now: o.Now, sleep: o.Sleep,
	}
	if c.timeout <= 0 {
		c.timeout = 2 * time.Minute
	}
	if c.userAgent == "" {
		c.userAgent = "soke-connector"
	}
	if c.observe == nil {
		c.observe = func(Observation) {}
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.sleep == nil {
		c.sleep = sleep
	}
	c.transport = transport(o.TLS)
	if base.Scheme == "https" {
		c.opening = make(chan struct{}, maxOpening)
	}
	return c, nil
}

func transport(config *tls.Config) *http.Transport {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    512,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// In HTTP/1.1 each waiting call has a connection with both buffers to itself.
		ReadBufferSize:    2 << 10,
		WriteBufferSize:   1 << 10,
		ForceAttemptHTTP2: true,
		// All calls may share one HTTP/2 connection. One that died without a word must not hold them
		// until each has lost its patience.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
}

// Close frees the idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

func parseBase(raw string) (*url.URL, error) {
	if raw == "" {
		raw = DefaultBaseURL
	}
	// People paste the documented base, with its /api/v1.
	raw = strings.TrimSuffix(strings.TrimRight(raw, "/"), strings.TrimRight(apiRoot, "/"))
	base, err := url.Parse(raw)
	if err != nil || base.Hostname() == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("the Soke API's URL must look like %s", DefaultBaseURL)
	}
	switch base.Scheme {
	case "https":
	case "http":
		if !loopback(base.Hostname()) {
			return nil, errors.New("the Soke API is called over plain http only on loopback, because keys would travel in clear; use https")
		}
	default:
		return nil, fmt.Errorf("the Soke API's URL must begin with https://, not %s://", base.Scheme)
	}
	return base, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
