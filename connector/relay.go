package connector

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
)

// relayPatience is how long a caller may take to accept one chunk of a stream.
const relayPatience = time.Minute

// relay passes a stream of Soke's on, event by event, each flushed at once. When the caller
// leaves, the upstream call is freed with the request's context. A stream that breaks ends with an
// event that holds the failure and without [DONE], so that no client takes a part for the whole.
func (s *Server) relay(c echo.Context, k *call, call soke.Call) error {
	stream, err := k.session.Stream(c.Request().Context(), call)
	if err != nil {
		return err
	}
	defer stream.Close()
	meta := k.session.Meta()
	h := c.Response().Header()
	sokeHeaders(h, meta.RequestID, meta.Limits)
	h.Set(echo.HeaderContentType, "text/event-stream; charset=utf-8")
	h.Set(echo.HeaderCacheControl, "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)

	send := func(data string) error {
		control := http.NewResponseController(c.Response())
		_ = control.SetWriteDeadline(time.Now().Add(relayPatience))
		event := "data: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n"
		if _, err := c.Response().Write([]byte(event)); err != nil {
			return err
		}
		return control.Flush()
	}
	for data, err := range stream.Events() {
		if err != nil {
			failure := asError(err)
			k.code = failure.Code
			_, _, body := s.render(c, k, platform.Describe(failure, k.words()))
			said, _ := json.Marshal(body)
			_ = send(string(said))
			return nil
		}
		if err := send(data); err != nil {
			return nil
		}
	}
	_ = send("[DONE]")
	return nil
}
