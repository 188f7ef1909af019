package soke

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// KeywordsRequest is the body of POST /research/keywords. Zero fields are left out, for Soke's own
// defaults.
type KeywordsRequest struct {
	Topic       string `json:"topic,omitempty"`
	Platform    string `json:"platform,omitempty"`
	Niche       string `json:"niche,omitempty"`
	Region      string `json:"region,omitempty"`
	MaxResults  int    `json:"maxResults,omitempty"`
	RecencyDays int    `json:"recencyDays,omitempty"`
}

// Keywords is the answer to a keyword research. Topic and Platform are empty where Soke did not
// repeat them.
type Keywords struct {
	Topic     string
	Platform  string
	Keywords  []Keyword
	TopVideos []json.RawMessage // nil where Soke sent none
	RequestID string
	Limits    Limits
}

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
	if !answer.enveloped {
		return nil, answer.Unreadable("a research without an envelope")
	}
	out := &Keywords{RequestID: answer.RequestID, Limits: answer.Limits}
	out.decode(answer.data)
	return out, nil
}

// Bounds of a research, in items and bytes. What is beyond them is left out and the rest goes out as
// it came: nobody can ask for more than fifty keywords, Soke sends the best ones first, and whoever
// has paid for them would rather have those than a failure, a watch least of all, which would pay
// for a failure at every run.
const (
	maxItems   = 1000
	maxItem    = 64 << 10
	maxKeyword = 1 << 10
)

// usualKeywords is how many keywords a research has unless it is asked for more.
const usualKeywords = 20

// decode reads a research as tolerantly as an assumed shape demands: what is missing or of another
// type is as good as not sent.
func (k *Keywords) decode(sent gjson.Result) {
	list := sent // the list alone
	var videos [4]gjson.Result
	if sent.IsObject() {
		sent.ForEach(func(name, value gjson.Result) bool {
			switch name.Str {
			case "topic":
				k.Topic = text(value)
			case "platform":
				k.Platform = text(value)
			case "keywords":
				list = value
			case "topVideos":
				videos[0] = value
			case "topCompetingVideos":
				videos[1] = value
			case "top_videos":
				videos[2] = value
			case "videos":
				videos[3] = value
			}
			return true
		})
	}
	k.Keywords = make([]Keyword, 0, usualKeywords)
	for value := range elements(list) {
		if len(k.Keywords) == maxItems {
			break
		}
		var keyword Keyword
		if len(value.Raw) > maxItem {
			continue
		}
		if keyword.read(value); keyword.Keyword != "" && len(keyword.Keyword) <= maxKeyword {
			k.Keywords = append(k.Keywords, keyword)
		}
	}
	for _, found := range videos {
		if found.IsArray() {
			k.TopVideos = []json.RawMessage{}
			for video := range elements(found) {
				if len(k.TopVideos) == maxItems {
					break
				}
				if len(video.Raw) <= maxItem {
					k.TopVideos = append(k.TopVideos, json.RawMessage(video.Raw))
				}
			}
			break
		}
	}
}

// elements yields the elements of a list, and nothing of anything else.
func elements(list gjson.Result) iter.Seq[gjson.Result] {
	return func(yield func(gjson.Result) bool) {
		if list.IsArray() {
			list.ForEach(func(_, value gjson.Result) bool { return yield(value) })
		}
	}
}

// nowhere is a job that cannot exist: looking it up proves key and subscription for nothing.
// It has the form of an id, so that no validation comes first.
const nowhere = "jobs/00000000-0000-0000-0000-000000000000"

// Check proves that Soke accepts the credential, its account and its subscription. It costs no
// credit. It returns what Soke said along with the answer. Its errors are those of Do; an unknown
// account is NOT_FOUND with Field accountId.
func (s *Session) Check(ctx context.Context) (Meta, error) {
	answer, err := s.Do(ctx, Call{Operation: "check", Method: http.MethodGet, Path: nowhere})
	if err == nil {
		return Meta{RequestID: answer.RequestID, Limits: answer.Limits}, nil
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != NotFound {
		return Meta{}, err
	}
	// The missing job is what a check hopes for; a missing account is not.
	if e.namesAccount() || strings.Contains(strings.ToLower(e.Message), "account") {
		e.Field, e.Label = accountField, accountLabel
		return Meta{}, e
	}
	return Meta{RequestID: e.RequestID, Limits: e.Limits}, nil
}

// What the account ID of a credential is called as the field of a failure.
const (
	accountField = "accountId"
	accountLabel = "Account ID"
)

// namesAccount reports whether what was not found is the account of the credential.
func (e *Error) namesAccount() bool {
	_, named := e.Details[accountField]
	return named || e.Details["resource"] == "account"
}
