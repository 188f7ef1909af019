package soke_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

func streams(body string, pairs ...string) http.HandlerFunc {
	return says(200, body, append([]string{"Content-Type", "text/event-stream; charset=utf-8"}, pairs...)...)
}

func chat() soke.Call {
	return soke.Call{Operation: "openai-chat", Method: http.MethodPost, Path: "chat/completions", Body: []byte(`{"stream":true}`)}
}

func events(t testing.TB, st *soke.Stream) (got []string, err error) {
	t.Helper()
	for data, e := range st.Events() {
		if e != nil {
			return got, e
		}
		got = append(got, data)
	}
	return got, nil
}

func open(t testing.TB, url string, o soke.Options) (*soke.Stream, *soke.Session, error) {
	t.Helper()
	o.BaseURL = url
	session := newCaller(t, o).Session(credential(t))
	st, err := session.Stream(t.Context(), chat())
	if err == nil {
		t.Cleanup(st.Close)
	}
	return st, session, err
}

// nested is a list in lists, n deep.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestAStreamYieldsItsEventsUpToItsEnd(t *testing.T) {
	large := `"` + strings.Repeat("x", 1<<20-20) + `"`
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"plain":              {"data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n", []string{`{"a":1}`, `{"a":2}`}},
		"nothing":            {"data: [DONE]\n\n", nil},
		"other line ends":    {"data:1\r\n\r\ndata:2\r\rdata:[DONE]\r\n\r\n", []string{"1", "2"}},
		"names and comments": {": hello\n\nevent: chunk\nid: 7\nretry: 5\ndata: 1\n\nevent: ping\n\ndata:\n\ndata: [DONE]\n\n", []string{"1"}},
		"several lines":      {"data: {\ndata: }\n\ndata: [DONE]\n\n", []string{"{\n}"}},
		"after the end":      {"data: 1\n\ndata: [DONE]\n\ndata: 2\n\n", []string{"1"}},
		"half of a character, which is JSON as it is written": {`data: {"a":"\ud800"}` + "\n\ndata: [DONE]\n\n", []string{`{"a":"\ud800"}`}},
		"64 levels":         {"data: " + nested(64) + "\n\ndata: [DONE]\n\n", []string{nested(64)}},
		"a large event":     {"data: " + large + "\n\ndata: [DONE]\n\n", []string{large}},
		"success in a text": {"data: {\"x\":\"\\\"success\\\":false\"}\n\ndata: {\"success\":true}\n\ndata: [DONE]\n\n", []string{`{"x":"\"success\":false"}`, `{"success":true}`}},
	} {
		t.Run(name, func(t *testing.T) {
			url, arrived := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream") {
					t.Errorf("accepts %q", r.Header.Get("Accept"))
				}
				streams(c.body, "X-Request-Id", "r-1", "X-Soke-Limit", "30")(w, r)
			})
			st, session, err := open(t, url, soke.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := events(t, st)
			if err != nil || !slices.Equal(got, c.want) || st.Whole() != nil {
				t.Errorf("got %q, %v", got, err)
			}
			if m := session.Meta(); m.RequestID != "r-1" || *m.Limits.Limit != 30 || arrived.Load() != 1 {
				t.Errorf("remembered %+v after %d requests", m, arrived.Load())
			}
		})
	}
}

