// Package make is Make to the connector: what it does its own way.
package make

import (
	"net/http"
	"net/url"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// Dialect is how Make is spoken to.
type Dialect struct{}

// Name returns the platform's name.
func (Dialect) Name() platform.Name { return platform.Make }

// Paging says that a module sends a cursor, or the time that Make remembers.
func (Dialect) Paging() platform.Paging { return platform.Paging{Cursor: true, Since: true} }

// List is a page with its cursor.
func (Dialect) List(p platform.Page) any { return p.Paged() }

// Receiver says how Make's webhooks answer: 410 is one that no scenario has been linked to for five
// days, 400 "Queue is full" asks for time (help.make.com, Webhooks).
func (Dialect) Receiver() delivery.Receiver {
	return delivery.Receiver{
		Policy: delivery.Policy{Pauses: []int{http.StatusGone}, QueueFull: "Queue is full"},
	}
}

// TakesCallback admits nothing: a module of Make waits for its answer itself.
func (Dialect) TakesCallback(*url.URL) bool { return false }
