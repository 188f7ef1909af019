package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type chatRequest struct {
	Messages       []message `json:"messages"`
	Platform       string    `json:"platform"`
	Model          string    `json:"model"`
	ConversationID string    `json:"conversationId"`
	ConnectionID   string    `json:"connectionId"`
	Stream         bool      `json:"stream"`
}

func (s *Server) chatCompletions(x *exchange) {
	var r chatRequest
	if !x.decode(&r) || !x.platform(r.Platform) {
		return
	}
	if refused := checkChat(r); refused != nil {
		x.refuse(*refused)
		return
	}
	if r.Model == "" {
		r.Model = "soke-v1"
	}
	earlier, refused := s.conversation(x, &r)
	if refused == nil {
		refused = s.charge(x)
	}
	if refused != nil {
		x.refuse(*refused)
		return
	}
	content := reply(append(earlier, r.Messages...))
	if x.signedIn {
		s.mu.Lock()
		s.conversations.put(x.id+"\x00"+r.ConversationID, append(append(earlier, r.Messages...), message{"assistant", content}))
		s.mu.Unlock()
	}
	if r.Stream {
		x.stream(r, content)
		return
	}
	x.write(http.StatusOK, completion(x, r, content))
}

func checkChat(r chatRequest) *refusal {
	refuse := func(field, message string) *refusal {
		b := badRequest(field, message)
		return &b
	}
	if len(r.Messages) == 0 {
		return refuse("messages", "messages must hold at least one message.")
	}
	for i, m := range r.Messages {
		if m.Role != "user" && m.Role != "assistant" {
			return refuse(fmt.Sprintf("messages[%d].role", i), "role must be user or assistant.")
		}
		if strings.TrimSpace(m.Content) == "" {
			return refuse(fmt.Sprintf("messages[%d].content", i), "content must not be empty.")
		}
	}
	if r.Model != "" && r.Model != "soke-v1" {
		return refuse("model", "model must be soke-v1.")
	}
	return nil
}

// conversation finds what a request continues. Conversations exist for signed-in users alone.
func (s *Server) conversation(x *exchange, r *chatRequest) ([]message, *refusal) {
	if !x.signedIn {
		if r.ConversationID != "" {
			b := badRequest("conversationId", "Requests with an API key are stateless; conversationId needs a signed-in user.")
			return nil, &b
		}
		return nil, nil
	}
	if r.ConversationID == "" {
		r.ConversationID = "conv_" + uuid.NewString()
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	earlier, ok := s.conversations.get(x.id + "\x00" + r.ConversationID)
	if !ok {
		n := notFound("conversation", "conversationId", r.ConversationID)
		return nil, &n
	}
	return earlier[:len(earlier):len(earlier)], nil
}

// reply answers deterministically and shows that it has read the whole conversation.
func reply(messages []message) string {
	last := messages[len(messages)-1].Content
	if runes := []rune(last); len(runes) > 80 {
		last = string(runes[:80]) + "…"
	}
	last = strings.Join(strings.Fields(last), " ")
	return fmt.Sprintf("On %q, message %d of our conversation: lead with the result, promise one clear benefit, and keep the title under sixty characters. "+
		"Try a version for beginners, one with a number, and one that asks a question.", last, len(messages))
}

func completion(x *exchange, r chatRequest, content string) map[string]any {
	prompt := 0
	for _, m := range r.Messages {
		prompt += utf8.RuneCountInString(m.Content)/4 + 1
	}
	answer := utf8.RuneCountInString(content)/4 + 1
	out := map[string]any{
		"id": "chatcmpl-" + x.requestID, "object": "chat.completion", "created": x.s.now().Unix(), "model": r.Model,
		"choices": []map[string]any{{
			"index": 0, "finish_reason": "stop",
			"message": map[string]any{
				"role": "assistant", "content": content,
				"data": map[string]any{"services_used": []string{"keyword_research", "title_optimizer"}},
			},
		}},
		"usage": map[string]int{"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer},
	}
	if x.signedIn {
		out["conversationId"] = r.ConversationID
	}
	return out
}

// stream sends the answer word by word as OpenAI's chunks, each flushed, until the caller leaves.
func (x *exchange) stream(r chatRequest, content string) {
	x.headers()
	x.w.Header().Set("Content-Type", "text/event-stream")
	x.w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(x.w)
	created := x.s.now().Unix()
	send := func(delta map[string]any, finish any) bool {
		chunk, _ := json.Marshal(map[string]any{
			"id": "chatcmpl-" + x.requestID, "object": "chat.completion.chunk", "created": created, "model": r.Model,
			"choices": []map[string]any{{"index": 0, "delta": delta, "finish_reason": finish}},
		})
		if _, err := fmt.Fprintf(x.w, "data: %s\n\n", chunk); err != nil {
			return false
		}
		return control.Flush() == nil && x.r.Context().Err() == nil
	}
	if !send(map[string]any{"role": "assistant"}, nil) {
		return
	}
	for word := range strings.SplitAfterSeq(content, " ") {
		if !send(map[string]any{"content": word}, nil) || !x.wait(time.Millisecond) {
			return
		}
	}
	if send(map[string]any{}, "stop") {
		_, _ = fmt.Fprint(x.w, "data: [DONE]\n\n")
	}
}
