// Package zapier is Zapier to the connector: what it does its own way.
package zapier

import (
	"net/http"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// Dialect is how Zapier is spoken to.
type Dialect struct{}

// Name returns the platform's name.
func (Dialect) Name() platform.Name { return platform.Zapier }

// NativeError says a failure as the package for Zapier raises it.
func (d Dialect) NativeError(f platform.Failure, call platform.Call) platform.NativeError {
	return platform.Native(d.Name(), f, call)
}

// Error is the whole answer to a call that failed.
func (d Dialect) Error(f platform.Failure, call platform.Call) (int, http.Header, any) {
	return platform.Answer(d.Name(), f, call)
}

// Paging says that Zapier keeps its own memory of the ids that it has seen.
func (Dialect) Paging() platform.Paging { return platform.Paging{} }

// List is a bare array, newest first (platforms/zapier.md, b).
func (Dialect) List(p platform.Page) any { return p.NewestFirst() }

// Receiver says how Zapier's hooks answer: 410 is a Zap that is gone. A key that is dead or may not
// do this is told by the reverse unsubscribe, which pauses the Zap and tells its owner
// (platforms/zapier.md, c).
func (d Dialect) Receiver() delivery.Receiver {
	return delivery.Receiver{
		Policy:       delivery.Policy{Ends: []int{http.StatusGone}},
		Paused:       platform.PausedError(d),
		Unsubscribes: []soke.Code{soke.Unauthorized, soke.Forbidden},
	}
}
