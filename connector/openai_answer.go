package connector

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/soke"
)

// openAIStream answers in events. A client that asked for events can read nothing else, so an
// answer that Soke gave whole goes out as a stream of few chunks.
func (s *Server) openAIStream(c echo.Context, k *call, call soke.Call) error {
	stream, err := k.session.Stream(c.Request().Context(), call)
	if err != nil {
		return err
	}
	defer stream.Close()
	answer := stream.Whole()
	if answer == nil {
		return s.relay(c, k, stream)
	}
	completion, err := answer.Completion()
	if err != nil {
		return err
	}
	chunks, err := chunksOf(completion, answer)
	if err != nil {
		return err
	}
	out := openEvents(c, k)
	for _, data := range append(chunks, soke.StreamEnd) {
		if out.send(data) != nil {
			return nil
		}
	}
	return nil
}

// chunksOf says a chat completion in OpenAI's chunks: the message, then why it ended. Whatever else
// stands in the completion stands in each chunk.
func chunksOf(completion json.RawMessage, answer *soke.Answer) ([]string, error) {
	type choice struct {
		Index        int             `json:"index"`
		Message      json.RawMessage `json:"message,omitempty"`
		Delta        json.RawMessage `json:"delta,omitempty"`
		FinishReason json.RawMessage `json:"finish_reason"`
	}
	var head map[string]json.RawMessage
	var choices []choice
	err := json.Unmarshal(completion, &head)
	if err == nil {
		err = json.Unmarshal(head["choices"], &choices)
	}
	if err != nil {
		return nil, answer.Unreadable("a chat answer of another shape")
	}
	said, ended := make([]choice, len(choices)), make([]choice, len(choices))
	for i, c := range choices {
		if len(c.Message) == 0 {
			c.Message = json.RawMessage(`{}`)
		}
		said[i] = choice{Index: i, Delta: c.Message}
		ended[i] = choice{Index: i, Delta: json.RawMessage(`{}`), FinishReason: c.FinishReason}
	}
	head["object"] = json.RawMessage(`"chat.completion.chunk"`)
	chunks := make([]string, 0, 3)
	for _, part := range [][]choice{said, ended} {
		if head["choices"], err = json.Marshal(part); err != nil {
			return nil, err
		}
		chunk, err := json.Marshal(head)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, string(chunk))
	}
	return chunks, nil
}

// openAIModels lists the one model there is, without asking Soke.
func (s *Server) openAIModels(c echo.Context, _ *call) error {
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	return c.JSON(http.StatusOK, struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{Object: "list", Data: []model{{ID: sokeModel, Object: "model", OwnedBy: "soke"}}})
}
