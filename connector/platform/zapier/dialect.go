// Package zapier is Zapier to the connector: what it does its own way.
package zapier

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// Dialect is how Zapier is spoken to.
type Dialect struct{}

// Name returns the platform's name.
func (Dialect) Name() platform.Name { return platform.Zapier }

// Paging says that Zapier keeps its own memory of the ids that it has seen.
func (Dialect) Paging() platform.Paging { return platform.Paging{} }

// List is a bare array, newest first: Zapier reads the first page of a poll alone and drops the ids
// that it has seen (docs.zapier.com, Build > Triggers > Deduplication).
func (Dialect) List(p platform.Page) any { return p.NewestFirst() }

// Receiver says how Zapier's hooks answer: 410 is a Zap that is gone. A key that is dead or may not
// do this is told by the reverse unsubscribe, which pauses the Zap and tells its owner
// (docs.zapier.com, Build > Triggers > REST hooks).
func (Dialect) Receiver() delivery.Receiver {
	return delivery.Receiver{
		Policy:       delivery.Policy{Ends: []int{http.StatusGone}},
		Unsubscribes: []soke.Code{soke.Unauthorized, soke.Forbidden},
	}
}

// TakesCallback admits Zapier's own callback host, where a paused step waits for its answer.
func (Dialect) TakesCallback(u *url.URL) bool {
	host := u.Hostname()
	return u.Scheme == "https" && (host == "zapier.com" || strings.HasSuffix(host, ".zapier.com"))
}
