// Package make is Make to the connector: what it does its own way.
package make

import (
	"net/http"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// Dialect is how Make is spoken to.
type Dialect struct{}

// Name returns the platform's name.
func (Dialect) Name() platform.Name { return platform.Make }

// NativeError says a failure as the package for Make raises it.
func (d Dialect) NativeError(f platform.Failure, call platform.Call) platform.NativeError {
	return platform.Native(d.Name(), f, call)
}

// Error is the whole answer to a call that failed.
func (d Dialect) Error(f platform.Failure, call platform.Call) (int, http.Header, any) {
	return platform.Answer(d.Name(), f, call)
}

// Paging says that a module sends a cursor, or the time that Make remembers.
func (Dialect) Paging() platform.Paging { return platform.Paging{Cursor: true, Since: true} }

// List is a page with its cursor.
func (Dialect) List(p platform.Page) any { return p.Paged() }

// Receiver says how Make's webhooks answer: 410 is one that no scenario has been linked to for five
// days, 400 "Queue is full" asks for time (platforms/make.md, 8).
func (d Dialect) Receiver() delivery.Receiver {
	return delivery.Receiver{
		Policy: delivery.Policy{Pauses: []int{http.StatusGone}, QueueFull: "Queue is full"},
		Paused: platform.PausedError(d),
	}
}
