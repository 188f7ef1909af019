// Package platform says what an automation platform is to the connector, and how a failure is
// said to its users. The words and the native classes of every failure are one table, in
// native.go; the packages below it hold what one platform does its own way. They import this
// package, never each other; who runs the service lists the platforms it serves.
package platform

import (
	"net/http"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/triggers"
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
	// NativeError says a failure in the platform's shape, contract section 4.
	NativeError(f Failure, call Call) NativeError
	// Error is the whole answer: status, headers and body.
	Error(f Failure, call Call) (status int, header http.Header, body any)
	// Paging says by what its polls ask for what is new.
	Paging() Paging
	// List is the answer to a poll.
	List(p Page) any
	// Receiver says how its webhooks answer, and how they are told that a watch is paused.
	Receiver() delivery.Receiver
}

// Catalogue is every operation there is.
type Catalogue struct {
	Actions  []actions.Action
	Triggers []triggers.Trigger
}

// Call is what the words of a failure need to know of the call that failed.
type Call struct {
	// Operation is the title of what was called, in words for people.
	Operation string
	// Credits is what a successful call would have cost.
	Credits int
	// ConnectionTest tells the test of a connection from the use of one.
	ConnectionTest bool
	// RequestID is the connector's own, shown where Soke gave none.
	RequestID string
}
