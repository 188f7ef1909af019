package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

// maxOpenAIItems bounds the messages of a request and the parts of all of them together. Each may be
// two bytes and costs twenty times as much, so they are counted before they are decoded.
const maxOpenAIItems = 10_000

type openAIMessages []openAIMessage

// openAIMessage holds a text or a list of parts.
type openAIMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// UnmarshalJSON decodes a list of a bounded length, once.
func (m *openAIMessages) UnmarshalJSON(raw []byte) (err error) {
	switch {
	case string(raw) == "null":
		return nil
	case *m != nil:
		return &schemas.FieldError{Field: "messages", Label: "Messages", Problem: "they are there twice", Accepted: "one list of messages"}
	}
	*m, err = decodeItems[openAIMessage](raw, maxOpenAIItems)
	return err
}

// decodeItems decodes a list, and stops where it has more than limit items.
func decodeItems[T any](raw []byte, limit int) ([]T, error) {
	items := []T{}
	d := json.NewDecoder(bytes.NewReader(raw))
	if opens, err := d.Token(); err != nil || opens != json.Delim('[') {
		return nil, errors.New("it is not a list")
	}
	for d.More() {
		if len(items) == limit {
			return nil, &schemas.FieldError{
				Field: "messages", Label: "Messages", Problem: "there are too many",
				Accepted: fmt.Sprintf("at most %d messages and parts of messages in all", maxOpenAIItems),
			}
		}
		var item T
		if err := d.Decode(&item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// sokeMessages says OpenAI's messages in Soke's two roles. Soke knows no system role,
// so instructions are put in front of the user message that follows them.
func sokeMessages(in []openAIMessage) ([]soke.Message, error) {
	out := make([]soke.Message, 0, len(in))
	var instructions []string
	left := maxOpenAIItems - len(in)
	for i, m := range in {
		text, parts, err := contentText(i, m.Content, left)
		if err != nil {
			return nil, err
		}
		left -= parts
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

// openAIPart is a part of a message; Soke can take those of type text.
type openAIPart struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// contentText reads a message's text: a string, or a list of at most limit parts, which it counts.
func contentText(i int, content json.RawMessage, limit int) (text string, count int, err error) {
	if len(content) == 0 || json.Unmarshal(content, &text) == nil {
		return text, 0, nil
	}
	parts, err := decodeItems[openAIPart](content, limit)
	if fault := (*schemas.FieldError)(nil); errors.As(err, &fault) {
		return "", 0, fault
	}
	problem := ""
	if err != nil {
		problem = "it is neither a text nor a list of parts"
	}
	texts := make([]string, 0, len(parts))
	for _, p := range parts {
		if p.Type != "text" {
			problem = "a part of type " + schemas.Quote(p.Type) + " cannot be read by Soke"
		}
		texts = append(texts, p.Text)
	}
	if problem != "" {
		return "", 0, &schemas.FieldError{
			Field: fmt.Sprintf("messages[%d].content", i), Label: fmt.Sprintf("Content of message %d", i+1),
			Problem: problem, Accepted: "a text, or parts of type text",
		}
	}
	return strings.Join(texts, "\n"), len(parts), nil
}
