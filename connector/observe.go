package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/soke"
)

// observe opens the books on a request and closes them with one log line and its metrics. Neither
// holds a key, a prompt, a body or a query.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		k := s.newCall(c.Request())
		c.Set(callKey, k)
		s.boundBody(c.Response(), c.Request())
		c.Response().Header().Set(headerRequestID, k.requestID)
		protect(c)
		if err := next(c); err != nil {
			s.fail(err, c)
		}
		s.record(c, k)
		return nil
	}
}

// admit refuses what would be more than MaxRequests at a time, but for the question whether the
// process is alive: it is.
func (s *Server) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		defer s.inFlight.Add(-1)
		if n := s.inFlight.Add(1); s.MaxRequests > 0 && n > int64(s.MaxRequests) && c.Path() != healthPath {
			return &soke.Error{Code: soke.ConnectorError, Status: http.StatusServiceUnavailable, RetryAfter: time.Second, NotSent: true, Err: errTooMany,
				Message: "Try again in a moment: the connector is answering as many calls as it may. Nothing was done and no credit was spent."}
		}
		return next(c)
	}
}

var errTooMany = errors.New("more requests at a time than --max-connections allows")

// onlyKnownVerbs refuses every verb that a path does not have. Echo would answer OPTIONS, and name it
// among the verbs that are allowed.
func (s *Server) onlyKnownVerbs(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if allow, wrong := c.Get(echo.ContextKeyHeaderAllow).(string); wrong {
			c.Response().Header().Set(echo.HeaderAllow, strings.TrimPrefix(allow, http.MethodOptions+", "))
			return echo.ErrMethodNotAllowed
		}
		return next(c)
	}
}

// clientAddress tells who a request is from. X-Forwarded-For counts only if a trusted proxy wrote
// it; anybody else could claim anything.
func clientAddress(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		trust = append(trust, echo.TrustIPRange(&net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

func (s *Server) record(c echo.Context, k *call) {
	took, status, name := s.Now().Sub(k.begun), c.Response().Status, cmp.Or(string(k.platform()), "none")
	if errors.Is(c.Request().Context().Err(), context.Canceled) {
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
		slog.String("client", c.RealIP()),
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
