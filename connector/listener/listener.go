// Package listener keeps the service's sockets in hand: how many there are, how long a peer may
// hold one without asking anything, how long it may take to accept an answer, and the certificate
// that they are opened with.
package listener

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// grace is how long a socket may be without a request before it has to make room for another. A
// request of an honest peer is there within it.
const grace = time.Second

// Limits bound what peers can hold.
type Limits struct {
	// Sockets is how many may be open at a time; 0 is no limit. When all are open, the one that has
	// been without a request for the longest is closed for a newcomer. When all are busy, the
	// newcomer waits.
	Sockets int
	// Write is how long a peer may take to accept what is written to it; 0 is no limit.
	Write time.Duration
}

// Listener accepts sockets within its limits. Its ConnContext and its Handler must be the server's:
// they tell which sockets are busy.
type Listener struct {
	net.Listener
	limits Limits

	mu      sync.Mutex
	open    int
	waiting list.List // of *socket without a request, the longest waiting first
	changed chan struct{}
	closed  chan struct{}
	once    sync.Once
}

// New puts limits on a listener.
func New(inner net.Listener, limits Limits) *Listener {
	return &Listener{Listener: inner, limits: limits, changed: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Accept returns the next socket as soon as there is room for it.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if err := l.makeRoom(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	s := &socket{Conn: conn, listener: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open++
	l.wait(s)
	return s, nil
}

// Close stops accepting. Open sockets stay.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// Open returns how many sockets are open.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// ConnContext lets Handler know the socket of a request; it is http.Server's.
func (l *Listener) ConnContext(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	return context.WithValue(ctx, socketKey{}, conn)
}

type socketKey struct{}

// Handler marks a request's socket as busy for as long as next works on it.
func (l *Listener) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := r.Context().Value(socketKey{}).(*socket); ok {
			l.enter(s)
			defer l.leave(s)
		}
		if r.ProtoMajor >= 2 && l.limits.Write > 0 {
			w = &streamWriter{w, http.NewResponseController(w), l.limits.Write}
		}
		next.ServeHTTP(w, r)
	})
}

// streamWriter gives the peer its time for each write to a stream of HTTP/2. A stream without a window
// never gets as far as the socket, whose own deadline does not see it.
type streamWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
}

// Unwrap is for http.ResponseController.
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *streamWriter) Write(b []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(b)
}

func (w *streamWriter) FlushError() error {
	w.extend()
	return w.control.Flush()
}

// extend sets a deadline that also holds for what net/http writes when the handler has returned.
func (w *streamWriter) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.limit)) }

// makeRoom waits until another socket may be opened, and closes those that only wait.
func (l *Listener) makeRoom() error {
	for {
		idle, next, full := l.candidate()
		switch {
		case !full:
			return nil
		case idle != nil:
			_ = idle.Close()
			continue
		}
		timer := time.NewTimer(next)
		select {
		case <-l.changed:
		case <-timer.C:
		case <-l.closed:
			timer.Stop()
			return net.ErrClosed
		}
		timer.Stop()
	}
}

// candidate returns the socket to close, if all may be open are and one has waited for long, or
// else the time until one will have.
func (l *Listener) candidate() (idle *socket, next time.Duration, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limits.Sockets == 0 || l.open < l.limits.Sockets {
		return nil, 0, false
	}
	oldest := l.waiting.Front()
	if oldest == nil {
		return nil, time.Minute, true // until one is freed
	}
	s := oldest.Value.(*socket)
	if waited := time.Since(s.since); waited < grace {
		return nil, grace - waited, true
	}
	return s, 0, true
}

// wait puts a socket at the end of those that wait. The caller holds the lock.
func (l *Listener) wait(s *socket) {
	s.since = time.Now()
	s.place = l.waiting.PushBack(s)
	l.tell()
}

func (l *Listener) enter(s *socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.requests++
	if s.place != nil {
		l.waiting.Remove(s.place)
		s.place = nil
	}
}

func (l *Listener) leave(s *socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.requests--; s.requests == 0 && !s.gone {
		l.wait(s)
	}
}

func (l *Listener) forget(s *socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.gone {
		return
	}
	s.gone = true
	l.open--
	if s.place != nil {
		l.waiting.Remove(s.place)
		s.place = nil
	}
	l.tell()
}

// tell wakes Accept, if it waits.
func (l *Listener) tell() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// socket is one open connection of the network. Its fields are the listener's, under its lock.
type socket struct {
	net.Conn
	listener *Listener
	requests int // more than one at a time in HTTP/2
	since    time.Time
	place    *list.Element // among those that wait
	gone     bool
}

// Write gives the peer its time anew for each write, so that a stream may be long but not stuck.
func (s *socket) Write(b []byte) (int, error) {
	if limit := s.listener.limits.Write; limit > 0 {
		_ = s.SetWriteDeadline(time.Now().Add(limit))
	}
	return s.Conn.Write(b)
}

func (s *socket) Close() error {
	s.listener.forget(s)
	return s.Conn.Close()
}
