package soke_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/connector/soke"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secretKey = "sk_live_canary0123456789WXYZ"

func credential(t testing.TB) soke.Credential {
	t.Helper()
	key, err := soke.ParseKey(secretKey)
	if err != nil {
		t.Fatal(err)
	}
	return soke.Credential{Key: key, AccountID: "acc_main"}
}

// caller is a client whose waits take no time, with a record of them and of its attempts.
type caller struct {
	*soke.Client

	mu       sync.Mutex
	waits    []time.Duration
	attempts []soke.Observation
}

func newCaller(t testing.TB, o soke.Options) *caller {
	t.Helper()
	c := &caller{}
	o.Observe = func(seen soke.Observation) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.attempts = append(c.attempts, seen)
	}
	if o.Sleep == nil {
		o.Sleep = func(ctx context.Context, d time.Duration) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.waits = append(c.waits, d)
			return ctx.Err()
		}
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	client, err := soke.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c.Client = client
	return c
}

func (c *caller) seen() ([]soke.Observation, []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.attempts, c.waits
}

// serve starts a server that counts the requests that reach it.
func serve(t testing.TB, h http.HandlerFunc) (string, *atomic.Int64) {
	t.Helper()
	arrived := &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		h(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, arrived
}

// says answers every request alike. pairs are headers.
func says(status int, body string, pairs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(pairs); i += 2 {
			w.Header().Set(pairs[i], pairs[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// wire starts a server below HTTP: it reads one request after another and lets answer write what
// it likes, until that returns false, which closes the connection.
func wire(t testing.TB, answer func(conn *net.TCPConn, nth int) bool) (string, *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	arrived, open := &atomic.Int64{}, sync.WaitGroup{}
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for nth := 1; ; nth++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					arrived.Add(1)
					if !answer(conn.(*net.TCPConn), nth) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); open.Wait() })
	return "http://" + listener.Addr().String(), arrived
}

func quietTLS(t testing.TB, h http.Handler, http2 bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func failure(t testing.TB, err error) *soke.Error {
	t.Helper()
	var e *soke.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T %v, want *soke.Error", err, err)
	}
	return e
}

func get(path string) soke.Call {
	return soke.Call{Operation: "raw", Method: http.MethodGet, Path: path}
}

func post(path string) soke.Call {
	return soke.Call{Operation: "raw", Method: http.MethodPost, Path: path, Body: []byte(`{"topic":"tea"}`)}
}
