package connector

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// healthPath is where the process says that it is alive.
const healthPath = "/healthz"

type statusAnswer struct {
	Status string `json:"status" title:"Status"`
}

// health says that the process is alive.
func (s *Server) health(c echo.Context, _ *call) error {
	return c.JSON(http.StatusOK, statusAnswer{Status: "ok"})
}

// ready says whether the connector can do all of its work. The cause goes to the log alone.
func (s *Server) ready(c echo.Context, k *call) error {
	if err := s.Ready(c.Request().Context()); err != nil {
		s.Logger.WarnContext(c.Request().Context(), "not ready", "request_id", k.requestID, "cause", err.Error())
		return c.JSON(http.StatusServiceUnavailable, statusAnswer{Status: "unavailable"})
	}
	return c.JSON(http.StatusOK, statusAnswer{Status: "ok"})
}
