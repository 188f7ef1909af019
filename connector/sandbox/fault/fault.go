// Package fault breaks calls on their way to an upstream, one chosen way at a time: a proxy with a
// table of named faults. It stands before the sandbox or before Soke itself, in tests, in the crash
// test and in benches, and needs no help from either side.
//
// Most faults happen to a request that has arrived, and Proxy injects them. Some happen before any
// request can arrive: no connection, no name, no TLS. For those Place gives an address to call
// instead of the proxy's.
package fault

import (
	"net/http"
	"slices"
	"strings"
)

// Fault is one way in which a call fails, or seems to. Its fields are for reading.
type Fault struct {
	// Name names the fault in tables, keys and files: lower case, digits and hyphens.
	Name string
	// About says what goes wrong, in words.
	About string
	// Early tells that the fault happens before a request can arrive, so that the upstream surely
	// did nothing. Such a fault has a Place and cannot be injected.
	Early bool
	// Slow tells that nothing but the caller's patience ends the call.
	Slow bool
	// Harmless tells that the answer is right, only unusual in form. A caller should not mind.
	Harmless bool

	place  func() Place
	inject func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// All returns every fault there is.
func All() []Fault {
	return slices.Concat(early, onTheWire, answered, slow)
}

// Named returns the fault with a name.
func Named(name string) (Fault, bool) {
	all := All()
	i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return Fault{}, false
	}
	return all[i], true
}

// keyPrefix opens the API keys that ask for a fault.
const keyPrefix = "sk_live_fault_"

// Key returns an API key whose calls ByKey breaks. What follows a further underscore is the
// caller's to tell keys apart with, as in sk_live_fault_html-502_zapier.
func (f Fault) Key() string { return keyPrefix + f.Name }

// ByKey chooses the fault that a request's API key asks for, and none for other keys.
func ByKey(r *http.Request) (Fault, bool) {
	rest, ok := strings.CutPrefix(r.Header.Get("X-Soke-Key"), keyPrefix)
	if !ok {
		return Fault{}, false
	}
	name, _, _ := strings.Cut(rest, "_")
	return Named(name)
}

// Always chooses one fault for every request.
func Always(f Fault) func(*http.Request) (Fault, bool) {
	return func(*http.Request) (Fault, bool) { return f, true }
}
