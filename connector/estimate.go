package connector

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

// estimateHead says what an estimate is about; the operation's own input may stand beside it.
type estimateHead struct {
	Action  string `json:"action,omitempty" title:"Action" help:"The key of the action to estimate." example:"research-keywords"`
	Trigger string `json:"trigger,omitempty" title:"Trigger" help:"The key of the trigger to estimate." example:"new-keyword"`
}

// estimateAnswer is what an operation will cost.
type estimateAnswer struct {
	CreditsPerRun   int      `json:"creditsPerRun" title:"Credits per run"`
	RunsPerMonth    int      `json:"runsPerMonth" title:"Runs per month" help:"0 for an action: it runs when its user runs it."`
	CreditsPerMonth int      `json:"creditsPerMonth" title:"Credits per month"`
	NextRuns        []string `json:"nextRuns" title:"Next runs" help:"The next five, RFC 3339 with the zone's offset."`
	SharedWith      int      `json:"sharedWith" title:"Shared with" help:"The caller's existing uses of the same watch."`
}

// estimate says what an operation costs, spends nothing and stores nothing. An action's input is
// checked if it comes along, so that a form can be tried for nothing.
func (s *Server) estimate(c echo.Context, k *call) error {
	form, err := readForm(c.Response(), c.Request())
	if err != nil {
		return err
	}
	head, err := schemas.Take[estimateHead](form)
	if err != nil {
		return err
	}
	switch {
	case (head.Action == "") == (head.Trigger == ""):
		return &schemas.FieldError{Field: "action", Label: "Action", Problem: "exactly one of Action and Trigger is needed", Accepted: "the key of one operation of the catalogue"}
	case head.Trigger != "":
		return s.estimateTrigger(c, k, head.Trigger, form)
	}
	a, err := s.Catalogue.Action(head.Action)
	if err != nil {
		return unknownOperation(err)
	}
	if form.Len() > 0 {
		if _, err := a.Bind(form); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, estimateAnswer{CreditsPerRun: a.Credits, NextRuns: []string{}})
}

// previewRuns is how many coming runs an estimate shows.
const previewRuns = 5

func (s *Server) estimateTrigger(c echo.Context, k *call, key string, form *schemas.Object) error {
	t, err := s.Catalogue.Trigger(key)
	if err != nil {
		return unknownOperation(err)
	}
	opening, err := s.opening(k.session.Credential(), t, form)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	connection, err := s.Watching.Store.ConnectionID(ctx, opening.Key)
	if err != nil {
		return err
	}
	shared, err := s.Watching.Store.Uses(ctx, opening.Key, opening)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(opening.Schedule.Timezone())
	if err != nil {
		return err
	}
	runs := opening.Schedule.RunsPerMonth(opening.Now)
	answer := estimateAnswer{
		CreditsPerRun: t.Credits, RunsPerMonth: runs, CreditsPerMonth: runs * t.Credits,
		NextRuns: []string{}, SharedWith: shared,
	}
	watchID := triggers.WatchID(connection, opening.AccountID, opening.Research, opening.Schedule)
	at := opening.Now
	for range previewRuns {
		at = opening.Schedule.Next(at, watchID)
		answer.NextRuns = append(answer.NextRuns, at.In(zone).Format(time.RFC3339))
	}
	return c.JSON(http.StatusOK, answer)
}

// unknownOperation refuses a key that is none as what it is here: a field of the form.
func unknownOperation(err error) error {
	var unknown *platform.UnknownError
	if !errors.As(err, &unknown) {
		return err
	}
	label := strings.ToUpper(unknown.Kind[:1]) + unknown.Kind[1:]
	return &schemas.FieldError{
		Field: unknown.Kind, Label: label,
		Problem: "there is no " + unknown.Kind + " " + schemas.Quote(unknown.Key), Accepted: unknown.Nearest,
	}
}
