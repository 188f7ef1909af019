package connector

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/schemas"
)

// estimateHead says what an estimate is about; the operation's own input may stand beside it.
type estimateHead struct {
	Action string `json:"action,omitempty" title:"Action" help:"The key of the action to estimate." example:"research-keywords" validate:"required"`
}

// estimateAnswer is what an operation will cost.
type estimateAnswer struct {
	CreditsPerRun   int      `json:"creditsPerRun" title:"Credits per run"`
	RunsPerMonth    int      `json:"runsPerMonth" title:"Runs per month" help:"0 for an action: it runs when its user runs it."`
	CreditsPerMonth int      `json:"creditsPerMonth" title:"Credits per month"`
	NextRuns        []string `json:"nextRuns" title:"Next runs" help:"The next five, RFC 3339 with the zone's offset."`
	SharedWith      int      `json:"sharedWith" title:"Shared with" help:"The caller's existing uses of the same watch."`
}

// estimate says what an action costs. An input that comes along is checked, so that a form can be
// tried without spending a credit.
func (s *Server) estimate(c echo.Context, _ *call) error {
	form, err := readForm(c.Response(), c.Request())
	if err != nil {
		return err
	}
	head, err := schemas.Take[estimateHead](form)
	if err != nil {
		return err
	}
	a, ok := s.actionNamed(head.Action)
	if !ok {
		return s.unknownOperation(head.Action)
	}
	if form.Len() > 0 {
		if _, err := a.Bind(form); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, estimateAnswer{CreditsPerRun: a.Credits, NextRuns: []string{}})
}

func (s *Server) unknownOperation(name string) error {
	keys := make([]string, 0, len(s.Catalogue.Actions))
	for _, a := range s.Catalogue.Actions {
		keys = append(keys, a.Key)
	}
	return &schemas.FieldError{
		Field: "action", Label: "Action", Problem: "there is no action " + schemas.Quote(name),
		Accepted: schemas.Nearest(name, keys),
	}
}
