package connector

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

const headerUnsubscribeToken = "X-Unsubscribe-Token"

// testLasts is how long an editor's subscription waits for its one delivery: a little
// longer than n8n's editor listens.
const testLasts = 150 * time.Second

// subscribeHead stands beside a trigger's input.
type subscribeHead struct {
	TargetURL string `json:"targetUrl" title:"Target URL" help:"Where events are posted to." validate:"required,max=2048"`
	Test      bool   `json:"test,omitempty" title:"Test" help:"One delivery at once, for an editor that waits for a first event."`
}

// subscribedAnswer is a new subscription. It alone shows its secrets.
type subscribedAnswer struct {
	ID               string  `json:"id" title:"ID"`
	WatchID          string  `json:"watchId" title:"Watch ID"`
	NextRunAt        *string `json:"nextRunAt" title:"Next run at"`
	CreditsPerMonth  int     `json:"creditsPerMonth" title:"Credits per month"`
	SigningSecret    string  `json:"signingSecret" title:"Signing secret" help:"Verifies the Standard Webhooks signature of deliveries."`
	UnsubscribeToken string  `json:"unsubscribeToken" title:"Unsubscribe token" help:"Ends the subscription without a key."`
}

// subscriptionAnswer is the state of a subscription.
type subscriptionAnswer struct {
	ID           string          `json:"id" title:"ID"`
	WatchID      string          `json:"watchId" title:"Watch ID"`
	State        string          `json:"state" title:"State" help:"active, paused or ended."`
	Reason       *string         `json:"reason" title:"Reason" help:"Why it is paused, or why the runs of an active one are refused: a code of Soke's, or TARGET_FAILING."`
	LastRunAt    *string         `json:"lastRunAt" title:"Last run at"`
	NextRunAt    *string         `json:"nextRunAt" title:"Next run at"`
	LastDelivery *deliveryAnswer `json:"lastDelivery" title:"Last delivery"`
	Undelivered  int             `json:"undelivered" title:"Undelivered"`
}

type deliveryAnswer struct {
	At       string `json:"at" title:"At"`
	Status   int    `json:"status" title:"Status" help:"HTTP status; 0 without an answer."`
	Attempts int    `json:"attempts" title:"Attempts"`
}

type deletedAnswer struct {
	Deleted bool `json:"deleted" title:"Deleted"`
}

// subscribe makes or renews a subscription. Soke is asked first, for nothing, so that a dead key or
// subscription is said to whoever switches the automation on, and not a run later.
func (s *Server) subscribe(c echo.Context, k *call, t triggers.Trigger) error {
	form, err := readForm(c.Response(), c.Request())
	if err != nil {
		return t.Input.Labelled(err)
	}
	head, err := schemas.Take[subscribeHead](form)
	if err != nil {
		return err
	}
	opening, err := s.opening(k.session.Credential(), t, form)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	host, err := s.checkTarget(ctx, head.TargetURL)
	if err != nil {
		return err
	}
	check, err := k.session.Check(ctx)
	if err != nil {
		return err
	}
	sokeHeaders(c.Response().Header(), check.RequestID, check.Limits)
	asked := triggers.Subscribing{Opening: opening, Platform: string(k.platform()), Target: head.TargetURL, Host: host}
	var made triggers.Subscribed
	if head.Test {
		made, err = s.subscribeTest(ctx, t, asked)
	} else {
		made, err = s.Watching.Store.Subscribe(ctx, asked)
	}
	if err != nil {
		return err
	}
	s.recheck(ctx, opening.Key)
	s.Watching.Runner.Wake()
	s.Watching.Outbox.Wake()
	status := http.StatusOK
	if made.New {
		status = http.StatusCreated
	}
	return c.JSON(status, subscribedAnswer{
		ID: made.ID, WatchID: made.Watch.ID, NextRunAt: nextRunAt(made.Watch),
		CreditsPerMonth: t.Credits * opening.Schedule.RunsPerMonth(opening.Now),
		SigningSecret:   delivery.SigningSecret(opening.Key, made.ID), UnsubscribeToken: made.Token,
	})
}

func (s *Server) subscribeTest(ctx context.Context, t triggers.Trigger, asked triggers.Subscribing) (triggers.Subscribed, error) {
	test := triggers.Testing{Subscribing: asked, Until: asked.Now.Add(testLasts)}
	for _, event := range t.Sample {
		b, err := json.Marshal(event)
		if err != nil {
			return triggers.Subscribed{}, err
		}
		test.Sample = append(test.Sample, b)
	}
	made, err := s.Watching.Store.SubscribeTest(ctx, test)
	if errors.Is(err, triggers.ErrTooManyTests) {
		return made, &soke.Error{
			Code: soke.InvalidInput, NotSent: true, Field: "test", Label: "Test", Err: err,
			Message: "Wait three minutes and test again: too many tests of this connection wait for their first event.",
		}
	}
	return made, err
}

