package connector

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/soke"
)

// relay passes a stream of Soke's on, event by event, each flushed at once. When the caller
// leaves, the upstream call is freed with the request's context. A stream that breaks ends with an
// event that holds the failure and without [DONE], so that no client takes a part for the whole.
func (s *Server) relay(c echo.Context, k *call, stream *soke.Stream) error {
	out := openEvents(c, k)
	for data, err := range stream.Events() {
		if err != nil {
			failure := asError(err)
			k.code = failure.Code
			_, _, body := k.render(c, failure)
			said, _ := json.Marshal(body)
			_ = out.send(string(said))
			return nil
		}
		if err := out.send(data); err != nil {
			return nil
		}
	}
	_ = out.send(soke.StreamEnd)
	return nil
}

// events is an answer in events.
type events struct {
	w       *echo.Response
	control *http.ResponseController
}

// openEvents sends the head of an answer in events, with what Soke said along with its own.
func openEvents(c echo.Context, k *call) events {
	meta := k.session.Meta()
	h := c.Response().Header()
	sokeHeaders(h, meta.RequestID, meta.Limits)
	h.Set(echo.HeaderContentType, "text/event-stream; charset=utf-8")
	h.Set(echo.HeaderCacheControl, "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	return events{c.Response(), http.NewResponseController(c.Response())}
}

// send sends one event. Its error is that the caller has left, or is slower than the listener bears.
func (e events) send(data string) error {
	event := "data: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n"
	if _, err := e.w.Write([]byte(event)); err != nil {
		return err
	}
	return e.control.Flush()
}
