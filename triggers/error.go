package triggers

import "errors"

// Errors of stores.
var (
	// ErrNoConnection says that a key has no connection.
	ErrNoConnection = errors.New("no connection has this key")
	// ErrNoSubscription says that the caller has no such subscription.
	ErrNoSubscription = errors.New("there is no such subscription")
	// ErrTooManyTests says that as many tests of the key wait for their delivery as may.
	ErrTooManyTests = errors.New("too many tests wait for their delivery")
	// ErrNoWatch says that there is no such watch.
	ErrNoWatch = errors.New("there is no such watch")
)