// checkTarget refuses what webhooks may not reach, and returns the target's host.
func (s *Server) checkTarget(ctx context.Context, target string) (string, error) {
	u, err := s.Watching.Targets.CheckURL(target)
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, lookupWait)
		defer cancel()
		err = s.Watching.Targets.CheckHost(limited, u)
	}
	var refused *delivery.TargetError
	if errors.As(err, &refused) {
		return "", &soke.Error{
			Code: soke.InvalidInput, NotSent: true, Field: "targetUrl", Label: "Target URL",
			Message: "Target URL: " + refused.Error(),
		}
	}
	if err != nil {
		return "", err
	}
	return strings.ToLower(u.Hostname()), nil
}

// findTarget is n8n's question whether its subscription still exists.
func (s *Server) findTarget(c echo.Context, k *call, _ triggers.Trigger) error {
	target := c.QueryParam("targetUrl")
	if target == "" {
		return &schemas.FieldError{Field: "targetUrl", Label: "Target URL", Problem: "it is missing", Accepted: "the target of a subscription, as a query parameter"}
	}
	cred := k.session.Credential()
	if err := needKey(cred); err != nil {
		return err
	}
	found, watch, err := s.Watching.Store.FindTarget(c.Request().Context(), cred.Key, string(k.platform()), target)
	return s.writeSubscription(c, found, watch, err)
}

func (s *Server) showSubscription(c echo.Context, k *call, _ triggers.Trigger) error {
	cred := k.session.Credential()
	if err := needKey(cred); err != nil {
		return err
	}
	found, watch, err := s.Watching.Store.FindSubscription(c.Request().Context(), cred.Key, string(k.platform()), c.Param("id"))
	return s.writeSubscription(c, found, watch, err)
}

func (s *Server) writeSubscription(c echo.Context, found triggers.Subscription, watch triggers.Watch, err error) error {
	if err != nil {
		return subscriptionError(err)
	}
	answer := subscriptionAnswer{
		ID: found.ID, WatchID: found.WatchID, State: string(found.State), Undelivered: found.Undelivered,
		LastRunAt: timeOrNil(watch.LastRunAt), NextRunAt: nextRunAt(watch),
	}
	switch {
	case found.State == triggers.Active && !found.TestUntil.IsZero() && !found.TestUntil.After(s.Now()):
		answer.State = string(triggers.Ended)
	case found.State == triggers.Active && watch.State == triggers.Paused && watch.Failure != nil:
		answer.State, found.Reason = string(triggers.Paused), string(watch.Failure.Code)
	}
	if answer.State == string(triggers.Active) && watch.Failure != nil && watch.Failure.Lasts() {
		found.Reason = string(watch.Failure.Code) // it goes on, and nothing comes of it
	}
	if found.Reason != "" && answer.State != string(triggers.Ended) {
		answer.Reason = &found.Reason
	}
	if found.Last != nil {
		answer.LastDelivery = &deliveryAnswer{At: found.Last.At.UTC().Format(time.RFC3339), Status: found.Last.Status, Attempts: found.Last.Attempts}
	}
	return c.JSON(http.StatusOK, answer)
}

// unsubscribe ends a subscription for its key or its token: platforms unsubscribe long after keys
// have been rotated or revoked, and that must work. The route is open; Soke is not asked.
func (s *Server) unsubscribe(c echo.Context, k *call, _ triggers.Trigger) error {
	token := c.Request().Header.Get(headerUnsubscribeToken)
	cred, err := credentialOf(c.Request().Header)
	if err == nil {
		err = needKey(cred)
	}
	if err != nil && token == "" {
		return err
	}
	err = s.Watching.Store.EndSubscription(c.Request().Context(), cred.Key, token, string(k.platform()), c.Param("id"), s.Now())
	if err != nil {
		return subscriptionError(err)
	}
	return c.JSON(http.StatusOK, deletedAnswer{Deleted: true})
}

// subscriptionError says no more of somebody else's subscription than of one that never was.
func subscriptionError(err error) error {
	if errors.Is(err, triggers.ErrNoSubscription) {
		return &soke.Error{Code: soke.NotFound, NotSent: true, Message: "There is no such subscription."}
	}
	return err
}

// nextRunAt is when a watch runs next. One that is paused runs when its reason is gone, if ever.
func nextRunAt(w triggers.Watch) *string {
	if w.State == triggers.Paused {
		return nil
	}
	return timeOrNil(w.DueAt)
}

func timeOrNil(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}
