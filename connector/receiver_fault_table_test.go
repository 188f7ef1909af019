package connector_test

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/sandbox/fault"
	"github.com/usesoke/soke-connector/connector/soke"
)

// fate is what has to become of a subscription whose receiver misbehaves.
type fate struct {
	state  string        // "" is delivered, and active
	after  time.Duration // the next try is not before; 0 is never
	status int           // as GET shows it; 0 without an answer
}

// The fates. Backoff begins at 5 s; a receiver that is off is asked hourly.
func taken(status int) fate  { return fate{status: status} }
func again(status int) fate  { return fate{"active", 5 * time.Second, status} }
func paused(status int) fate { return fate{"paused", time.Hour, status} }
func ended(status int) fate  { return fate{"ended", 0, status} }

func later(status int, after time.Duration) fate { return fate{"active", after, status} }

// misbehaviour is one way in which a receiver misbehaves.
type misbehaviour struct {
	name  string
	place place            // where no request can arrive
	serve http.HandlerFunc // what becomes of a request that does
	// once tells that the first request alone meets it: each costs seconds.
	once bool
	// takes is how long the connector may stay with it, in seconds of the wall clock; 0 is short.
	takes float64
	fate  fate
	on    map[platform.Name]fate // where a platform's receivers mean something else
}

func (m misbehaviour) of(name platform.Name) fate {
	if f, ok := m.on[name]; ok {
		return f
	}
	return m.fate
}

// misbehaviours are all of them. The bait is an address that nobody may be led to.
func misbehaviours(now func() time.Time, bait string) []misbehaviour {
	all := elsewhere()
	all = append(all, statuses(bait)...)
	all = append(all, waits(now)...)
	all = append(all, slowOnes()...)
	all = append(all, wireOnes()...)
	for _, f := range fault.All() {
		if !f.Early {
			all = append(all, shared(f))
		}
	}
	return all
}

// elsewhere are those that no request reaches.
func elsewhere() []misbehaviour {
	at := func(name string, p place) misbehaviour {
		return misbehaviour{name: name, place: p, fate: again(0)}
	}
	silent := at("tls-silent", place{secure: true, silent: true})
	silent.once, silent.takes = true, 10 // a handshake may take ten of the fifteen
	return []misbehaviour{
		silent,
		at("refused", place{address: "127.0.0.2"}), // where nobody listens
		at("no-such-name", place{address: "none"}),
		at("name-turns-private", place{address: "10.1.2.3"}),
		at("name-turns-metadata", place{address: "169.254.169.254"}),
		at("name-turns-unspecified", place{address: "0.0.0.0"}),
		at("tls-self-signed", place{secure: true, certificate: selfSigned}),
		at("tls-wrong-name", place{secure: true, certificate: otherName}),
		at("tls-expired", place{secure: true, certificate: expired}),
		at("tls-plain-text", place{secure: true, plain: true}),
	}
}

// says answers with a status, a text and headers in pairs.
func says(status int, body string, pairs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(pairs); i += 2 {
			w.Header().Set(pairs[i], pairs[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// statuses are answers in good form.
func statuses(bait string) []misbehaviour {
	var all []misbehaviour
	for _, status := range []int{200, 201, 202, 204, 205, 206, 226, 299} {
		all = append(all, misbehaviour{name: fmt.Sprint(status), serve: says(status, ""), fate: taken(status)})
	}
	for _, status := range []int{
		300, 304, 305, 400, 401, 402, 403, 405, 406, 408, 409, 411, 413, 418, 421, 422, 423, 425, 429, 451, 499,
		500, 501, 502, 503, 504, 507, 508, 511, 599, 600, 999,
	} {
		all = append(all, misbehaviour{name: fmt.Sprint(status), serve: says(status, ""), fate: again(status)})
	}
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		all = append(all, misbehaviour{name: fmt.Sprintf("%d-elsewhere", status), serve: says(status, "", "Location", bait), fate: again(status)})
	}
	here := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}
	all = append(all,
		misbehaviour{name: "307-to-itself", serve: here, fate: again(307)},
		misbehaviour{name: "404", serve: says(404, ""), fate: again(404), on: map[platform.Name]fate{platform.N8n: paused(404)}},
		misbehaviour{name: "410", serve: says(410, ""), on: map[platform.Name]fate{
			platform.Zapier: ended(410), platform.N8n: paused(410), platform.Make: paused(410),
		}},
		misbehaviour{name: "400-queue-is-full", serve: says(400, "Queue is full."), fate: again(400)},
		misbehaviour{name: "410-queue-is-full", serve: says(410, "Queue is full."), on: map[platform.Name]fate{ // no 400
			platform.Zapier: ended(410), platform.N8n: paused(410), platform.Make: paused(410),
		}},
	)
	for _, line := range []string{"HTTP/1.1 000 Nothing", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 -200 OK", "HTTP/1.1 OK", "HTTP/9.9.9 200 OK", "200 OK"} {
		all = append(all, misbehaviour{name: "status-line " + line, serve: speaks(line + "\r\nContent-Length: 0\r\n\r\n"), fate: again(0)})
	}
	return all
}

// waits are answers with a Retry-After.
func waits(now func() time.Time) []misbehaviour {
	const far = soke.MaxRetryAfter
	var all []misbehaviour
	for _, status := range []int{400, 404, 429, 500, 503} {
		w := misbehaviour{
			name: fmt.Sprintf("%d-wait-60", status), serve: says(status, "", "Retry-After", "60"), fate: later(status, time.Minute),
		}
		if status == http.StatusNotFound {
			w.on = map[platform.Name]fate{platform.N8n: paused(404)}
		}
		all = append(all, w)
	}
	for text, after := range map[string]time.Duration{
		"0": 5 * time.Second, "-60": 5 * time.Second, "": 5 * time.Second, "soon": 5 * time.Second, "60.5": 5 * time.Second, "6e1": 5 * time.Second,
		"0x3c": 5 * time.Second, "Mon, 02 Jan 2006 15:04:05 GMT": 5 * time.Second, "Fri, 31 Dec 9999 23:59:59 GMT": far,
		"1000000": far, strconv.Itoa(math.MaxInt64): far, strings.Repeat("9", 100): far,
	} {
		for _, status := range []int{429, 503} {
			all = append(all, misbehaviour{name: fmt.Sprintf("%d-wait %q", status, text), serve: says(status, "", "Retry-After", text), fate: later(status, after)})
		}
	}
	date := func(w http.ResponseWriter, r *http.Request) {
		says(503, "", "Retry-After", now().Add(time.Minute).UTC().Format(http.TimeFormat))(w, r)
	}
	full := misbehaviour{name: "400-queue-is-full-wait-60", serve: says(400, "Queue is full.", "Retry-After", "60"), fate: later(400, time.Minute)}
	return append(all, misbehaviour{name: "503-wait-date", serve: date, fate: later(503, time.Minute)}, full)
}

// slowOnes answer late or a little at a time. "Any 2xx within 15 s is success."
func slowOnes() []misbehaviour {
	answersAfter := func(d time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
				w.WriteHeader(http.StatusOK)
			case <-r.Context().Done():
			}
		}
	}
	return []misbehaviour{
		{name: "just-in-time", serve: answersAfter(13 * time.Second), once: true, takes: 13, fate: taken(200)},
		{name: "too-late", serve: answersAfter(19 * time.Second), once: true, takes: 15, fate: again(0)},
		{name: "dripping-head", serve: drips("HTTP/1.1 200 OK\r\nX-Drip: "), once: true, takes: 15, fate: again(0)},
		{name: "dripping-status", serve: drips("HTTP/1.1 "), once: true, takes: 15, fate: again(0)},
	}
}

