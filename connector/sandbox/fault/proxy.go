package fault

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

// Proxy injects faults into requests on their way to an upstream. It is a handler for any HTTP/1
// server; over HTTP/2, which has no connection to break, its wire faults end the stream.
type Proxy struct {
	next   http.Handler
	choose func(*http.Request) (Fault, bool)

	mu      sync.Mutex
	arrived map[string]int
}

// New returns a proxy before an upstream. choose tells the fault of each request, if it is to have
// one: ByKey, Always, or whatever a test needs; it must be safe for concurrent use.
func New(upstream http.Handler, choose func(*http.Request) (Fault, bool)) *Proxy {
	return &Proxy{next: upstream, choose: choose, arrived: map[string]int{}}
}

// Before returns a handler that forwards to an upstream at a URL, for a Proxy before another
// process. An upstream that cannot be reached is an empty 502.
func Before(upstream *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		FlushInterval: -1, // streams go on at once
		ErrorLog:      log.New(io.Discard, "", 0),
	}
}

// maxBody bounds what the proxy holds of a request.
const maxBody = 16 << 20

// ServeHTTP breaks the request in the chosen way, or passes it on. The request is read whole first:
// a fault that answers while the caller still sends would be two faults.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.mu.Lock()
	p.arrived[r.Header.Get("X-Soke-Key")]++
	p.mu.Unlock()
	if f, ok := p.choose(r); ok && f.inject != nil {
		f.inject(w, r, p.next)
		return
	}
	p.next.ServeHTTP(w, r)
}

// Arrived returns how many requests with an API key have arrived, broken ones included.
func (p *Proxy) Arrived(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.arrived[key]
}
