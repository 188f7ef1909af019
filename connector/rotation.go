package connector

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

type rotateInput struct {
	PreviousKey string `json:"previousKey" title:"Previous key" help:"The key that the watches were made with." form:"secret" validate:"required"`
}

type rotateAnswer struct {
	Watches int `json:"watches" title:"Watches" help:"How many watches have moved to the new key."`
}

// rotate moves everything that was made with the previous key to the key of the call. Who knows
// both keys may do that; Soke must accept the new one.
func (s *Server) rotate(c echo.Context, k *call) error {
	form, err := readForm(c.Response(), c.Request())
	if err != nil {
		return err
	}
	in, err := schemas.Decode[rotateInput](form)
	if err != nil {
		return err
	}
	previous, err := soke.ParseKey(in.PreviousKey)
	if err != nil {
		return &schemas.FieldError{Field: "previousKey", Label: "Previous key", Problem: "it is not an API key", Accepted: "sk_live_ followed by 8 to 200 letters, digits, _ or -"}
	}
	cred := k.session.Credential()
	if err := needKey(cred); err != nil {
		return err
	}
	ctx := c.Request().Context()
	check, err := k.session.Check(ctx)
	if err != nil {
		return err
	}
	sokeHeaders(c.Response().Header(), check.RequestID, check.Limits)
	watches, err := s.Watching.Store.Rotate(ctx, previous, cred.Key, s.Now())
	if err != nil && !errors.Is(err, triggers.ErrNoConnection) {
		return err
	}
	s.Watching.Runner.Wake()
	return c.JSON(http.StatusOK, rotateAnswer{Watches: watches})
}
