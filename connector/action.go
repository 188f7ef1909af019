package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

var idempotencyKeyForm = regexp.MustCompile(`^[\x21-\x7E]{1,255}$`)

// runAction binds the form, runs the action and answers with its output.
func (s *Server) runAction(c echo.Context, k *call, a actions.Action) error {
	form, err := readForm(c.Response(), c.Request())
	if err != nil {
		return a.Input.Labelled(err)
	}
	bound, err := a.Bind(form)
	if err != nil {
		return err
	}
	key := c.Request().Header.Get(headerIdempotencyKey)
	if key != "" && !idempotencyKeyForm.MatchString(key) {
		return &schemas.FieldError{
			Field: headerIdempotencyKey, Label: "Idempotency-Key",
			Problem: "it is too long or holds a character that is not visible ASCII", Accepted: "1 to 255 visible ASCII characters",
		}
	}
	if target := c.Request().Header.Get(headerCallbackURL); target != "" {
		return s.accept(c, k, a, bound, target)
	}
	answer, replayed, err := s.perform(c.Request().Context(), k.session, a, bound, key)
	if err != nil {
		return err
	}
	if replayed {
		c.Response().Header().Set(headerReplayed, "true")
	}
	return writeAnswer(c, answer)
}

// perform runs an action. With an idempotency key the call is paid at most once, however often it is
// repeated; replayed tells that this answer cost nothing.
func (s *Server) perform(ctx context.Context, session *soke.Session, a actions.Action, bound actions.Bound, key string) (answer Answer, replayed bool, err error) {
	pay := func(ctx context.Context) (Answer, error) { return s.pay(ctx, session, a, bound) }
	if key == "" {
		answer, err = pay(ctx)
		return answer, false, err
	}
	return s.paidOnce.do(ctx, paidCall{
		credential: session.Credential(), action: a.Key, key: key, input: bound.Input,
	}, pay)
}

// pay makes the call and encodes its output.
func (s *Server) pay(ctx context.Context, session *soke.Session, a actions.Action, bound actions.Bound) (Answer, error) {
	out, err := bound.Run(ctx, session)
	if err != nil {
		return Answer{}, err
	}
	s.Metrics.spent(a.Key, a.Credits)
	body, err := encode(out)
	if err != nil {
		return Answer{}, fmt.Errorf("encoding the output of %s: %w", a.Key, err)
	}
	meta := session.Meta()
	return Answer{Body: body, RequestID: meta.RequestID, limits: meta.Limits}, nil
}

// encode writes an output. One that holds much of what Soke sent knows a shorter way.
func encode(out any) ([]byte, error) {
	if short, ok := out.(interface{ MarshalOutput() ([]byte, error) }); ok {
		return short.MarshalOutput()
	}
	return json.Marshal(out)
}

func writeAnswer(c echo.Context, a Answer) error {
	sokeHeaders(c.Response().Header(), a.RequestID, a.limits)
	c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(a.Body)))
	return c.JSONBlob(http.StatusOK, a.Body)
}

// unknownAction names the nearest action there is.
func (s *Server) unknownAction(c echo.Context, _ *call) error {
	_, err := s.Catalogue.Action(c.Param("action"))
	return err
}

// unknownTrigger names the nearest trigger there is.
func (s *Server) unknownTrigger(c echo.Context, _ *call) error {
	_, err := s.Catalogue.Trigger(c.Param("trigger"))
	return err
}
