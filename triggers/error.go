package triggers

import "errors"

// Errors of stores.
var (
	// ErrNoConnection says that a key has no connection.
	ErrNoConnection = errors.New("no connection has this key")
	// ErrNoSubscription says that the caller has no such subscription.
	ErrNoSubscription = errors.New("there is no such subscription")
	// ErrNoWatch says that there is no such watch.
	ErrNoWatch = errors.New("there is no such watch")
)
