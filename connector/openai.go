package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

// sokeModel is the one model of Soke's chat. It answers whichever model an OpenAI client names, so
// that a client works by changing its base URL alone; the answer says which it was.
const sokeModel = "soke-v1"

// openAIRequest is what of OpenAI's request Soke can do. Whatever else a client sends
// (temperature, user, stream_options, …) has no counterpart and is left behind, because clients
// send it without being asked.
type openAIRequest struct {
	Model          string         `json:"model"` // has to be a text, and is not looked at
	Messages       openAIMessages `json:"messages"`
	Stream         bool           `json:"stream"`
	Platform       string         `json:"platform"`
	ConversationID string         `json:"conversationId"`
	ConnectionID   string         `json:"connectionId"`
}

func (s *Server) openAIChat(c echo.Context, k *call) error {
	body, err := readOpenAIBody(c)
	if err != nil {
		return err
	}
	var asked openAIRequest
	if err := json.Unmarshal(body, &asked); err != nil {
		if fault := (*schemas.FieldError)(nil); errors.As(err, &fault) {
			return fault
		}
		return &schemas.FieldError{Field: "body", Label: "Body", Problem: "it is not a chat completion request", Accepted: "a JSON object as OpenAI's API takes it"}
	}
	messages, err := sokeMessages(asked.Messages)
	if err != nil {
		return err
	}
	request := soke.ChatRequest{
		Messages: messages, Model: sokeModel, Platform: asked.Platform, Stream: asked.Stream,
		ConversationID: asked.ConversationID, ConnectionID: asked.ConnectionID,
	}
	encoded, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encoding a chat request: %w", err)
	}
	call := soke.Call{Operation: k.route.operation, Method: http.MethodPost, Path: "chat/completions", Body: encoded}
	if asked.Stream {
		return s.openAIStream(c, k, call)
	}
	answer, err := k.session.Do(c.Request().Context(), call)
	if err != nil {
		return err
	}
	completion, err := answer.Completion()
	if err != nil {
		return err
	}
	sokeHeaders(c.Response().Header(), answer.RequestID, answer.Limits)
	return c.JSONBlob(http.StatusOK, completion)
}

func readOpenAIBody(c echo.Context) ([]byte, error) {
	if err := requireJSON(c.Request()); err != nil {
		return nil, err
	}
	return readBody(c.Response(), c.Request())
}
