package connector

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

// fail makes an answer of an error: it is echo's error handler.
func (s *Server) fail(err error, c echo.Context) {
	k := callOf(c)
	failure := asError(err)
	k.code = failure.Code
	if c.Response().Committed {
		return
	}
	if failure.Code == soke.ConnectorError {
		s.Logger.ErrorContext(c.Request().Context(), "connector error", "request_id", k.requestID, "operation", k.route.operation, "cause", err.Error())
	}
	h := c.Response().Header()
	sokeHeaders(h, failure.RequestID, failure.Limits)
	status, header, body := k.render(c, failure)
	for name, values := range header {
		h[name] = values
	}
	if werr := c.JSON(status, body); werr != nil {
		s.Logger.DebugContext(c.Request().Context(), "the caller left before its answer", "request_id", k.requestID)
	}
}

// render says a failure as the whole answer that whoever called understands.
func (k *call) render(c echo.Context, failure *soke.Error) (status int, header http.Header, body any) {
	f := platform.Describe(failure, k.words())
	switch {
	case k.route.dialect != nil:
		return platform.Answer(k.platform(), f, k.words())
	case strings.HasPrefix(c.Request().URL.Path, "/openai/"):
		return platform.OpenAI(f)
	default:
		return platform.Plain(f)
	}
}

// native says why a call failed for an answer that holds its failure: that of a connection's check,
// or of a callback.
func (k *call) native(err error) platform.NativeError {
	failure := asError(err)
	k.code = failure.Code
	return platform.Native(k.platform(), platform.Describe(failure, k.words()), k.words())
}

// asError makes one *soke.Error of whatever failed.
func asError(err error) *soke.Error {
	var known *soke.Error
	var field *schemas.FieldError
	var unknown *platform.UnknownError
	var routing *echo.HTTPError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &unknown):
		return &soke.Error{Code: soke.NotFound, Message: unknown.Error(), NotSent: true}
	case errors.As(err, &field):
		return &soke.Error{Code: soke.InvalidInput, Message: field.Error(), Field: field.Field, Label: field.Label, NotSent: true}
	case errors.Is(err, echo.ErrNotFound):
		return &soke.Error{Code: soke.NotFound, Message: "There is nothing at this address.", NotSent: true}
	case errors.Is(err, echo.ErrMethodNotAllowed):
		return &soke.Error{Code: soke.MethodNotAllowed, NotSent: true}
	case errors.As(err, &routing) && routing.Code < http.StatusInternalServerError:
		return &soke.Error{Code: soke.BadRequest, Status: routing.Code, NotSent: true}
	case errors.Is(err, context.Canceled):
		return &soke.Error{Code: soke.ConnectorError, Status: statusClientGone, Err: err}
	default:
		return &soke.Error{Code: soke.ConnectorError, Err: err}
	}
}

// orStorage returns err as it is if it is meant for the caller, and as a 503 of the storage otherwise:
// whatever else a trigger's handler fails with comes from the store.
func orStorage(err error) error {
	var known *soke.Error
	var field *schemas.FieldError
	var routing *echo.HTTPError
	if err == nil || errors.As(err, &known) || errors.As(err, &field) || errors.As(err, &routing) || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) { // of a caller that has said how long it waits
		return &soke.Error{Code: soke.UpstreamTimeout, Err: err}
	}
	return storageUnavailable(err)
}

// statusClientGone is what the log says of a caller that left; nobody reads the answer itself.
const statusClientGone = 499