// wireOnes are no HTTP, or hardly.
func wireOnes() []misbehaviour {
	const none = "Content-Length: 0\r\n\r\n"
	return []misbehaviour{
		{name: "continue-first", serve: speaks("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n" + none), fate: taken(200)},
		{name: "many-headers", serve: speaks("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Many: 1\r\n", 100_000) + none), fate: again(0)},
		{name: "random-bytes", serve: speaks(strings.Repeat("\x00\xff\x17\n", 4096)), fate: again(0)},
		{name: "tls-on-the-http-port", serve: speaks("\x15\x03\x01\x00\x02\x02\x0a"), fate: again(0)},
		{name: "http-2-without-asking", serve: speaks("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), fate: again(0)},
		{name: "two-lengths", serve: speaks("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n"), fate: again(0)},
		{name: "negative-length", serve: speaks("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), fate: again(0)},
		{name: "bad-header", serve: speaks("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), fate: again(0)},
		{name: "two-answers", serve: speaks("HTTP/1.1 503 No\r\n" + none + "HTTP/1.1 200 OK\r\n" + none), fate: again(503)},
		{name: "failure-reset-in-body", serve: speaks("HTTP/1.1 410 Gone\r\nContent-Length: 100\r\n\r\nhalf"), on: map[platform.Name]fate{
			platform.Zapier: ended(410), platform.N8n: paused(410), platform.Make: paused(410), // a status counts without its body
		}},
	}
}

// shared is a fault of the proxy before Soke, in front of a receiver.
func shared(f fault.Fault) misbehaviour {
	fine := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	m := misbehaviour{name: f.Name, serve: fault.New(fine, fault.Always(f)).ServeHTTP, fate: taken(200)}
	if f.Slow {
		m.once, m.takes = true, 15
	}
	switch f.Name {
	case "slow-head", "close-before-answer", "reset-before-answer", "reset-in-head", "no-http", "head-too-large", "hints-for-ever":
		m.fate = again(0)
	case "html-503", "html-429":
		m.fate = later(map[string]int{"html-503": 503, "html-429": 429}[f.Name], 7*time.Second)
	case "other-protocol":
		m.fate, m.takes = again(101), 0 // an answer, and no success
	case "html-502", "redirect", "success-true-500", "unknown-code-4xx", "unknown-code-5xx", "no-code", "no-request-id", "echoed-key":
		answer := httptest.NewRecorder()
		m.serve(answer, httptest.NewRequest(http.MethodPost, "/", nil))
		m.fate = again(answer.Code)
	}
	return m
}

// speaks writes to the connection itself and closes it.
func speaks(text string) http.HandlerFunc {
	return onConn(func(conn net.Conn) { _, _ = io.WriteString(conn, text) })
}

// drips writes a beginning and then a byte now and again, as long as somebody listens.
func drips(beginning string) http.HandlerFunc {
	return onConn(func(conn net.Conn) {
		pace := time.NewTicker(100 * time.Millisecond)
		defer pace.Stop()
		_, err := io.WriteString(conn, beginning)
		for ; err == nil; _, err = io.WriteString(conn, "2") {
			<-pace.C
		}
	})
}

func onConn(speak func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = conn.Close() }()
		speak(conn)
	}
}
