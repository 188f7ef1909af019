package connector_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
)

// BenchmarkAction measures one research of 20 keywords through the whole connector (credential,
// form, validation, native shaping, metrics, log lines) beside a bare httputil.ReverseProxy, as it
// comes and with the connector's own transport settings, beside nginx where it is installed, and
// beside the direct call: the same stub, the same client, in one run. Each client waits for its
// answer before it asks again.
//
//	go test ./connector -run '^$' -bench Action -benchtime 3s
func BenchmarkAction(b *testing.B) {
	stub := startStub(b)
	upstream, err := url.Parse("http://" + stub)
	if err != nil {
		b.Fatal(err)
	}
	plain := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 1024, 512
	b.Cleanup(transport.CloseIdleConnections)
	tuned := &httputil.ReverseProxy{Rewrite: plain.Rewrite, Transport: transport}

	raw := "POST /api/v1/research/keywords HTTP/1.1\r\nHost: soke\r\nX-Soke-Key: sk_live_bench0001\r\n"
	ours := "POST /v1/zapier/actions/research-keywords HTTP/1.1\r\nHost: soke\r\nX-Soke-Key: sk_live_bench0001\r\n"
	type peer struct{ name, address, head string }
	peers := []peer{
		{"direct", stub, raw},
		{"reverse-proxy", serve(b, plain), raw},
		{"reverse-proxy-tuned", serve(b, tuned), raw},
		{"connector", serve(b, benchServer(b, upstream.String())), ours},
	}
	if address, ok := startNginx(b, stub); ok {
		peers = append(peers, peer{"nginx", address, raw})
	}
	for _, clients := range []int{1, 32} {
		for _, peer := range peers {
			b.Run(fmt.Sprintf("%s/clients=%d", peer.name, clients), func(b *testing.B) {
				drive(b, peer.address, peer.head, clients)
			})
		}
	}
}

// startNginx starts an nginx that passes everything on to upstream, where one is installed.
func startNginx(b *testing.B, upstream string) (address string, ok bool) {
	b.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		return "", false
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = free.Addr().String()
	_ = free.Close()
	dir := b.TempDir()
	config := fmt.Sprintf(`daemon off; worker_processes auto; pid %[1]s/pid; error_log %[1]s/error;
events { worker_connections 1024; }
http { access_log %[1]s/access; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  keepalive_requests 100000000;
  upstream soke { server %[2]s; keepalive 128; keepalive_requests 100000000; }
  server { listen %[3]s; location / { proxy_pass http://soke; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`, dir, upstream, address)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	nginx := exec.Command(path, "-c", file, "-e", filepath.Join(dir, "error"))
	if err := nginx.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = nginx.Process.Signal(syscall.SIGTERM)
		_ = nginx.Wait()
	})
	for range 500 {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return address, true
		}
		<-time.After(10 * time.Millisecond)
	}
	b.Log("the nginx that is installed here does not start")
	return "", false
}

func benchServer(b *testing.B, upstream string) http.Handler {
	b.Helper()
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	db, err := sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(b.TempDir(), "bench.db"), Logger: logger, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	metrics := connector.NewMetrics()
	client, err := soke.New(soke.Options{BaseURL: upstream, UserAgent: "bench", Observe: metrics.ObserveSoke})
	if err != nil {
		b.Fatal(err)
	}
	server, err := connector.New(connector.Config{
		Soke: client, Catalogue: platform.Catalogue{Actions: actions.All()}, Platforms: platforms(),
		Answers: db, Ready: db.Writable, Metrics: metrics, Logger: logger, Version: "bench",
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		client.Close()
		_ = db.Close()
	})
	return server
}

func serve(b *testing.B, h http.Handler) string {
	b.Helper()
	front := httptest.NewServer(h)
	b.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

// drive has so many clients ask b.N times in all and reports the throughput and the median wait.
func drive(b *testing.B, address, head string, clients int) {
	body := `{"topic":"home espresso","maxResults":20}`
	request := []byte(head + fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	waits := make([]time.Duration, b.N)
	turns := make(chan int, b.N)
	for i := range b.N {
		turns <- i
	}
	close(turns)
	var wait sync.WaitGroup
	b.ResetTimer()
	for range clients {
		wait.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			reader := bufio.NewReaderSize(conn, 32<<10)
			for turn := range turns {
				begun := time.Now()
				if err := exchange(conn, reader, request); err != nil {
					b.Error(err)
					return
				}
				waits[turn] = time.Since(begun)
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "p50-µs")
}

func exchange(conn net.Conn, reader *bufio.Reader, request []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || n < 1000 {
		return fmt.Errorf("answered %s with %d bytes", answer.Status, n)
	}
	return nil
}

// startStub is the cheapest Soke there can be, so that what is measured is what stands before it:
// it reads a request to its end and writes the same answer every time.
func startStub(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	answer := stubAnswer()
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go answerAll(conn, answer)
			}
		}
	}()
	return listener.Addr().String()
}

func stubAnswer() []byte {
	var keywords []string
	for i := range 20 {
		keywords = append(keywords, fmt.Sprintf(`{"keyword":"home espresso idea %02d","competitionScore":0.%02d,"trendDirection":"rising","searchVolume":%d,"longTail":["for beginners","on a budget"]}`, i, 30+i, 1000+i))
	}
	body := `{"success":true,"data":{"topic":"home espresso","platform":"youtube","keywords":[` + strings.Join(keywords, ",") + `]},"error":null,"meta":{"request_id":"req_bench"}}`
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req_bench\r\nX-Soke-Limit: 1000\r\nX-Soke-Remaining: 999\r\nX-Soke-Reset: 1800000000\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return head.Bytes()
}

func answerAll(conn net.Conn, answer []byte) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReaderSize(conn, 8<<10)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
