package connector

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/labstack/echo/v4"
)

// observe opens the books on a request and closes them with one log line and its metrics. Neither
// holds a key, a prompt, a body or a query.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		k := s.newCall(c.Request())
		c.Set(callKey, k)
		s.boundBody(c.Response(), c.Request())
		c.Response().Header().Set(headerRequestID, k.requestID)
		s.Metrics.inFlight.Inc()
		defer s.Metrics.inFlight.Dec()
		if err := next(c); err != nil {
			s.fail(err, c)
		}
		s.record(c, k)
		return nil
	}
}

func (s *Server) record(c echo.Context, k *call) {
	took, status, name := s.Now().Sub(k.begun), c.Response().Status, "none"
	if k.route.dialect != nil {
		name = string(k.route.dialect.Name())
	}
	if c.Request().Context().Err() != nil {
		status = statusClientGone
	}
	s.Metrics.answered(name, k.route.operation, status, took)
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("platform", name),
		slog.String("operation", k.route.operation),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("request_id", k.requestID),
	}
	if k.code != "" {
		attrs = append(attrs, slog.String("code", string(k.code)))
	}
	if k.session != nil {
		if id := k.session.Meta().RequestID; id != "" {
			attrs = append(attrs, slog.String("soke_request_id", id))
		}
	}
	s.Logger.LogAttrs(c.Request().Context(), level, "request", attrs...)
}

// recover turns a panic into a fault of the connector's, with its stack in the log.
func (s *Server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too.
				panic(v)
			}
			s.Logger.Error("panic", "request_id", callOf(c).requestID, "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}()
		return next(c)
	}
}
