package background

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// PanicError is a panic that was contained.
type PanicError struct {
	Value any
	Stack []byte // for the log alone
}

// Error does not show the stack.
func (e *PanicError) Error() string { return fmt.Sprint("panic: ", e.Value) }

// Contain runs job and returns a panic of it as a *PanicError: what one row does to a job must not
// end the work of all.
func Contain(job func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
		}
	}()
	job()
	return nil
}

// Log returns what a log says of an error: the cause, and where it was a panic the stack.
func Log(err error) []any {
	attributes := []any{"cause", err.Error()}
	if p := (*PanicError)(nil); errors.As(err, &p) {
		attributes = append(attributes, "stack", string(p.Stack))
	}
	return attributes
}
