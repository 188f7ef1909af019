package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

// load asks for the load tests at their full size, which need the machine for themselves
// (.ci/load); without it they are small, so that they cannot rot.
var load = flag.Bool("load", false, "run the load tests at full size")

// slowSoke is a sandbox over TLS, as Soke is, that can be told to let everybody wait.
type slowSoke struct {
	*httptest.Server
	waiting atomic.Int64
	gate    atomic.Pointer[chan struct{}]
}

// hold lets everybody wait until the gate is opened.
func (s *slowSoke) hold() (open func()) {
	gate := make(chan struct{})
	s.gate.Store(&gate)
	return func() { close(gate) }
}

func startSlowSoke(t *testing.T) *slowSoke {
	t.Helper()
	box := sandbox.New(sandbox.Options{RequestsPerMinute: -1})
	s := &slowSoke{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.waiting.Add(1)
		defer s.waiting.Add(-1)
		if gate := s.gate.Load(); gate != nil {
			<-*gate
		}
		box.ServeHTTP(w, r)
	}))
	cert, key, _ := certified(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Setenv("SSL_CERT_FILE", cert) // the connector trusts it
	t.Cleanup(s.Close)
	return s
}

// startLoaded starts a connector in front of an upstream.
func startLoaded(t *testing.T, upstream string, args ...string) *running {
	t.Helper()
	return start(t, append([]string{"serve", "--upstream-url", upstream, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		"--database", filepath.Join(t.TempDir(), "load.db")}, args...)...)
}

func TestManySlowChatsAreHeldAtOnceWithoutAnErrorAndWithLittleMemory(t *testing.T) {
	chats := 300
	if *load {
		chats = 10_000
	}
	upstream := startSlowSoke(t)
	r := startLoaded(t, upstream.URL, "--max-connections", fmt.Sprint(chats+100))
	for range 20 { // the first calls open what stays open: the database, TLS, the pools
		r.post("/v1/n8n/actions/chat-completion", anyKey, `{"prompt":"x"}`)
	}
	quiet := r.memory()
	open := upstream.hold()

	dialling := make(chan struct{}, 200) // not more than the listener's backlog takes
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialling <- struct{}{}
		defer func() { <-dialling }()
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
	var all sync.WaitGroup
	var failed atomic.Int64
	for range chats {
		all.Go(func() {
			request, err := http.NewRequest(http.MethodPost, "http://"+r.address+"/v1/n8n/actions/chat-completion", strings.NewReader(`{"prompt":"Three titles for a video about espresso"}`))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("X-Soke-Key", anyKey)
			answer, err := client.Do(request)
			if err != nil {
				t.Log(err)
				failed.Add(1)
				return
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				failed.Add(1)
			}
		})
	}
	deadline := time.Now().Add(time.Minute)
	for upstream.waiting.Load() < int64(chats) && time.Now().Before(deadline) {
		<-time.After(10 * time.Millisecond)
	}
	<-time.After(3 * time.Second) // Soke takes two, and one more tells what they settle at
	held, busy := upstream.waiting.Load(), r.memory()
	open()
	all.Wait()
	each := float64(busy-quiet) / float64(chats) / 1024
	t.Logf("%d chats in flight, %d errors, %.1f KiB each (%.0f MiB quiet, %.0f MiB busy)", held, failed.Load(), each, float64(quiet)/(1<<20), float64(busy)/(1<<20))
	if held != int64(chats) || failed.Load() != 0 {
		t.Errorf("%d of %d were held at once, %d failed", held, chats, failed.Load())
	}
	if *load && each > 40 {
		t.Errorf("each chat in flight costs %.1f KiB, want at most 40", each)
	}
	r.stop()
}

// memory is what the process holds of the machine's, in bytes.
func (r *running) memory() int64 {
	r.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.command.Process.Pid))
	if err != nil {
		r.t.Skip("the memory of a process is known on Linux only")
	}
	var kib int64
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	if _, err := fmt.Sscan(after, &kib); err != nil {
		r.t.Fatal(err)
	}
	return kib << 10
}
