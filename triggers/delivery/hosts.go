package delivery

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// hostRate is how many requests a second one host gets: Zapier takes about 30
	// for a hook, Make 300 in ten.
	hostRate = 25
	// hostWorkers is how many attempts one host may hold at a time, so that a slow one leaves
	// workers to the others.
	hostWorkers = 16
	// A host that has left so many attempts in a row without an answer gets one at a time, after a
	// rest, until it answers again.
	openAfter = 5
	restFor   = 30 * time.Second
	// forgetAfter is how long the silence of a host counts that nobody has tried again. Tunnels get
	// a name for each session and would fill the memory.
	forgetAfter = time.Hour
	// A receiver that asks for time is believed: its connection leaves the host alone for as long. The
	// others share the host and not the receiver's word: they do for a minute at most.
	longestHoldOfOthers = time.Minute
)

// hosts keeps the pace of every target host. It is memory only: a host that is forgotten is met
// anew.
type hosts struct {
	mu    sync.Mutex
	known map[string]*host
	asked map[Pair]time.Time // by connection and host: nothing before
}

type host struct {
	pace    *rate.Limiter
	running int
	until   time.Time // nothing before
	silent  int       // attempts in a row without an answer
	latest  time.Time // when the latest of them ended
}

func newHosts() *hosts { return &hosts{known: map[string]*host{}, asked: map[Pair]time.Time{}} }

// enter takes a place for one attempt of a connection, if the host has one for it now.
func (h *hosts) enter(p Pair, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asked[p].After(now) {
		return false
	}
	name := p.Host
	t, ok := h.known[name]
	if !ok {
		t = &host{pace: rate.NewLimiter(hostRate, hostRate)}
		h.known[name] = t
	}
	if t.wait(now) > 0 || !t.pace.AllowN(now, 1) {
		return false
	}
	t.running++
	return true
}

// full is how long a host without a free place is left alone; an attempt that ends wakes earlier.
const full = time.Second

// wait is how long until the host may have one more attempt.
func (t *host) wait(now time.Time) time.Duration {
	switch {
	case t.until.After(now):
		return t.until.Sub(now)
	case t.running >= hostWorkers, t.silent >= openAfter && t.running > 0:
		return full
	}
	if missing := 1 - t.pace.TokensAt(now); missing > 0 {
		return time.Duration(missing / hostRate * float64(time.Second))
	}
	return 0
}

// held returns the hosts that may not be tried now, those that a connection may not try, and how long
// until the first of them may be.
func (h *hosts) held(now time.Time) (names []string, pairs []Pair, release time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	release = idle
	maps.DeleteFunc(h.asked, func(_ Pair, until time.Time) bool { return !until.After(now) })
	for p, until := range h.asked {
		pairs = append(pairs, p)
		release = min(release, until.Sub(now))
	}
	for name, t := range h.known {
		if wait := t.wait(now); wait > 0 {
			names = append(names, name)
			release = min(release, wait)
			continue
		}
		if t.running == 0 && (t.silent == 0 || now.Sub(t.latest) > forgetAfter) && t.pace.TokensAt(now) >= hostRate {
			delete(h.known, name) // nothing is left to remember
		}
	}
	return names, pairs, release
}

// leave gives the place of an attempt back.
func (h *hosts) leave(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t, ok := h.known[name]; ok {
		t.running--
	}
}

// hold has a connection leave a host alone until a time.
func (h *hosts) hold(p Pair, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked[p] = later(h.asked[p], until)
}

// answered learns from an outcome: who asks for time holds the host, and silence opens the circuit.
func (h *hosts) answered(p Pair, o Outcome, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ok := h.known[p.Host]
	if !ok {
		return
	}
	switch {
	case o.holds():
		t.silent = 0
		wait := max(o.RetryAfter, time.Second)
		h.asked[p] = later(h.asked[p], now.Add(wait))
		t.until = later(t.until, now.Add(min(wait, longestHoldOfOthers)))
	case o.Status != 0:
		t.silent = 0
	default:
		t.latest = now
		if t.silent++; t.silent >= openAfter {
			t.until = now.Add(restFor)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
