package actions

import (
	"context"
	"encoding/json"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

// ChatMessage is one turn of a conversation.
type ChatMessage struct {
	Role    string `json:"role" title:"Role" help:"Who speaks: user or assistant." example:"user" validate:"required,oneof=user assistant" form:"lower"`
	Content string `json:"content" title:"Content" help:"What is said." example:"Give me three title ideas." validate:"required,max=32000" form:"multiline"`
}

// ChatInput is a question to Soke's assistant: one prompt, or a whole conversation.
type ChatInput struct {
	Prompt         string        `json:"prompt,omitempty" title:"Prompt" help:"Your question or instruction." example:"Give me three title ideas for a video about home espresso." validate:"required_without=Messages,excluded_with=Messages,omitempty,max=32000" form:"multiline"`
	Messages       []ChatMessage `json:"messages,omitempty" title:"Messages" help:"A conversation so far, oldest first, in place of a prompt." validate:"omitempty,min=1,max=100,dive" form:"advanced"`
	Platform       string        `json:"platform,omitempty" title:"Platform" help:"Where the videos are published. Soke works with YouTube today." default:"youtube" example:"youtube" validate:"omitempty,max=50" form:"lower,advanced"`
	Model          string        `json:"model,omitempty" title:"Model" help:"The Soke model that answers." default:"soke-v1" example:"soke-v1" validate:"omitempty,max=100" form:"advanced"`
	ConnectionID   string        `json:"connectionId,omitempty" title:"Connection ID" help:"A channel connected in Soke that the answer should be about." validate:"omitempty,max=128" form:"advanced"`
	ConversationID string        `json:"conversationId,omitempty" title:"Conversation ID" help:"Resumes a stored conversation. Soke stores conversations only for signed-in users, not for API keys." validate:"omitempty,max=128" form:"hidden"`
}

// ChatOutput is the assistant's answer.
type ChatOutput struct {
	Content          string          `json:"content" title:"Content" help:"The answer."`
	Role             string          `json:"role" title:"Role"`
	Model            string          `json:"model" title:"Model"`
	ServicesUsed     []string        `json:"servicesUsed" title:"Services used" help:"Soke services that took part in the answer."`
	Data             json.RawMessage `json:"data" title:"Data" help:"What those services found, as Soke sent it."`
	FinishReason     string          `json:"finishReason" title:"Finish reason"`
	ID               string          `json:"id" title:"ID"`
	Created          int64           `json:"created" title:"Created" help:"Unix time of the answer, in seconds."`
	ConversationID   string          `json:"conversationId,omitempty" title:"Conversation ID" help:"Where Soke stored the conversation, for signed-in users."`
	RequestID        string          `json:"requestId" title:"Request ID" help:"Quote it when you ask Soke for help."`
	CreditsRemaining *int            `json:"creditsRemaining" title:"Credits remaining" help:"Soke credits left after this call, where Soke said."`
}

// ChatCredits is what one answer of the assistant costs.
const ChatCredits = 5

// ChatCompletion declares the chat.
func (declared) ChatCompletion() Action {
	return New(Action{
		Key:         "chat-completion",
		Title:       "Ask the Assistant",
		Description: "Asks the Soke assistant a question about your channel, your topic or your next video.",
		Noun:        "Chat",
		Credits:     ChatCredits,
		Slow:        true,
		Sample: object{
			"content":          json.RawMessage(`"1. Home Espresso on a Budget\n2. Espresso at Home in 5 Minutes\n3. I Replaced My Cafe"`),
			"role":             json.RawMessage(`"assistant"`),
			"model":            json.RawMessage(`"soke-v1"`),
			"servicesUsed":     json.RawMessage(`["keyword_research"]`),
			"data":             json.RawMessage(`{"services_used":["keyword_research"]}`),
			"finishReason":     json.RawMessage(`"stop"`),
			"id":               json.RawMessage(`"chatcmpl-8b1f0c3a6d11"`),
			"created":          json.RawMessage(`1795420800`),
			"requestId":        json.RawMessage(`"7f9c2ba4-e88f-4a2c-9d2e-5b1f0c3a6d11"`),
			"creditsRemaining": json.RawMessage(`495`),
		},
	}, chatCompletion)
}

func chatCompletion(ctx context.Context, s *soke.Session, in ChatInput) (ChatOutput, error) {
	if in.ConversationID != "" && !s.Persists() {
		return ChatOutput{}, &schemas.FieldError{
			Field: "conversationId", Label: "Conversation ID",
			Problem:  "an API key has no stored conversations",
			Accepted: "nothing here, or a call signed in with a Soke access token; send earlier turns as Messages instead",
		}
	}
	got, err := s.ChatCompletion(ctx, in.request())
	if err != nil {
		return ChatOutput{}, err
	}
	out := ChatOutput{
		Content: got.Content, Role: got.Role, Model: got.Model,
		ServicesUsed: got.ServicesUsed, Data: got.Data, FinishReason: got.FinishReason,
		ID: got.ID, Created: got.Created, ConversationID: got.ConversationID,
		RequestID: got.RequestID, CreditsRemaining: got.Limits.CreditsRemaining,
	}
	if out.ServicesUsed == nil {
		out.ServicesUsed = []string{}
	}
	if len(out.Data) == 0 {
		out.Data = json.RawMessage(`{}`)
	}
	return out, nil
}

func (in ChatInput) request() soke.ChatRequest {
	r := soke.ChatRequest{
		Platform: in.Platform, Model: in.Model,
		ConnectionID: in.ConnectionID, ConversationID: in.ConversationID,
	}
	if in.Prompt != "" {
		r.Messages = []soke.Message{{Role: "user", Content: in.Prompt}}
	}
	for _, m := range in.Messages {
		r.Messages = append(r.Messages, soke.Message{Role: m.Role, Content: m.Content})
	}
	return r
}
