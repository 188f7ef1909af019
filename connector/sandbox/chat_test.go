package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

func TestConversationsAreKeptForASignInAndResumed(t *testing.T) {
	b := open(t)
	access, refresh := b.signIn()
	first := b.call(endpoints[1], bearer(access)...)
	conversation, _ := first.body["conversationId"].(string)
	more := fmt.Sprintf(`{"conversationId":%q,"messages":[{"role":"user","content":"and then?"}]}`, conversation)
	for _, turn := range []int{3, 5} { // each turn is a question and an answer
		r := b.ask("POST", "chat/completions", more, bearer(access)...)
		if r.status != 200 || r.body["conversationId"] != conversation || !bytes.Contains(r.raw, fmt.Appendf(nil, "message %d ", turn)) {
			t.Errorf("turn %d: %d %s", turn, r.status, r.raw)
		}
	}
	renewed := b.ask("POST", "auth/refresh", fmt.Sprintf(`{"refreshToken":%q}`, refresh)).text("accessToken")
	if r := b.ask("POST", "chat/completions", more, bearer(renewed)...); !bytes.Contains(r.raw, []byte("message 7 ")) {
		t.Errorf("with a renewed token: %d %s", r.status, r.raw)
	}
	if r := b.call(endpoints[1], bearer(access)...); r.body["conversationId"] == conversation || !bytes.Contains(r.raw, []byte("message 1 ")) {
		t.Errorf("a chat without an id went on with an old one: %s", r.raw)
	}
	if r := b.ask("POST", "chat/completions", strings.Replace(more, conversation, "conv_none", 1), bearer(access)...); r.status != 404 {
		t.Errorf("a conversation that there is not: %d", r.status)
	}
}

func TestAKeyHasNoConversations(t *testing.T) {
	b := open(t)
	access, _ := b.signIn()
	first := b.call(endpoints[1], bearer(access)...)
	r := b.call(endpoints[1], key("active")...)
	if _, kept := r.body["conversationId"]; kept || r.status != 200 {
		t.Errorf("%d %s", r.status, r.raw)
	}
	more := fmt.Sprintf(`{"conversationId":%q,"messages":[{"role":"user","content":"and then?"}]}`, first.body["conversationId"])
	if r := b.ask("POST", "chat/completions", more, key("active")...); r.status != 400 || r.code() != "BAD_REQUEST" {
		t.Errorf("a key resumes a conversation: %d %s", r.status, r.raw)
	}
}

const streamed = `{"stream":true,"messages":[{"role":"user","content":"hello"}]}`

func TestAStreamIsTheAnswerInChunksAndThenDone(t *testing.T) {
	b := open(t)
	var whole struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal(b.call(endpoints[1], key("active")...).raw, &whole); err != nil {
		t.Fatal(err)
	}
	r := b.ask("POST", "chat/completions", streamed, key("active")...)
	if got := r.header.Get("Content-Type"); r.status != 200 || !strings.HasPrefix(got, "text/event-stream") {
		t.Fatalf("%d %s", r.status, got)
	}
	if got := r.header.Get("X-Soke-Credits-Remaining"); got != "999990" {
		t.Errorf("%s credits are left", got)
	}
	events := strings.Split(strings.TrimSuffix(string(r.raw), "\n\n"), "\n\n")
	if len(events) < 4 || events[len(events)-1] != "data: [DONE]" {
		t.Fatalf("the stream is %q", events)
	}
	var content strings.Builder
	ids := map[string]bool{}
	for i, event := range events[:len(events)-1] {
		var c struct {
			ID, Object string
			Choices    []struct {
				Delta        struct{ Role, Content string }
				FinishReason *string `json:"finish_reason"`
			}
		}
		data, ok := strings.CutPrefix(event, "data: ")
		if err := json.Unmarshal([]byte(data), &c); !ok || err != nil || c.Object != "chat.completion.chunk" || len(c.Choices) != 1 {
			t.Fatalf("chunk %q", event)
		}
		ids[c.ID] = true
		content.WriteString(c.Choices[0].Delta.Content)
		if (c.Choices[0].Delta.Role == "assistant") != (i == 0) || (c.Choices[0].FinishReason != nil) != (i == len(events)-2) {
			t.Errorf("chunk %d is %s", i, event)
		}
	}
	if content.String() != whole.Choices[0].Message.Content || len(ids) != 1 {
		t.Errorf("%d ids; the chunks make %q", len(ids), content.String())
	}
}

func TestAFailedStreamIsAnErrorEnvelope(t *testing.T) {
	for name, want := range map[string]int{"expired": 403, "nocredits": 402, "revoked": 401} {
		r := open(t).ask("POST", "chat/completions", streamed, key(name)...)
		if r.status != want || r.code() == "" {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
}

// leaver is a client that leaves after a number of chunks.
type leaver struct {
	*httptest.ResponseRecorder
	patience int
	leave    context.CancelFunc
}

func (l *leaver) Flush() {
	if l.patience--; l.patience == 0 {
		l.leave()
	}
}

func TestAStreamStopsWhenItsClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, patience := range []int{1, 5} {
			ctx, leave := context.WithCancel(t.Context())
			w := &leaver{httptest.NewRecorder(), patience, leave}
			sandbox.New(sandbox.Options{}).ServeHTTP(w, request(ctx, streamed, active))
			if n := strings.Count(w.Body.String(), "data: "); n != patience {
				t.Errorf("%d chunks for a client that left after %d", n, patience)
			}
		}
	})
}
