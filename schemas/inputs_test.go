package schemas_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/schemas"
)

// The inputs here are shaped like those of the catalogue, and one has a field of every kind.

type research struct {
	Topic       string `json:"topic,omitempty" title:"Topic" help:"What the video is about." example:"home espresso" validate:"omitempty,max=200"`
	Niche       string `json:"niche,omitempty" title:"Niche" validate:"omitempty,max=100"`
	Region      string `json:"region,omitempty" title:"Region" help:"Two-letter country code." default:"us" example:"US" validate:"omitempty,iso3166_1_alpha2" form:"upper"`
	MaxResults  int    `json:"maxResults,omitempty" title:"Maximum results" default:"20" validate:"min=1,max=50"`
	RecencyDays int    `json:"recencyDays,omitempty" title:"Recency in days" default:"365" validate:"min=1,max=3650" form:"advanced"`
}

type threshold struct {
	Threshold float64 `json:"threshold" title:"Threshold" default:"0.1" validate:"min=0,max=1"`
}

type drop struct {
	research
	threshold
}

type message struct {
	Role    string `json:"role" title:"Role" validate:"required,oneof=user assistant" form:"lower"`
	Content string `json:"content" title:"Content" validate:"required,max=40" form:"multiline"`
}

type chat struct {
	Prompt   string    `json:"prompt,omitempty" title:"Prompt" validate:"required_without=Messages,excluded_with=Messages,omitempty,max=100" form:"multiline"`
	Messages []message `json:"messages,omitempty" title:"Messages" help:"Oldest first." validate:"omitempty,min=1,max=3,dive" form:"advanced"`
}

type window struct {
	From time.Time `json:"from" title:"From" validate:"required"`
	Days int64     `json:"days,omitempty" title:"Days" default:"7" validate:"min=1,max=31"`
}

type everything struct {
	Name     string            `json:"name" title:"Name" validate:"required,min=2,max=10"`
	Note     *string           `json:"note,omitempty" title:"Note" validate:"omitempty,max=20" form:"multiline"`
	Size     *int              `json:"size,omitempty" title:"Size" validate:"omitempty,min=1,max=9"`
	Share    *float64          `json:"share,omitempty" title:"Share" validate:"omitempty,min=-1,max=1"`
	Live     bool              `json:"live" title:"Live"`
	Loud     *bool             `json:"loud,omitempty" title:"Loud"`
	Order    string            `json:"order" title:"Order" default:"newest" validate:"oneof=newest oldest" form:"lower"`
	Stars    *int              `json:"stars,omitempty" title:"Stars" validate:"omitempty,oneof=1 3 5"`
	Tags     []string          `json:"tags,omitempty" title:"Tags" default:"a, b" validate:"omitempty,max=3,dive,min=1,max=5"`
	Window   *window           `json:"window,omitempty" title:"Window"`
	Extra    map[string]any    `json:"extra,omitempty" title:"Extra"`
	Anything json.RawMessage   `json:"anything,omitempty" title:"Anything"`
	Several  []json.RawMessage `json:"several,omitempty" title:"Several"`
	Since    *time.Time        `json:"since,omitempty" title:"Since"`
	Password string            `json:"password,omitempty" title:"Password" validate:"omitempty,min=8,max=8" form:"secret,hidden"`
	Colour   string            `json:"colour,omitempty" title:"Colour" validate:"omitempty,hexcolor"`
}

func decode[T any](t *testing.T, body string) (T, error) {
	t.Helper()
	var zero T
	o, err := schemas.ParseObject([]byte(body))
	if err != nil {
		return zero, err
	}
	return schemas.Decode[T](o)
}

// encoded is the canonical JSON of what body decodes to.
func encoded[T any](t *testing.T, body string) string {
	t.Helper()
	v, err := decode[T](t, body)
	if err != nil {
		t.Fatalf("%s is refused: %v", body, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fieldError(t *testing.T, err error) *schemas.FieldError {
	t.Helper()
	var e *schemas.FieldError
	if !errors.As(err, &e) {
		t.Fatalf("the error is %T (%v), not a *FieldError", err, err)
	}
	return e
}
