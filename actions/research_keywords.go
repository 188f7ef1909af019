package actions

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"

	"github.com/usesoke/soke-connector/connector/soke"
)

// ResearchInput is what a keyword research is asked for. Triggers watch the same input.
type ResearchInput struct {
	Topic       string `json:"topic,omitempty" title:"Topic" help:"What your video is about. Leave it empty to research the keywords of the connected channel." example:"home espresso" validate:"omitempty,max=200" form:"clear"`
	Platform    string `json:"platform,omitempty" title:"Platform" help:"Where the videos are published. Soke researches YouTube today." default:"youtube" example:"youtube" validate:"omitempty,max=50" form:"lower,advanced,clear"`
	Niche       string `json:"niche,omitempty" title:"Niche" help:"Narrows the topic to an audience or a style." example:"coffee gear reviews" validate:"omitempty,max=100" form:"clear"`
	Region      string `json:"region,omitempty" title:"Region" help:"Two-letter country code of the audience, for example US or DE." default:"US" example:"US" validate:"omitempty,iso3166_1_alpha2" form:"upper"`
	MaxResults  int    `json:"maxResults,omitempty" title:"Maximum results" help:"How many keywords to return, from 1 to 50." default:"20" example:"20" validate:"min=1,max=50"`
	RecencyDays int    `json:"recencyDays,omitempty" title:"Recency in days" help:"Only looks at videos published in this many days, from 1 to 3650." default:"365" example:"365" validate:"min=1,max=3650" form:"advanced"`
}

// Request returns the input as Soke's API takes it.
func (in ResearchInput) Request() soke.KeywordsRequest {
	return soke.KeywordsRequest{
		Topic: in.Topic, Platform: in.Platform, Niche: in.Niche, Region: in.Region,
		MaxResults: in.MaxResults, RecencyDays: in.RecencyDays,
	}
}

// ResearchOutput is one research: keywords as Soke ranks them, best first.
type ResearchOutput struct {
	Topic            string            `json:"topic" title:"Topic" help:"The topic that was researched."`
	Platform         string            `json:"platform" title:"Platform"`
	Keywords         []soke.Keyword    `json:"keywords" title:"Keywords" help:"Keywords as Soke ranks them, best first, with everything else Soke sent."`
	Count            int               `json:"count" title:"Count" help:"How many keywords there are."`
	TopVideos        []json.RawMessage `json:"topVideos,omitempty" title:"Top videos" help:"Competing videos, where Soke sent some."`
	RequestID        string            `json:"requestId" title:"Request ID" help:"Quote it when you ask Soke for help."`
	CreditsRemaining *int              `json:"creditsRemaining" title:"Credits remaining" help:"Soke credits left after this call, where Soke said."`
}

// MarshalOutput encodes the output as json.Marshal would, but for one thing: the keywords have been
// proved to be JSON when they came from Soke, and are not looked through a second time (see
// BenchmarkAction of package connector).
func (o ResearchOutput) MarshalOutput() ([]byte, error) {
	const emptied = `"keywords":null` // no text in the output can hold it: its quotes would be escaped
	keywords := o.Keywords
	o.Keywords = nil
	frame, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	at := bytes.Index(frame, []byte(emptied)) + len(emptied) - len("null")
	out := append(make([]byte, 0, len(frame)+keywordSize*len(keywords)), frame[:at]...)
	out = append(out, '[')
	for i, k := range keywords {
		if i > 0 {
			out = append(out, ',')
		}
		out = k.AppendJSON(out)
	}
	out = append(out, ']')
	return append(out, frame[at+len("null"):]...), nil
}

// keywordSize is about the length of a keyword as Soke sends it.
const keywordSize = 256

// ResearchCredits is what one research costs, whoever asks: a user or a watch.
const ResearchCredits = 2

// ResearchKeywords declares the keyword research.
func (declared) ResearchKeywords() Action {
	return New(Action{
		Key:         "research-keywords",
		Title:       "Research Keywords",
		Description: "Researches keywords for a YouTube topic, with competition scores and trend directions.",
		Noun:        "Keyword",
		Credits:     ResearchCredits,
		Sample: object{
			"topic":    json.RawMessage(`"home espresso"`),
			"platform": json.RawMessage(`"youtube"`),
			"keywords": json.RawMessage(`[
				{"keyword":"home espresso for beginners","competitionScore":0.42,"trendDirection":"rising","searchVolume":18100,"longTail":["home espresso for beginners on a budget"]},
				{"keyword":"best home espresso machine","competitionScore":0.81,"trendDirection":"stable","searchVolume":74000,"longTail":["best home espresso machine under 500"]}]`),
			"count":            json.RawMessage(`2`),
			"requestId":        json.RawMessage(`"7f9c2ba4-e88f-4a2c-9d2e-5b1f0c3a6d11"`),
			"creditsRemaining": json.RawMessage(`498`),
		},
	}, researchKeywords)
}

func researchKeywords(ctx context.Context, s *soke.Session, in ResearchInput) (ResearchOutput, error) {
	got, err := s.ResearchKeywords(ctx, in.Request())
	if err != nil {
		return ResearchOutput{}, err
	}
	out := ResearchOutput{
		Topic:            cmp.Or(in.Topic, got.Topic),
		Platform:         in.Platform,
		Keywords:         got.Keywords,
		Count:            len(got.Keywords),
		TopVideos:        got.TopVideos,
		RequestID:        got.RequestID,
		CreditsRemaining: got.Limits.CreditsRemaining,
	}
	if out.Keywords == nil {
		out.Keywords = []soke.Keyword{}
	}
	return out, nil
}