func TestAStreamThatDoesNotReachItsEndFails(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want int
		code soke.Code
	}{
		"empty":               {"", 0, soke.UpstreamUnavailable},
		"between events":      {"data: 1\n\ndata: 2\n\n", 2, soke.UpstreamUnavailable},
		"within an event":     {"data: 1\n\ndata: {\"a\":", 1, soke.UpstreamUnavailable},
		"within the end":      {"data: 1\n\ndata: [DON", 1, soke.UpstreamUnavailable},
		"an event too large":  {"data: 1\n\ndata: \"" + strings.Repeat("x", 1<<20+1) + "\"\n\ndata: [DONE]\n\n", 1, soke.UpstreamUnavailable},
		"an event of lines":   {"data: 1\n\ndata: [\n" + strings.Repeat("data: \""+strings.Repeat("x", 1000)+"\",\n", 1100) + "data: 1]\n\ndata: [DONE]\n\n", 1, soke.UpstreamUnavailable},
		"invalid UTF-8":       {"data: 1\n\ndata: \"\xff\xfe\"\n\ndata: [DONE]\n\n", 1, soke.UpstreamUnavailable},
		"no JSON":             {"data: 1\n\ndata: not json\n\ndata: [DONE]\n\n", 1, soke.UpstreamUnavailable},
		"NULs":                {"data: 1\n\ndata: {\"a\":\"\x00\"}\n\ndata: [DONE]\n\n", 1, soke.UpstreamUnavailable},
		"bare escapes":        {"data: 1\n\ndata: \\ud800\n\ndata: [DONE]\n\n", 1, soke.UpstreamUnavailable},
		"two values":          {"data: 1\n\ndata: {}{}\n\ndata: [DONE]\n\n", 1, soke.UpstreamUnavailable},
		"65 levels":           {"data: 1\n\ndata: " + nested(65) + "\n\ndata: [DONE]\n\n", 1, soke.UpstreamUnavailable},
		"a failure within":    {"data: 1\n\ndata: {\"success\":false,\"error\":{\"code\":\"INTERNAL_ERROR\",\"message\":\"m\"}}\n\ndata: [DONE]\n\n", 1, soke.InternalError},
		"a page of a gateway": {"<html>\n\n</html>\n\n", 0, soke.UpstreamUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			url, arrived := serve(t, streams(c.body, "X-Request-Id", "r-1", "X-Soke-Limit", "30"))
			st, _, err := open(t, url, soke.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := events(t, st)
			e := failure(t, err)
			if e.Code != c.code || e.NotSent || e.RequestID != "r-1" || *e.Limits.Limit != 30 || len(got) != c.want {
				t.Errorf("got %+v after %d events", e, len(got))
			}
			if n := arrived.Load(); n != 1 {
				t.Errorf("%d requests arrived, want 1", n)
			}
		})
	}
}

func TestAFailureInsteadOfAStreamIsThatFailure(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   soke.Code
	}{
		"envelope":             {says(403, `{"success":false,"error":{"code":"SUBSCRIPTION_REQUIRED"}}`), soke.SubscriptionRequired},
		"envelope with 200":    {says(200, `{"success":false,"error":{"code":"INTERNAL_ERROR"}}`), soke.InternalError},
		"page":                 {says(502, "<html>", "Content-Type", "text/html"), soke.UpstreamUnavailable},
		"stream with a 500":    {says(500, "data: 1\n\ndata: [DONE]\n\n", "Content-Type", "text/event-stream"), soke.UpstreamUnavailable},
		"redirect to a stream": {says(307, "", "Content-Type", "text/event-stream", "Location", "/"), soke.UpstreamUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			url, arrived := serve(t, c.answer)
			_, _, err := open(t, url, soke.Options{})
			if e := failure(t, err); e.Code != c.code || arrived.Load() != 1 {
				t.Errorf("got %+v after %d requests", e, arrived.Load())
			}
		})
	}
}

