package delivery

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// message is the body of a delivery, which the exported packages read.
type message struct {
	Type           string            `json:"type"`
	SubscriptionID string            `json:"subscriptionId"`
	WatchID        string            `json:"watchId"`
	RunID          string            `json:"runId,omitempty"`
	Error          any               `json:"error,omitempty"`
	Events         []json.RawMessage `json:"events"`
}

// pausedType is the type of a delivery that tells of a pause.
const pausedType = "trigger.paused"

// unsubscribes reports whether a delivery is told by a DELETE of its target.
func (r Receiver) unsubscribes(d triggers.DueDelivery) bool {
	return d.Delivery.Kind == triggers.DeliverPaused && d.Delivery.Failure != nil && slices.Contains(r.Unsubscribes, d.Delivery.Failure.Code)
}

// send makes one attempt.
func (e *Engine) send(ctx context.Context, r Receiver, d triggers.DueDelivery) Outcome {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	request, err := e.request(ctx, r, d)
	if err != nil {
		e.Logger.ErrorContext(ctx, "a delivery could not be made", "delivery", d.Delivery.ID, "subscription", d.ID)
		return Outcome{Failure: NoConnection}
	}
	return Exchange(e.client, request, r.Policy, e.Now)
}

// Exchange sends a request to a receiver and says what came of it.
func Exchange(client *http.Client, request *http.Request, p Policy, now func() time.Time) Outcome {
	answer, err := client.Do(request)
	if err != nil {
		return Unanswered(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // a status counts without its body
	return p.Answered(answer.StatusCode, answer.Header, body, now())
}

func (e *Engine) request(ctx context.Context, r Receiver, d triggers.DueDelivery) (*http.Request, error) {
	method, body := http.MethodPost, []byte(nil)
	if r.unsubscribes(d) {
		method = http.MethodDelete
	} else {
		var err error
		if body, err = json.Marshal(r.message(d)); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, d.Target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	secrets := []string{SigningSecret(d.Key, d.ID)}
	if !d.PreviousKey.IsZero() {
		secrets = append(secrets, SigningSecret(d.PreviousKey, d.ID))
	}
	header, err := Sign(secrets, d.Delivery.ID, e.Now(), body)
	if err != nil {
		return nil, err
	}
	request.Header = header
	request.Header.Set("User-Agent", e.UserAgent)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

func (r Receiver) message(d triggers.DueDelivery) message {
	m := message{
		Type: d.Trigger, SubscriptionID: d.ID, WatchID: d.Delivery.WatchID, RunID: d.Delivery.RunID,
		Events: d.Delivery.Events,
	}
	if m.Events == nil {
		m.Events = []json.RawMessage{}
	}
	if n := len(m.Events); n > 0 {
		// The subscription may have got another trigger since, and a test is of no run of its own.
		var newest struct{ Type, RunID string }
		_ = json.Unmarshal(m.Events[n-1], &newest) // what does not decode says nothing
		m.Type, m.RunID = cmp.Or(newest.Type, m.Type), cmp.Or(m.RunID, newest.RunID)
	}
	if d.Delivery.Kind == triggers.DeliverPaused {
		m.Type = pausedType
		if d.Delivery.Failure != nil && r.Paused != nil {
			m.Error = r.Paused(d.Delivery.Failure.Error())
		}
	}
	return m
}
