// Package n8n is n8n to the connector: what it does its own way.
package n8n

import (
	"net/http"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// Dialect is how n8n is spoken to.
type Dialect struct{}

// Name returns the platform's name.
func (Dialect) Name() platform.Name { return platform.N8n }

// NativeError says a failure as the package for n8n raises it.
func (d Dialect) NativeError(f platform.Failure, call platform.Call) platform.NativeError {
	return platform.Native(d.Name(), f, call)
}

// Error is the whole answer to a call that failed.
func (d Dialect) Error(f platform.Failure, call platform.Call) (int, http.Header, any) {
	return platform.Answer(d.Name(), f, call)
}

// Paging says that the node keeps a cursor.
func (Dialect) Paging() platform.Paging { return platform.Paging{Cursor: true} }

// List is a page with its cursor.
func (Dialect) List(p platform.Page) any { return p.Paged() }

// Receiver says how n8n's webhooks answer: 404 is a workflow that is off and may come back
// (platforms/n8n.md, 5).
func (d Dialect) Receiver() delivery.Receiver {
	return delivery.Receiver{
		Policy: delivery.Policy{Pauses: []int{http.StatusNotFound, http.StatusGone}},
		Paused: platform.PausedError(d),
	}
}