func TestAnAnswerThatIsNoStreamIsYieldedWholeAndSaysSo(t *testing.T) {
	const completion = `{"object":"chat.completion","choices":[]}`
	url, _ := serve(t, says(200, completion))
	st, _, err := open(t, url, soke.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := events(t, st)
	if err != nil || !slices.Equal(got, []string{completion}) || st.Whole() == nil || string(st.Whole().Body) != completion {
		t.Errorf("got %q, %v", got, err)
	}
}

// held is a server below HTTP that writes what it is given, chunk by chunk, and then waits for the
// caller to leave.
func held(t *testing.T, chunks ...string) (string, <-chan struct{}) {
	t.Helper()
	left := make(chan struct{})
	url, _ := wire(t, func(conn *net.TCPConn, _ int) bool {
		if len(chunks) > 0 {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		}
		for _, chunk := range chunks {
			_, _ = fmt.Fprintf(conn, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		_, _ = conn.Read(make([]byte, 1))
		close(left)
		return false
	})
	return url, left
}

func TestAStreamWithoutAHeadIsATimeout(t *testing.T) {
	url, left := held(t)
	_, _, err := open(t, url, soke.Options{Timeout: 100 * time.Millisecond})
	if e := failure(t, err); e.Code != soke.UpstreamTimeout || e.NotSent {
		t.Errorf("got %+v", e)
	}
	<-left
}

func TestAStreamThatStallsIsATimeout(t *testing.T) {
	url, _ := held(t, "data: 1\n\n", "data: ")
	st, _, err := open(t, url, soke.Options{Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	got, err := events(t, st)
	if e := failure(t, err); e.Code != soke.UpstreamTimeout || len(got) != 1 || errors.Is(e, context.Canceled) {
		t.Errorf("got %+v after %q", e, got)
	}
}

func TestAStreamOutlivesTheTimeoutWhileChunksCome(t *testing.T) {
	const timeout = 250 * time.Millisecond
	url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for begun := time.Now(); time.Since(begun) < 2*timeout; {
			_, _ = io.WriteString(w, ": still here\n\n")
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.WriteString(w, "data: 1\n\ndata: [DONE]\n\n")
	})
	st, _, err := open(t, url, soke.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := events(t, st); err != nil || !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestClosingAStreamFreesItsCall(t *testing.T) {
	url, left := held(t, "data: 1\n\n", "data: 2\n\n")
	st, _, err := open(t, url, soke.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for data, err := range st.Events() {
		if data != "1" || err != nil {
			t.Error(data, err)
		}
		break
	}
	st.Close()
	st.Close()
	<-left
}

func TestACallerWhoLeavesAStreamFreesItAndIsToldSo(t *testing.T) {
	url, left := held(t, "data: 1\n\n")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	st, err := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t)).Stream(ctx, chat())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, err = range st.Events() {
		leave()
	}
	if e := failure(t, err); !errors.Is(e, context.Canceled) {
		t.Errorf("got %+v", e)
	}
	<-left
}

func TestAStreamThatCannotBeginIsRepeatedLikeAnyCall(t *testing.T) {
	nth := 0
	url, arrived := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if nth++; nth < 3 {
			says(429, limited(`{"retryAfter":1}`))(w, r)
			return
		}
		streams("data: 1\n\ndata: [DONE]\n\n")(w, r)
	})
	st, _, err := open(t, url, soke.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := events(t, st); err != nil || len(got) != 1 || arrived.Load() != 3 {
		t.Errorf("got %q, %v after %d requests", got, err, arrived.Load())
	}
}

func FuzzStream(f *testing.F) {
	for _, s := range []string{
		"data: 1\n\ndata: [DONE]\n\n", "data: {\"success\":false,\"error\":{\"code\":\"X\"}}\n\n", "data", "data: [DONE]", "\xef\xbb\xbfdata: a\r\rdata:[DONE]\r\n\r\n",
		"event: x\nid: \x00\nretry: z\ndata\ndata\n\n", ":\n\n", "data: \xff\n\n",
	} {
		f.Add(s)
	}
	body := ""
	url, _ := serve(f, func(w http.ResponseWriter, r *http.Request) { streams(body)(w, r) })
	session := newCaller(f, soke.Options{BaseURL: url}).Session(credential(f))
	f.Fuzz(func(t *testing.T, s string) {
		body = s
		st, err := session.Stream(t.Context(), chat())
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		got, err := events(t, st)
		if err != nil {
			failure(t, err)
		} else if !strings.Contains(s, "[DONE]") {
			t.Errorf("%q ended well", s)
		}
		for _, data := range got {
			if strings.TrimSpace(data) == "" || strings.ToValidUTF8(data, "") != data {
				t.Errorf("%q yielded %q", s, data)
			}
		}
	})
}
