package connector

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// headerCallbackURL asks for the answer of an action to be posted there instead of returned:
// platforms wait for half a minute at most, and a chat may take two.
const headerCallbackURL = "X-Callback-Url"

// Callback is an action whose answer is posted to a target. It goes on after a restart: a call that
// was not sent is sent, an answer that was not posted is posted. A call that was under way is not
// repeated, because Soke may have charged it; its user is told.
type Callback struct {
	ID, Platform, Action, RequestID string
	Secret                          CallbackSecret
	State                           CallbackState
	// Answer is what is posted, once there is one.
	Answer   []byte
	Delivery delivery.State
	Created  time.Time
}

// CallbackState is how far a callback has come.
type CallbackState string

// The states, in their order.
const (
	CallbackAccepted CallbackState = "accepted" // not yet sent to Soke
	CallbackCalling  CallbackState = "calling"
	CallbackAnswered CallbackState = "answered" // to be posted
)

// ErrTooManyCallbacks says that as many callbacks as may be wait for Soke already.
var ErrTooManyCallbacks = errors.New("too many callbacks wait for Soke")

// CallbackSecret is what of a callback is kept encrypted.
type CallbackSecret struct {
	Credential soke.Credential
	// Input is canonical JSON.
	Input          json.RawMessage
	IdempotencyKey string
	Target         string
}

// CallbackStore keeps callbacks. Its methods are safe for concurrent use.
type CallbackStore interface {
	// AddCallback keeps a callback. It fails with ErrTooManyCallbacks.
	AddCallback(ctx context.Context, c Callback) error
	// DueCallbacks returns those that are due at now, but none in busy, and when the next will be. With
	// those in busy, no credential has more than perOwner.
	DueCallbacks(ctx context.Context, now time.Time, limit, perOwner int, busy []string) ([]Callback, time.Time, error)
	// StartCallback moves one from accepted to calling; ok is false if it was not accepted.
	StartCallback(ctx context.Context, id string) (ok bool, err error)
	// AnswerCallback keeps what is to be posted, and forgets all else but where.
	AnswerCallback(ctx context.Context, c Callback, now time.Time) error
	// SettleCallback keeps what became of an attempt to post; a zero next ends the callback, and
	// nothing of it is kept.
	SettleCallback(ctx context.Context, id string, s delivery.State, next time.Time) error
}

type acceptedAnswer struct {
	Status    string `json:"status" title:"Status"`
	RequestID string `json:"requestId" title:"Request ID"`
}

// callbackMessage is what is posted.
type callbackMessage struct {
	Status string                `json:"status"`
	Result json.RawMessage       `json:"result,omitempty"`
	Error  *platform.NativeError `json:"error,omitempty"`
}

// accept keeps an action for later and answers at once.
func (s *Server) accept(c echo.Context, k *call, a actions.Action, bound actions.Bound, target string) error {
	ctx := c.Request().Context()
	if err := s.checkCallback(ctx, k.route.dialect, target); err != nil {
		return err
	}
	input, err := json.Marshal(bound.Input)
	if err != nil {
		return err
	}
	err = s.Callbacks.Store.AddCallback(ctx, Callback{
		ID: "cbk_" + triggers.Nonce(15), Platform: string(k.platform()), Action: a.Key, RequestID: k.requestID,
		Secret: CallbackSecret{
			Credential: k.session.Credential(), Input: input, Target: target,
			IdempotencyKey: c.Request().Header.Get(headerIdempotencyKey),
		},
		State: CallbackAccepted, Created: s.Now(),
	})
	if errors.Is(err, ErrTooManyCallbacks) {
		return &soke.Error{
			Code: soke.ConnectorError, Status: http.StatusServiceUnavailable, RetryAfter: time.Minute, NotSent: true, Err: err,
			Message: "Try again in a minute: as many calls as may be wait for Soke's answers already. Nothing was done and no credit was spent.",
		}
	}
	if err != nil {
		return storageUnavailable(err)
	}
	s.callbacks.Wake()
	return c.JSON(http.StatusAccepted, acceptedAnswer{Status: "accepted", RequestID: k.requestID})
}

// checkCallback admits where the caller's platform waits for answers, and what the operator has
// allowed.
func (s *Server) checkCallback(ctx context.Context, caller platform.Dialect, target string) error {
	refusal := &soke.Error{
		Code: soke.InvalidInput, NotSent: true, Field: headerCallbackURL, Label: "Callback URL",
		Message: "Callback URL: it must be a callback of the platform's own, or a host that the connector's operator has allowed.",
	}
	if s.Callbacks == nil {
		refusal.Message = "Callback URL: this connector takes no callbacks."
		return refusal
	}
	u, err := s.Callbacks.Targets.CheckURL(target)
	if err != nil || !caller.TakesCallback(u) && !s.Callbacks.Targets.Allowed(u) {
		return refusal
	}
	limited, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	if s.Callbacks.Targets.CheckHost(limited, u) != nil {
		return refusal
	}
	return nil
}

// answerCallback makes the call of a callback and returns what is to be posted.
func (s *Server) answerCallback(ctx context.Context, c Callback) []byte {
	k := &call{requestID: c.RequestID, begun: s.Now(), route: route{operation: c.Action}}
	for _, p := range s.Platforms {
		if string(p.Name()) == c.Platform {
			k.route.dialect = p
		}
	}
	answer, err := s.callForCallback(ctx, k, c)
	message := callbackMessage{Status: "success", Result: answer.Body}
	if err != nil {
		native := k.native(err)
		message = callbackMessage{Status: "failed", Error: &native}
	}
	s.Metrics.answered(c.Platform, c.Action+"-callback", http.StatusOK, s.Now().Sub(k.begun))
	s.Logger.InfoContext(ctx, "callback answered", "callback", c.ID, "operation", c.Action, "code", string(k.code), "request_id", c.RequestID)
	body, err := json.Marshal(message)
	if err != nil {
		s.Logger.ErrorContext(ctx, "a callback's answer could not be encoded", "callback", c.ID)
		return []byte(`{"status":"failed"}`)
	}
	return body
}

func (s *Server) callForCallback(ctx context.Context, k *call, c Callback) (Answer, error) {
	action, err := s.Catalogue.Action(c.Action)
	if err != nil {
		return Answer{}, err
	}
	k.route.credits = action.Credits
	if c.State == CallbackCalling {
		if answer, ok := s.answered(ctx, c); ok {
			return answer, nil
		}
		return Answer{}, &soke.Error{
			Code: soke.UpstreamTimeout, RequestID: c.RequestID,
			Message: "The connector was restarted while Soke worked on this call.",
		}
	}
	form, err := schemas.ParseObject(c.Secret.Input)
	if err != nil {
		return Answer{}, err
	}
	bound, err := action.Bind(form)
	if err != nil {
		return Answer{}, err
	}
	answer, _, err := s.perform(ctx, s.Soke.Session(c.Secret.Credential), action, bound, c.Secret.IdempotencyKey)
	return answer, err
}

// answered returns what the call of a callback was answered with, if that was kept for repeats.
func (s *Server) answered(ctx context.Context, c Callback) (Answer, bool) {
	if c.Secret.IdempotencyKey == "" {
		return Answer{}, false
	}
	answer, found, err := s.paidOnce.kept(ctx, paidCall{credential: c.Secret.Credential, action: c.Action, key: c.Secret.IdempotencyKey})
	return answer, found && err == nil
}
