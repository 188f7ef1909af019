package connector_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/tmaxmax/go-sse"
)

// streamPaths are the two ways to a stream.
var streamPaths = map[string]string{
	"raw":    "/v1/n8n/soke/chat/completions",
	"openai": "/openai/v1/chat/completions",
}

const streamBody = `{"stream":true,"messages":[{"role":"user","content":"Ideas?"}]}`

// openStream returns a stream's answer, still open.
func openStream(t *testing.T, s *service, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(streamBody))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Soke-Key", activeKey)
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestAStreamIsPassedOnChunkByChunk(t *testing.T) {
	const chunks = 20
	read := make(chan struct{})
	s := start(t, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Request-Id", "soke-1")
		for i := range chunks {
			_, _ = fmt.Fprintf(w, "data: {\"n\":%d}\n\n", i)
			_ = http.NewResponseController(w).Flush()
			<-read // the next comes only when this one has arrived at the caller
		}
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	})))
	for name, path := range streamPaths {
		resp := openStream(t, s, path)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Soke-Request-Id") != "soke-1" || resp.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
		lines := bufio.NewScanner(resp.Body)
		for i := range chunks {
			if !lines.Scan() || lines.Text() != fmt.Sprintf(`data: {"n":%d}`, i) || !lines.Scan() || lines.Text() != "" {
				t.Fatalf("%s: chunk %d came as %q (%v)", name, i, lines.Text(), lines.Err())
			}
			read <- struct{}{}
		}
		if !lines.Scan() || lines.Text() != "data: [DONE]" {
			t.Errorf("%s: the stream ends with %q", name, lines.Text())
		}
	}
}

func TestACallerWhoLeavesAStreamFreesTheCallToSoke(t *testing.T) {
	freed := make(chan struct{})
	s := start(t, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		freed <- struct{}{}
	})))
	for name, path := range streamPaths {
		resp := openStream(t, s, path)
		if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line != "data: 1\n" {
			t.Errorf("%s: %q, %v", name, line, err)
		}
		_ = resp.Body.Close()
		<-freed
	}
}

func TestAFailureWithinAStreamIsItsLastEvent(t *testing.T) {
	s := start(t, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"a\":1}\n\n"+
			`data: {"success":false,"error":{"code":"INSUFFICIENT_CREDITS","message":"m"},"meta":{"request_id":"soke-1"}}`+"\n\ndata: [DONE]\n\n")
	})))
	for name, path := range streamPaths {
		a := s.post(path, streamBody)
		events := strings.Split(strings.TrimSpace(string(a.body)), "\n\n")
		if len(events) != 2 || events[0] != `data: {"a":1}` {
			t.Fatalf("%s: %s", name, a.body)
		}
		a.body = []byte(strings.TrimPrefix(events[1], "data: "))
		if e := a.failure(t); e["code"] != "INSUFFICIENT_CREDITS" || !strings.HasSuffix(e["message"].(string), "(request soke-1)") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if !strings.Contains(s.metrics(), `soke_connector_soke_calls_total{code="OK",operation="soke"} 1`) {
		t.Error("the call is not counted")
	}
}

func TestARawStreamThatSokeAnswersWholeIsPassedOnWhole(t *testing.T) {
	const whole = `{"success":true,"data":{"answer":"Hi"},"meta":{"request_id":"soke-1"}}`
	s := start(t, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, whole)
	})))
	a := s.post(streamPaths["raw"], streamBody)
	if a.status != http.StatusAccepted || string(a.body) != whole || a.header.Get("X-Soke-Request-Id") != "soke-1" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

// FuzzRelay sends anything as a stream: what comes out is events, and those of the input as a
// client of Soke's own would have read them.
func FuzzRelay(f *testing.F) {
	for _, seed := range []string{
		"data: 1\n\ndata: [DONE]\n\n", "data: {\ndata: }\n\ndata:[DONE]\r\n\r\n", "data", "", "data: 1\n\n",
		"event: x\nid: \x00\nretry: z\ndata\ndata\n\n", ": ping\n\ndata: \xff\n\ndata: [DONE]\n\n", "\xef\xbb\xbfdata: a\r\rdata: [DONE]\r\r",
		"data: {\"success\":false,\"error\":{\"code\":\"X_1\"}}\n\n", "data: a\rdata: b\n\ndata: [DONE]\n\n", "data: \u2028\u0085\n\ndata: [DONE]\n\n",
	} {
		f.Add(seed)
	}
	var sent string
	s := start(f, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, sent)
	})))
	f.Fuzz(func(t *testing.T, stream string) {
		sent = stream
		req := httptest.NewRequest(http.MethodPost, streamPaths["openai"], strings.NewReader(streamBody))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Soke-Key", activeKey)
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, req)
		got, end := eventsIn(w.Body.String())
		if w.Code != http.StatusOK || end != nil || len(got) == 0 {
			t.Fatalf("%d %q of %d events, ending with %v", w.Code, w.Body, len(got), end)
		}
		for _, data := range got {
			if data != "[DONE]" {
				clean(t, "an event", []byte(data))
			}
		}
		want, end := eventsIn(stream)
		done := slices.Index(want, "[DONE]")
		last := got[len(got)-1]
		switch {
		case done >= 0 && end == nil && last == "[DONE]":
			if !slices.Equal(got[:len(got)-1], want[:done]) {
				t.Errorf("%q became %q", want, got)
			}
		case strings.HasPrefix(last, `{"error":{`):
			if n := len(got) - 1; n > len(want) || !slices.Equal(got[:n], want[:n]) {
				t.Errorf("%q became %q", want, got)
			}
		default:
			t.Errorf("the stream ends with %q", last)
		}
	})
}

// eventsIn reads events as a client does; blank ones are none.
func eventsIn(stream string) (all []string, err error) {
	for event, err := range sse.Read(strings.NewReader(stream), &sse.ReadConfig{MaxEventSize: 2 << 20}) {
		if err != nil {
			return all, err
		}
		if trimmed := strings.TrimSpace(event.Data); trimmed == "[DONE]" {
			all = append(all, trimmed)
		} else if trimmed != "" {
			all = append(all, event.Data)
		}
	}
	return all, nil
}
