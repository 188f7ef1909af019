package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
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
	waitUntil(t, time.Minute, func() bool { return upstream.waiting.Load() >= int64(chats) }, func() string {
		return fmt.Sprintf("only %d of %d chats have come", upstream.waiting.Load(), chats)
	})
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

func TestAFloodOfOneTenantLeavesTheCallsOfAnotherAlone(t *testing.T) {
	calls, flood, took := 40, 16, 50*time.Millisecond
	if *load {
		calls, flood = 300, 128
	}
	box := sandbox.New(sandbox.Options{RequestsPerMinute: -1})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(took)
		box.ServeHTTP(w, r)
	}))
	t.Cleanup(upstream.Close)
	r := startLoaded(t, upstream.URL)
	transport := &http.Transport{MaxIdleConnsPerHost: flood + 1}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	call := func(key string) (time.Duration, error) {
		began := time.Now()
		request, err := http.NewRequest(http.MethodPost, "http://"+r.address+"/v1/make/actions/research-keywords", strings.NewReader(`{"topic":"home espresso"}`))
		if err != nil {
			return 0, err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Soke-Key", key)
		answer, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		defer func() { _ = answer.Body.Close() }()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%s %w", answer.Status, err)
		}
		return time.Since(began), nil
	}
	p99 := func() time.Duration {
		waits := make([]time.Duration, calls)
		for i := range waits {
			var err error
			if waits[i], err = call("sk_live_sandbox_neighbour"); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(waits)
		return waits[len(waits)*99/100]
	}
	if _, err := call("sk_live_sandbox_neighbour"); err != nil { // opens what stays open
		t.Fatal(err)
	}
	quiet := p99()
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var flooded atomic.Int64
	for range flood {
		all.Go(func() {
			for ctx.Err() == nil {
				if _, err := call("sk_live_sandbox_flood"); err != nil {
					t.Error(err)
					return
				}
				flooded.Add(1)
			}
		})
	}
	<-time.After(time.Second) // the flood has risen
	loud := p99()
	stop()
	all.Wait()
	t.Logf("p99 is %s in the quiet and %s (%.2f times) while another key has %d calls in flight all the time (%d calls)", quiet, loud, float64(loud)/float64(quiet), flood, flooded.Load())
	if *load && loud > 2*quiet {
		t.Error("a flood of one tenant is felt by another")
	}
	r.stop()
}

func TestIdleSocketsWithoutNumberTakeNothingFromHonestClients(t *testing.T) {
	sockets, limit := 600, 100
	if *load {
		sockets, limit = 100_000, 2000
	}
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "", "--max-connections", fmt.Sprint(limit))
	quiet := r.memory()
	places := make(chan struct{}, 4*limit) // those of this process
	var all sync.WaitGroup
	worst, files := time.Duration(0), 0
	for i := range sockets {
		places <- struct{}{}
		conn, err := net.DialTimeout("tcp", r.address, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer func() { <-places }()
			defer func() { _ = conn.Close() }()
			if i%2 == 0 { // half a head, and not a byte more
				_, _ = io.WriteString(conn, "POST /v1/make/actions/research-keywords HTTP/1.1\r\nHost: a\r\nX-Endless: ")
			}
			_, _ = io.Copy(io.Discard, conn) // until the connector has had enough of it
		})
		if i%(sockets/20) == sockets/40 {
			began := time.Now()
			if status, body := r.post("/v1/make/actions/research-keywords", anyKey, `{"topic":"x"}`); status != http.StatusOK {
				t.Fatalf("an honest client gets %d %s", status, body)
			}
			worst = max(worst, time.Since(began))
			files = max(files, r.files())
		}
	}
	grown := r.memory() - quiet
	t.Logf("%d idle sockets: at most %d open files, %.1f MiB more memory, an honest call waits %s at most", sockets, files, float64(grown)/(1<<20), worst)
	if files > limit+300 {
		t.Errorf("%d files are open with --max-connections %d", files, limit)
	}
	if worst > 10*time.Second {
		t.Errorf("an honest client waits for %s", worst)
	}
	r.stop()
	all.Wait()
}

// files counts what the process has open.
func (r *running) files() int {
	r.t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.command.Process.Pid))
	if err != nil {
		r.t.Skip("the files of a process are known on Linux only")
	}
	return len(all)
}
