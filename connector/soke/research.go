package soke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// ResearchKeywords researches keywords: 2 credits. Its errors are those of Do; an answer without an
// envelope is UPSTREAM_UNAVAILABLE.
func (s *Session) ResearchKeywords(ctx context.Context, r KeywordsRequest) (*Keywords, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, &Error{Code: ConnectorError, NotSent: true, Err: err}
	}
	answer, err := s.Do(ctx, Call{Operation: "research-keywords", Method: http.MethodPost, Path: "research/keywords", Body: body})
	if err != nil {
		return nil, err
	}
	if answer.Data == nil {
		return nil, unreadable(answer, "a research without an envelope")
	}
	out := &Keywords{RequestID: answer.RequestID, Limits: answer.Limits}
	out.decode(answer.Data)
	return out, nil
}

// decode reads a research as tolerantly as an assumed shape demands: what is missing or of another
// type is as good as not sent.
func (k *Keywords) decode(data json.RawMessage) {
	var sent struct {
		Topic       json.RawMessage `json:"topic"`
		Platform    json.RawMessage `json:"platform"`
		Keywords    json.RawMessage `json:"keywords"`
		TopVideos   json.RawMessage `json:"topVideos"`
		Competing   json.RawMessage `json:"topCompetingVideos"`
		SnakeVideos json.RawMessage `json:"top_videos"`
		Videos      json.RawMessage `json:"videos"`
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		sent.Keywords = data // the list alone
	} else {
		_ = json.Unmarshal(data, &sent)
	}
	k.Topic, _ = text(sent.Topic)
	k.Platform, _ = text(sent.Platform)
	_ = json.Unmarshal(sent.Keywords, &k.Keywords)
	k.Keywords = slices.DeleteFunc(k.Keywords, func(k Keyword) bool { return k.Keyword == "" })
	for _, videos := range []json.RawMessage{sent.TopVideos, sent.Competing, sent.SnakeVideos, sent.Videos} {
		if json.Unmarshal(videos, &k.TopVideos) == nil && k.TopVideos != nil {
			break
		}
	}
}

// Check is what a free look at a connection found.
type Check struct {
	RequestID string
	Limits    Limits
}

// nowhere is a job that cannot exist: looking it up proves key and subscription for nothing
// (soke-api.md, last paragraph). It has the form of an id, so that no validation comes first.
const nowhere = "jobs/00000000-0000-0000-0000-000000000000"

// Check proves that Soke accepts the credential, its account and its subscription. It costs no
// credit. Its errors are those of Do; an unknown account is NOT_FOUND with Field accountId.
func (s *Session) Check(ctx context.Context) (*Check, error) {
	answer, err := s.Do(ctx, Call{Operation: "check", Method: http.MethodGet, Path: nowhere})
	if err == nil {
		return &Check{RequestID: answer.RequestID, Limits: answer.Limits}, nil
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != NotFound {
		return nil, err
	}
	if e.aboutAccount() {
		e.Field, e.Label = "accountId", "Account ID"
		return nil, e
	}
	return &Check{RequestID: e.RequestID, Limits: e.Limits}, nil
}

// aboutAccount tells a missing account from the missing job that a check hopes for.
func (e *Error) aboutAccount() bool {
	if _, named := e.Details["accountId"]; named {
		return true
	}
	return e.Details["resource"] == "account" || strings.Contains(strings.ToLower(e.Message), "account")
}
