package connector

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

// sokeModel is the model that Soke's chat answers with unless told otherwise.
const sokeModel = "soke-v1"

// openAIRequest is what of OpenAI's request Soke can do. Whatever else a client sends
// (temperature, user, stream_options, …) has no counterpart and is left behind, because clients
// send it without being asked.
type openAIRequest struct {
	Model          string          `json:"model"`
	Messages       []openAIMessage `json:"messages"`
	Stream         bool            `json:"stream"`
	Platform       string          `json:"platform"`
	ConversationID string          `json:"conversationId"`
	ConnectionID   string          `json:"connectionId"`
}

// openAIMessage holds a text or a list of parts.
type openAIMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

func (s *Server) openAIChat(c echo.Context, k *call) error {
	body, err := readOpenAIBody(c)
	if err != nil {
		return err
	}
	var asked openAIRequest
	if err := json.Unmarshal(body, &asked); err != nil {
		return &schemas.FieldError{Field: "body", Label: "Body", Problem: "it is not a chat completion request", Accepted: "a JSON object as OpenAI's API takes it"}
	}
	messages, err := sokeMessages(asked.Messages)
	if err != nil {
		return err
	}
	request := soke.ChatRequest{
		Messages: messages, Model: asked.Model, Platform: asked.Platform, Stream: asked.Stream,
		ConversationID: asked.ConversationID, ConnectionID: asked.ConnectionID,
	}
	if request.Model == "" {
		request.Model = sokeModel
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

// sokeMessages says OpenAI's messages in Soke's two roles. Soke knows no system role,
// so instructions are put in front of the user message that follows them.
func sokeMessages(in []openAIMessage) ([]soke.Message, error) {
	out := make([]soke.Message, 0, len(in))
	var instructions []string
	for i, m := range in {
		text, err := contentText(i, m.Content)
		if err != nil {
			return nil, err
		}
		switch m.Role {
		case "system", "developer":
			instructions = append(instructions, text)
			continue
		case "user":
			text = strings.Join(append(instructions, text), "\n\n")
			instructions = nil
		case "assistant":
		default:
			return nil, &schemas.FieldError{
				Field: fmt.Sprintf("messages[%d].role", i), Label: fmt.Sprintf("Role of message %d", i+1),
				Problem: schemas.Quote(m.Role) + " is not a role Soke knows", Accepted: "system, developer, user or assistant",
			}
		}
		if text != "" {
			out = append(out, soke.Message{Role: m.Role, Content: text})
		}
	}
	if instructions != nil {
		out = append(out, soke.Message{Role: "user", Content: strings.Join(instructions, "\n\n")})
	}
	if len(out) == 0 {
		return nil, &schemas.FieldError{Field: "messages", Label: "Messages", Problem: "there is no message with text", Accepted: "at least one user message"}
	}
	return out, nil
}

// contentText reads a message's text: a string, or parts of which Soke can take the text ones.
func contentText(i int, content json.RawMessage) (string, error) {
	var text string
	if len(content) == 0 || json.Unmarshal(content, &text) == nil {
		return text, nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	problem := "it is neither a text nor a list of parts"
	if err := json.Unmarshal(content, &parts); err == nil {
		texts := make([]string, 0, len(parts))
		problem = ""
		for _, p := range parts {
			if p.Type != "text" {
				problem = "a part of type " + schemas.Quote(p.Type) + " cannot be read by Soke"
			}
			texts = append(texts, p.Text)
		}
		text = strings.Join(texts, "\n")
	}
	if problem != "" {
		return "", &schemas.FieldError{
			Field: fmt.Sprintf("messages[%d].content", i), Label: fmt.Sprintf("Content of message %d", i+1),
			Problem: problem, Accepted: "a text, or parts of type text",
		}
	}
	return text, nil
}
