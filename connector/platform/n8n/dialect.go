// Package n8n is n8n to the connector: what it does its own way.
package n8n

import (
	"net/http"
	"net/url"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// Dialect is how n8n is spoken to.
type Dialect struct{}

// Name returns the platform's name.
func (Dialect) Name() platform.Name { return platform.N8n }

// Paging says that the node keeps a cursor.
func (Dialect) Paging() platform.Paging { return platform.Paging{Cursor: true} }

// List is a page with its cursor.
func (Dialect) List(p platform.Page) any { return p.Paged() }

// Receiver says how n8n's webhooks answer: 404 is a workflow that is off and may come back.
func (Dialect) Receiver() delivery.Receiver {
	return delivery.Receiver{
		Policy: delivery.Policy{Pauses: []int{http.StatusNotFound, http.StatusGone}},
	}
}

// TakesCallback admits nothing: an n8n node waits for its answer itself.
func (Dialect) TakesCallback(*url.URL) bool { return false }
