// Package n8n is n8n to the connector: what it does its own way.
package n8n

import (
	"net/http"

	"github.com/usesoke/soke-connector/connector/platform"
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
