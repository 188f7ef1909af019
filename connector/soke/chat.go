package soke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// Message is one turn of a conversation; Role is user or assistant.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// ChatRequest is the body of POST /chat/completions. Zero fields are left out, for Soke's own
// defaults.
type ChatRequest struct {
	Messages       []Message `json:"messages"`
	Platform       string    `json:"platform,omitempty"`
	Model          string    `json:"model,omitempty"`
	ConversationID string    `json:"conversationId,omitempty"` // for tokens only
	ConnectionID   string    `json:"connectionId,omitempty"`
	Stream         bool      `json:"stream,omitempty"` // goes with Session.Stream
}

// ChatCompletion is the assistant's answer.
type ChatCompletion struct {
	ID, Model, Content, Role, FinishReason string
	Created                                int64 // Unix seconds
	ServicesUsed                           []string
	Data                                   json.RawMessage // an object, or nil
	ConversationID                         string
	RequestID                              string
	Limits                                 Limits
}

// completion is OpenAI's shape, in which Soke answers.
type completion struct {
	ID             string `json:"id"`
	Model          string `json:"model"`
	Created        int64  `json:"created"`
	ConversationID string `json:"conversationId"`
	Choices        []struct {
		Message struct {
			Role    string          `json:"role"`
			Content string          `json:"content"`
			Data    json.RawMessage `json:"data"`
		} `json:"message"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
}

// ChatCompletion asks the assistant: 5 credits. Its errors are those of Do; an answer without a
// choice is UPSTREAM_UNAVAILABLE.
func (s *Session) ChatCompletion(ctx context.Context, r ChatRequest) (*ChatCompletion, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, &Error{Code: ConnectorError, NotSent: true, Err: err}
	}
	answer, err := s.Do(ctx, Call{Operation: "chat-completion", Method: http.MethodPost, Path: "chat/completions", Body: body})
	if err != nil {
		return nil, err
	}
	raw, err := answer.Completion()
	if err != nil {
		return nil, err
	}
	var c completion
	if err := tolerant(json.Unmarshal(raw, &c)); err != nil || len(c.Choices) == 0 {
		return nil, answer.Unreadable("a chat answer of another shape")
	}
	choice := c.Choices[0]
	out := &ChatCompletion{
		ID: c.ID, Model: c.Model, Created: c.Created, ConversationID: c.ConversationID,
		Content: choice.Message.Content, Role: choice.Message.Role, FinishReason: choice.FinishReason,
		RequestID: answer.RequestID, Limits: answer.Limits,
	}
	if out.RequestID == "" && IsRequestID(c.ID) {
		out.RequestID = c.ID
	}
	if data := bytes.TrimSpace(choice.Message.Data); len(data) > 0 && data[0] == '{' {
		out.Data = data
		out.ServicesUsed = servicesUsed(data)
	}
	return out, nil
}

// servicesUsed reads names for a form; data holds them as they came. Of another type is as good as
// missing, and so are more than there can be.
func servicesUsed(data json.RawMessage) []string {
	var said struct {
		Snake services `json:"services_used"`
		Camel services `json:"servicesUsed"`
	}
	_ = json.Unmarshal(data, &said)
	if said.Snake != nil {
		return said.Snake
	}
	return said.Camel
}

type services []string

// UnmarshalJSON decodes a list of a bounded length.
func (s *services) UnmarshalJSON(raw []byte) error {
	n := 0
	for range elements(gjson.ParseBytes(raw)) {
		n++
	}
	if n > maxItems {
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(s))
}

// Completion returns the chat completion that an answer holds, in the envelope, into which a gateway
// may wrap it, or without. An answer without a choice is none, and would break the client that gets
// it: UPSTREAM_UNAVAILABLE. Neither is one that was made to cost much.
func (a *Answer) Completion() (json.RawMessage, error) {
	completion := json.RawMessage(a.Body)
	if a.enveloped {
		completion = a.Data()
	}
	// Each field and each choice costs many times its size when it is decoded, so they are counted first.
	fields, choices := 0, 0
	gjson.ParseBytes(completion).ForEach(func(name, value gjson.Result) bool {
		fields++
		if strings.EqualFold(name.Str, "choices") {
			for range elements(value) {
				choices++
			}
		}
		return true
	})
	switch {
	case choices == 0:
		return nil, a.Unreadable("a chat answer without a choice")
	case choices > maxItems || fields > maxItems:
		return nil, a.Unreadable("a chat answer of more choices or fields than anybody can have asked for")
	}
	return completion, nil
}

// Unreadable is a success of Soke's that does not hold what it must.
func (a *Answer) Unreadable(problem string) *Error {
	return &Error{Code: UpstreamUnavailable, RequestID: a.RequestID, Limits: a.Limits, Err: errors.New(problem)}
}

// tolerant forgives fields of another type than expected: encoding/json leaves them zero and
// decodes the rest.
func tolerant(err error) error {
	if mismatch := (*json.UnmarshalTypeError)(nil); errors.As(err, &mismatch) {
		return nil
	}
	return err
}
