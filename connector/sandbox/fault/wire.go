package fault

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
)

// onTheWire are the faults below HTTP: they write to the connection itself, or break it.
var onTheWire = []Fault{
	{Name: "close-before-answer", About: "the connection is closed in order, without an answer", inject: raw("")},
	{Name: "reset-before-answer", About: "the connection is reset without an answer", inject: broken("")},
	{Name: "reset-in-head", About: "the connection is reset within the answer's head", inject: broken("HTTP/1.1 200 OK\r\nContent-Ty")},
	{Name: "reset-in-body", About: "the connection is reset within the answer's body", inject: resetInBody},
	{Name: "chunk-cut-off", About: "the connection is closed within a chunk of the body", inject: chunkCutOff},
	{Name: "length-too-long", About: "Content-Length promises more than comes", inject: wrongLength(1000)},
	{Name: "length-too-short", About: "Content-Length promises less than comes", inject: wrongLength(-5)},
	{Name: "no-http", About: "the answer is another protocol", inject: raw("SSH-2.0-OpenSSH_9.9\r\n")},
	{Name: "head-too-large", About: "the answer's head is 1 MiB", inject: raw("HTTP/1.1 200 OK\r\nX-Large: " + strings.Repeat("x", 1<<20) + "\r\n\r\n")},
	{Name: "http-10", About: "the answer is HTTP/1.0 and ends with its connection", Harmless: true, inject: oldHTTP},
	{Name: "http-10-cut-off", About: "the answer is HTTP/1.0 and its connection ends too soon", inject: raw("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + half)},
	{Name: "hints-first", About: "an informational answer comes before the real one", Harmless: true, inject: hintsFirst},
	{Name: "hints-for-ever", About: "informational answers come and never the real one", inject: hintsForEver},
	{Name: "other-protocol", About: "the connection is switched to a protocol nobody asked for", Slow: true, inject: otherProtocol},
}

// Parts of answers.
const (
	whole = `{"success":true,"data":{"keywords":[]},"meta":{"request_id":"fault-1"}}`
	half  = `{"success":true,"data":{"keywords":[{"keyw`
	chunk = `data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hel"}}]}` + "\n\n"
)

// streams reports whether the caller asked for events.
func streams(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream")
}

// begun is the head and the first part of an answer, as the caller asked for it.
func begun(r *http.Request) string {
	if streams(r) {
		return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: fault-1\r\nTransfer-Encoding: chunked\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk)
	}
	return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: fault-1\r\nContent-Length: 1000\r\n\r\n" + half
}

// overConn takes the connection from HTTP, lets speak write what it likes, and closes it.
func overConn(w http.ResponseWriter, speak func(net.Conn)) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: the nearest there is
	}
	defer func() { _ = conn.Close() }()
	speak(conn)
}

func raw(text string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		overConn(w, func(conn net.Conn) { _, _ = io.WriteString(conn, text) })
	}
}

func broken(text string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		overConn(w, func(conn net.Conn) { _, _ = io.WriteString(conn, text); reset(conn) })
	}
}

// reset makes closing a connection discard what is not sent yet and tell the other side so.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

func resetInBody(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	overConn(w, func(conn net.Conn) { _, _ = io.WriteString(conn, begun(r)); reset(conn) })
}

func chunkCutOff(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	kind := "application/json"
	if streams(r) {
		kind = "text/event-stream"
	}
	raw("HTTP/1.1 200 OK\r\nContent-Type: "+kind+"\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n"+half)(w, r, nil)
}

func wrongLength(by int) func(http.ResponseWriter, *http.Request, http.Handler) {
	return raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(whole)+by, whole))
}

// oldHTTP passes the upstream's answer on as a server of 1996 would.
func oldHTTP(w http.ResponseWriter, r *http.Request, next http.Handler) {
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	var head bytes.Buffer
	_, _ = head.WriteString("HTTP/1.0 " + strconv.Itoa(answer.Code) + " " + http.StatusText(answer.Code) + "\r\n")
	_ = answer.Header().Write(&head)
	_, _ = head.WriteString("\r\n")
	overConn(w, func(conn net.Conn) {
		_, _ = head.WriteTo(conn)
		_, _ = answer.Body.WriteTo(conn)
	})
}

func hintsFirst(w http.ResponseWriter, r *http.Request, next http.Handler) {
	w.Header().Set("Link", "</style.css>; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	w.Header().Del("Link")
	next.ServeHTTP(w, r)
}

func hintsForEver(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	overConn(w, func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"); err != nil {
				return
			}
		}
	})
}

func otherProtocol(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	overConn(w, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"+half)
		_, _ = conn.Read(make([]byte, 1)) // until the caller leaves
	})
}
