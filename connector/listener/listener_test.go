package listener_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/connector/listener"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon is how long a thing may take that should happen at once.
const soon = 20 * time.Second

// serve serves a handler within limits until the test ends.
func serve(t *testing.T, limits listener.Limits, h http.HandlerFunc) (*listener.Listener, string) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listener.New(inner, limits)
	server := &http.Server{Handler: l.Handler(h), ConnContext: l.ConnContext, ReadHeaderTimeout: soon}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if n := l.Open(); n != 0 {
			t.Errorf("%d sockets are counted after the end", n)
		}
	})
	return l, inner.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(soon))
	return conn
}

// ask sends a request on a socket and returns the status of its answer.
func ask(conn net.Conn, path string) (int, error) {
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// ended waits until the other side has closed a socket.
func ended(conn net.Conn) error {
	_, err := conn.Read(make([]byte, 1))
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the socket is still open: %w", err)
	}
	if timeout := (net.Error)(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("the socket is still open")
	}
	return nil
}

func TestSocketsWithoutARequestMakeRoomForThoseThatAsk(t *testing.T) {
	hold, held := make(chan struct{}), make(chan struct{})
	l, address := serve(t, listener.Limits{Sockets: 4}, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			close(held)
			<-hold
		}
	})
	busy := dial(t, address)
	answered := make(chan error, 1)
	go func() {
		status, err := ask(busy, "/hold")
		if status != http.StatusOK {
			err = fmt.Errorf("status %d: %w", status, err)
		}
		answered <- err
	}()
	<-held
	silent, half, idle := dial(t, address), dial(t, address), dial(t, address)
	if _, err := io.WriteString(half, "GET / HTTP/1.1\r\nHost"); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(idle, "/"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		newcomer := dial(t, address)
		if status, err := ask(newcomer, "/"); status != http.StatusOK {
			t.Fatalf("a newcomer got %d, %v", status, err)
		}
	}
	for name, conn := range map[string]net.Conn{"a silent one": silent, "one with half a head": half, "an idle one": idle} {
		if err := ended(conn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := l.Open(); n != 4 {
		t.Errorf("%d sockets are open, want 4", n)
	}
	close(hold)
	if err := <-answered; err != nil {
		t.Errorf("the busy one was not left alone: %v", err)
	}
}

func TestANewcomerWaitsWhileAllSocketsAreBusy(t *testing.T) {
	hold := make(chan struct{})
	begun := make(chan struct{}, 3)
	_, address := serve(t, listener.Limits{Sockets: 2}, func(http.ResponseWriter, *http.Request) {
		begun <- struct{}{}
		<-hold
	})
	answers := make(chan error, 3)
	for range 3 {
		conn := dial(t, address)
		go func() {
			status, err := ask(conn, "/")
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("status %d", status)
			}
			answers <- errors.Join(err, conn.Close())
		}()
	}
	<-begun
	<-begun
	select {
	case <-begun:
		t.Fatal("a third request was let in")
	default:
	}
	close(hold)
	for range 3 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

func TestAPeerThatDoesNotTakeItsAnswerIsCutOff(t *testing.T) {
	failed := make(chan error, 1)
	_, address := serve(t, listener.Limits{Write: 50 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 1<<20)
		for {
			if _, err := w.Write(piece); err != nil {
				failed <- err
				return
			}
		}
	})
	conn := dial(t, address)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-failed:
	case <-time.After(soon):
		t.Fatal("the answer still waits for its peer")
	}
}

func TestAStreamThatIsNotReadIsCutOffThoughItsSocketIsSound(t *testing.T) {
	certificate := pair(t, "first.example")
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listener.New(inner, listener.Limits{Sockets: 1, Write: 200 * time.Millisecond})
	cut := make(chan error, 1)
	server := &http.Server{
		ConnContext: l.ConnContext, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}},
		Handler: l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/endless" {
				return
			}
			for { // until the window of the stream, which nobody opens again, is full
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					cut <- err
					return
				}
			}
		})),
	}
	go func() { _ = server.ServeTLS(l, "", "") }()
	defer func() { _ = server.Close() }()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // the test's own certificate
	defer client.CloseIdleConnections()
	stuck, err := client.Get("https://" + inner.Addr().String() + "/endless")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stuck.Body.Close() }()
	select {
	case <-cut:
	case <-time.After(soon):
		t.Fatal("the answer still waits for its peer")
	}
	other, err := client.Get("https://" + inner.Addr().String() + "/") // on the same socket: there is room for one
	if err != nil {
		t.Fatal(err)
	}
	_ = other.Body.Close()
}

func TestAListenerThatIsFullCanBeClosed(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listener.New(inner, listener.Limits{Sockets: 1})
	first, second := dial(t, inner.Addr().String()), dial(t, inner.Addr().String())
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = accepted.Close() }()
	// Busy, so that it is not closed for the second.
	l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		waiting := make(chan error, 1)
		go func() { _, err := l.Accept(); waiting <- err }()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-waiting; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept ended with %v", err)
		}
	})).ServeHTTP(nil, (&http.Request{}).WithContext(l.ConnContext(t.Context(), accepted)))
	_, _ = first, second
}

func TestOneSocketOfManyRequestsIsBusyUntilTheLastIsAnswered(t *testing.T) {
	certificate := pair(t, "first.example")
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listener.New(inner, listener.Limits{Sockets: 1})
	hold, begun := make(chan struct{}), make(chan struct{}, 2)
	server := &http.Server{
		ConnContext: l.ConnContext, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}},
		Handler: l.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("asked by %s", r.Proto)
			}
			if r.URL.Path == "/hold" {
				begun <- struct{}{}
				<-hold
			}
		})),
	}
	go func() { _ = server.ServeTLS(l, "", "") }()
	defer func() { _ = server.Close() }()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // the test's own certificate
	defer client.CloseIdleConnections()
	get := func(path string) error {
		answer, err := client.Get("https://" + inner.Addr().String() + path)
		if err == nil {
			err = answer.Body.Close()
		}
		return err
	}
	answered := make(chan error, 2)
	for range 2 {
		go func() { answered <- get("/hold") }()
	}
	<-begun
	<-begun
	if err := get("/"); err != nil { // one request ends, two go on
		t.Fatal(err)
	}
	newcomer := dial(t, inner.Addr().String())
	_ = newcomer.SetDeadline(time.Now().Add(2 * time.Second))
	if err := tls.Client(newcomer, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil { //nolint:gosec // the test's own certificate
		t.Error("a newcomer was let in beside a busy socket")
	}
	close(hold)
	for range 2 {
		if err := <-answered; err != nil {
			t.Errorf("a busy socket was closed: %v", err)
		}
	}
}
