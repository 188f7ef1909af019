package sandbox

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// exchange is one request and its answer.
type exchange struct {
	s         *Server
	w         http.ResponseWriter
	r         *http.Request
	begun     time.Time
	requestID string
	body      []byte

	id        string
	user      *user
	signedIn  bool
	behaviour Behaviour
	account   string
	price     int

	limit, remaining int
	reset            time.Time
	credits          *int
}

func newExchange(s *Server, w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{s: s, w: w, r: r, begun: time.Now(), requestID: uuid.NewString()}
}

// refusal is a failure as Soke words it.
type refusal struct {
	status        int
	code, message string
	details       map[string]any
}

var unauthorized = refusal{http.StatusUnauthorized, "UNAUTHORIZED", "The credential is missing, invalid or revoked.", nil}

func badRequest(field, message string) refusal {
	return refusal{http.StatusBadRequest, "BAD_REQUEST", message, map[string]any{"field": field}}
}

func notFound(resource, idName, id string) refusal {
	return refusal{http.StatusNotFound, "NOT_FOUND", "No such " + resource + ".", map[string]any{"resource": resource, idName: id}}
}

type meta struct {
	Platform         string `json:"platform,omitempty"`
	RequestID        string `json:"request_id"`
	ProcessingTimeMS int64  `json:"processing_time_ms"`
}

// headers are on every response; credits only where the call is credit-tracked.
func (x *exchange) headers() {
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Request-Id", x.requestID)
	if x.limit > 0 {
		h.Set("X-Soke-Limit", strconv.Itoa(x.limit))
		h.Set("X-Soke-Remaining", strconv.Itoa(x.remaining))
		h.Set("X-Soke-Reset", strconv.FormatInt(x.reset.Unix(), 10))
	}
	if x.credits != nil {
		h.Set("X-Soke-Credits-Remaining", strconv.Itoa(*x.credits))
	}
}

func (x *exchange) write(status int, v any) {
	x.headers()
	x.w.WriteHeader(status)
	encoded, _ := json.Marshal(v)
	_, _ = x.w.Write(encoded)
}

func (x *exchange) refuse(r refusal) {
	if wait, ok := r.details["retryAfter"].(int); ok {
		x.w.Header().Set("Retry-After", strconv.Itoa(wait))
	}
	type failure struct {
		Code    string         `json:"code"`
		Message string         `json:"message"`
		Details map[string]any `json:"details,omitempty"`
	}
	x.write(r.status, struct {
		Success bool    `json:"success"`
		Error   failure `json:"error"`
		Meta    meta    `json:"meta"`
	}{false, failure{r.code, r.message, r.details}, meta{RequestID: x.requestID, ProcessingTimeMS: x.took()}})
}

// succeed charges and answers in the envelope.
func (x *exchange) succeed(data any) {
	if refused := x.s.charge(x); refused != nil {
		x.refuse(*refused)
		return
	}
	x.answer(data)
}

func (x *exchange) answer(data any) {
	x.write(http.StatusOK, struct {
		Success bool `json:"success"`
		Data    any  `json:"data"`
		Meta    meta `json:"meta"`
	}{true, data, meta{"youtube", x.requestID, x.took()}})
}

func (x *exchange) took() int64 { return time.Since(x.begun).Milliseconds() }

// decode reads the body, or refuses.
func (x *exchange) decode(into any) bool {
	if len(bytes.TrimSpace(x.body)) == 0 {
		x.body = []byte(`{}`)
	}
	if err := json.Unmarshal(x.body, into); err != nil {
		x.refuse(badRequest("body", "The body is not the JSON that this endpoint takes."))
		return false
	}
	return true
}

// platform checks the one parameter that nearly every endpoint has.
func (x *exchange) platform(name string) bool {
	if name == "" || name == "youtube" {
		return true
	}
	x.refuse(refusal{http.StatusNotImplemented, "PLATFORM_NOT_IMPLEMENTED", "Only youtube is supported.", map[string]any{"platform": name}})
	return false
}

// wait waits as the slow key does; it reports whether the caller is still there.
func (x *exchange) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.r.Context().Done():
		return false
	}
}

// garble answers as a broken gateway: in turn an HTML 502, an empty 200, truncated JSON and a
// connection that is reset.
func (x *exchange) garble() {
	x.s.mu.Lock()
	turn := x.user.garbled
	x.user.garbled++
	x.s.mu.Unlock()
	switch turn % 4 {
	case 0:
		x.w.Header().Set("Content-Type", "text/html")
		x.w.WriteHeader(http.StatusBadGateway)
		_, _ = x.w.Write([]byte("<html><body><h1>502 Bad Gateway</h1></body></html>"))
	case 1:
		x.w.WriteHeader(http.StatusOK)
	case 2:
		x.w.Header().Set("Content-Type", "application/json")
		_, _ = x.w.Write([]byte(`{"success":true,"data":{"keywords":[{"keyw`))
	default:
		connection, _, err := http.NewResponseController(x.w).Hijack()
		if err != nil {
			return
		}
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // closes with a reset
		}
		_ = connection.Close()
	}
}
