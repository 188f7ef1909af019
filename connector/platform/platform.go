// Package platform says what an automation platform is to the connector, and how a failure is
// said to its users. The words and the native classes of every failure are one table, in
// native.go; the packages below it hold what one platform does its own way. They import this
// package, never each other; who runs the service lists the platforms it serves.
package platform

import (
	"net/url"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// Name names a platform in paths, tables and answers.
type Name string

// The platforms.
const (
	Zapier Name = "zapier"
	N8n    Name = "n8n"
	Make   Name = "make"
)

// Dialect is what one platform does its own way.
type Dialect interface {
	Name() Name
	// Paging says by what its polls ask for what is new.
	Paging() Paging
	// List is the answer to a poll.
	List(p Page) any
	// Receiver says how its webhooks answer.
	Receiver() delivery.Receiver
	// TakesCallback tells whether a URL is where the platform itself waits for the answer of an
	// action. Other URLs need the operator's leave.
	TakesCallback(u *url.URL) bool
}

// Receivers returns the receivers of platforms by name, each with the words for a paused watch.
func Receivers(dialects []Dialect) map[string]delivery.Receiver {
	all := map[string]delivery.Receiver{}
	for _, d := range dialects {
		receiver := d.Receiver()
		receiver.Paused = func(e *soke.Error) any {
			call := Call{Credits: actions.ResearchCredits}
			return Native(d.Name(), Describe(e, call), call)
		}
		all[string(d.Name())] = receiver
	}
	return all
}

// Call is what the words of a failure need to know of the call that failed.
type Call struct {
	// Credits is what a successful call would have cost.
	Credits int
	// Free tells a call that cannot have been charged, however it ended.
	Free bool
	// ConnectionTest tells the test of a connection from the use of one.
	ConnectionTest bool
	// RequestID is the connector's own, shown where Soke gave none.
	RequestID string
}
