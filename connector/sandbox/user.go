package sandbox

import (
	"math"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Behaviour is how the sandbox treats a key.
type Behaviour int

// Behaviours, one for each failure of Soke that a key can have.
const (
	Active    Behaviour = iota
	Expired             // SUBSCRIPTION_REQUIRED
	Revoked             // UNAUTHORIZED
	NoCredits           // INSUFFICIENT_CREDITS
	Limited             // ten requests a minute
	Forbidden           // FORBIDDEN
	Broken              // INTERNAL_ERROR
	Garbled             // what a broken gateway sends
	Slow                // answers late
)

// special are the keys with a behaviour of their own; any other well-formed key is Active.
var special = map[string]Behaviour{
	"sk_live_sandbox_expired":   Expired,
	"sk_live_sandbox_revoked":   Revoked,
	"sk_live_sandbox_nocredits": NoCredits,
	"sk_live_sandbox_limited":   Limited,
	"sk_live_sandbox_forbidden": Forbidden,
	"sk_live_sandbox_broken":    Broken,
	"sk_live_sandbox_garbled":   Garbled,
	"sk_live_sandbox_slow":      Slow,
}

// Accounts that every user has connected; the first is the default one.
const (
	mainAccount   = "acc_main"
	secondAccount = "acc_second"
)

// startingCredits is what a user begins with.
const startingCredits = 1_000_000

// user is one key's, or one signed-in person's, books.
type user struct {
	behaviour Behaviour
	credits   int
	charged   int
	window    time.Time // when the current minute began
	used      int       // requests in it
	garbled   int       // answers garbled so far
	states    *bounded[string, int]
}

// userOf returns the books of a key or person. The lock is held.
func (s *Server) userOf(id string) *user {
	if u, ok := s.users.get(id); ok {
		return u
	}
	u := &user{behaviour: special[id], credits: startingCredits, states: newBounded[string, int](1000)}
	if u.behaviour == NoCredits {
		u.credits = 0
	}
	s.users.put(id, u)
	return u
}

var keyForm = regexp.MustCompile(`^sk_live_[A-Za-z0-9_-]{8,200}$`)

// admit is what Soke checks before it looks at an endpoint: credential, account, subscription,
// permission, rate.
func (s *Server) admit(x *exchange) *refusal {
	id, signedIn := "", false
	if key := x.r.Header.Get("X-Soke-Key"); key != "" {
		if keyForm.MatchString(key) {
			id = key
		}
	} else if bearer, ok := strings.CutPrefix(x.r.Header.Get("Authorization"), "Bearer "); ok {
		id, signedIn = s.subject(bearer, accessToken), true
	}
	if id == "" {
		if refused := s.countStranger(x); refused != nil {
			return refused
		}
		return &unauthorized
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.userOf(id)
	x.id, x.user, x.signedIn, x.behaviour = id, u, signedIn, u.behaviour
	refused := s.count(x, u)
	switch {
	case u.behaviour == Revoked:
		return &unauthorized
	case refused != nil:
		return refused
	}
	x.account = x.r.Header.Get("X-Soke-Account-Id")
	switch x.account {
	case "":
		x.account = mainAccount
	case mainAccount, secondAccount:
	default:
		r := notFound("account", "accountId", x.account)
		return &r
	}
	switch u.behaviour {
	case Expired:
		return &refusal{http.StatusForbidden, "SUBSCRIPTION_REQUIRED", "An active subscription is required to access this endpoint.", nil}
	case Forbidden:
		return &refusal{http.StatusForbidden, "FORBIDDEN", "This key has no permission for this endpoint.", nil}
	}
	return nil
}

// strangers are the books of all who call without a credential that the sandbox knows. The name is
// neither a key nor an e-mail address.
const strangers = "strangers"

// countStranger counts a request that is nobody's, so that its answer has limits too.
func (s *Server) countStranger(x *exchange) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(x, s.userOf(strangers))
}

// count counts a request against the user's minute, which begins with its first request.
func (s *Server) count(x *exchange, u *user) *refusal {
	limit := s.perMin
	if u.behaviour == Limited {
		limit = 10
	}
	now := s.now()
	if now.Sub(u.window) >= time.Minute || now.Before(u.window) {
		u.window, u.used = now, 0
	}
	u.used++
	reset := u.window.Add(time.Minute)
	if limit < 0 {
		limit, u.used = math.MaxInt32, 1
	}
	x.limit, x.remaining, x.reset = limit, max(limit-u.used, 0), reset
	if u.used <= limit {
		return nil
	}
	wait := int(math.Ceil(reset.Sub(now).Seconds()))
	return &refusal{
		http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED", "Too many requests. Slow down or upgrade your plan.",
		map[string]any{"retryAfter": wait},
	}
}

// charge takes the price of a success, or refuses.
func (s *Server) charge(x *exchange) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.price > x.user.credits {
		left := x.user.credits
		x.credits = &left
		return &refusal{
			http.StatusPaymentRequired, "INSUFFICIENT_CREDITS", "You do not have enough credits for this request.",
			map[string]any{"required": x.price, "remaining": left},
		}
	}
	x.user.credits -= x.price
	x.user.charged += x.price
	if x.price > 0 {
		left := x.user.credits
		x.credits = &left
	}
	return nil
}

// nextState counts the researches of a topic by an account, from 0.
func (s *Server) nextState(x *exchange, topic string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := x.user.states.get(topic)
	x.user.states.put(topic, n+1)
	return n
}
