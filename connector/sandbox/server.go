// Package sandbox is the Soke API, local: a real HTTP server. A client written against it works
// against Soke unchanged. It shows every documented fact that a call can show, counts rates and
// credits, and evolves deterministically, so that watches have something to find.
package sandbox

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options make a Server. The zero value is the sandbox of serve --sandbox.
type Options struct {
	// Now is the clock of rates and tokens; nil is time.Now.
	Now func() time.Time
	// SlowFor is how long the slow key takes to answer; 0 is 35 s.
	SlowFor time.Duration
	// RequestsPerMinute of ordinary keys; 0 is 10,000, negative is no limit.
	RequestsPerMinute int
}

// Server is the sandbox.
type Server struct {
	now     func() time.Time
	slowFor time.Duration
	perMin  int
	secret  []byte // signs tokens
	mux     *http.ServeMux

	mu            sync.Mutex
	users         *bounded[string, *user]
	conversations *bounded[string, []message]
	jobs          *bounded[string, *job]
	calls         map[string]int
}

// remembered bounds how many users, topics, conversations and jobs are held in memory.
const remembered = 50_000

// New returns a sandbox that nobody has called yet.
func New(o Options) *Server {
	s := &Server{now: o.Now, slowFor: o.SlowFor, perMin: o.RequestsPerMinute, secret: []byte(uuid.NewString()), calls: map[string]int{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.slowFor == 0 {
		s.slowFor = 35 * time.Second
	}
	if s.perMin == 0 {
		s.perMin = 10_000
	}
	s.users = newBounded[string, *user](remembered)
	s.conversations = newBounded[string, []message](remembered)
	s.jobs = newBounded[string, *job](remembered)
	s.mux = s.routes()
	return s
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, credits int, h func(*exchange)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /api/v1/"+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, path, credits, h) })
	}
	handle("POST research/keywords", 2, s.researchKeywords)
	handle("POST chat/completions", 5, s.chatCompletions)
	handle("POST research/content", 2, s.researchContent)
	handle("POST content/optimize-title", 3, s.optimizeTitle)
	handle("POST content/score", 2, s.scoreContent)
	handle("POST content/generate-description", 3, s.generateDescription)
	handle("POST tags/suggest", 1, s.suggestTags)
	handle("POST content/repurpose", 4, s.repurpose)
	handle("GET trends/scan", 2, s.startJob)
	handle("POST competitor/analyze", 3, s.startJob)
	handle("POST thumbnail/generate", 4, s.startJob)
	handle("POST thumbnail/generate-background", 4, s.startJob)
	handle("POST transcription", 1, s.startTranscription)
	handle("GET transcription/{id}", 0, s.transcription)
	handle("GET jobs/{id}", 0, s.lookUpJob)
	mux.HandleFunc("POST /api/v1/auth/login", s.login)
	mux.HandleFunc("POST /api/v1/auth/refresh", s.refresh)
	unknown := func(x *exchange) { x.refuse(notFound("endpoint", "path", x.r.URL.Path)) }
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, "", 0, unknown) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		x := newExchange(s, w, r)
		if refused := s.countStranger(x); refused != nil {
			x.refuse(*refused)
			return
		}
		unknown(x)
	})
	return mux
}

// ServeHTTP answers as Soke would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// serve leads a request through Soke's gates, in Soke's order, to its handler.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, path string, credits int, h func(*exchange)) {
	s.mu.Lock()
	s.calls[path]++
	s.mu.Unlock()
	x := newExchange(s, w, r)
	x.price = credits
	if refusal := s.admit(x); refusal != nil {
		x.refuse(*refusal)
		return
	}
	// The body first: while it is unread, net/http does not notice that the client has left.
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit(r)))
		if err != nil {
			x.refuse(badRequest("body", "The body is too large or broke off."))
			return
		}
		x.body = body
	}
	switch x.behaviour {
	case Garbled:
		x.garble()
		return
	case Slow:
		if !x.wait(s.slowFor) {
			return
		}
	case Broken:
		x.refuse(refusal{http.StatusInternalServerError, "INTERNAL_ERROR", "Something went wrong on our side.", nil})
		return
	}
	h(x)
}

// bodyLimit is 1 MiB, and for an upload the largest file with room for the form around it.
func bodyLimit(r *http.Request) int64 {
	if isForm(r) {
		return maxUpload + 1<<20
	}
	return 1 << 20
}

// CallCount returns how many calls have reached an endpoint below /api/v1/, as "research/keywords".
func (s *Server) CallCount(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

// Charged returns the credits that a key has spent.
func (s *Server) Charged(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.users.get(key); ok {
		return u.charged
	}
	return 0
}

// Set makes a key behave in another way from now on.
func (s *Server) Set(key string, b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.userOf(key).behaviour = b
}

// SetCredits sets what a key has left.
func (s *Server) SetCredits(key string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.userOf(key).credits = n
}
