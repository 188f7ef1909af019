package soke_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

const success = `{"success":true,"data":{"n":1},"meta":{"request_id":"req-1"}}`

func TestWhatIsNotSokesWordIsUnavailableAndIsAskedForOnce(t *testing.T) {
	envelope := func(inner string) string { return `{"success":true,"data":` + inner + `}` }
	var bomb bytes.Buffer
	packer := gzip.NewWriter(&bomb)
	_, _ = packer.Write([]byte(envelope(`"` + strings.Repeat("0", 9<<20) + `"`)))
	_ = packer.Close()

	for name, answer := range map[string]http.HandlerFunc{
		"HTML 502":                  says(502, "<html>502 Bad Gateway</html>", "Content-Type", "text/html"),
		"HTML 503 with Retry-After": says(503, "<html>", "Content-Type", "text/html", "Retry-After", "1"),
		"HTML 429 with Retry-After": says(429, "<html>", "Content-Type", "text/html", "Retry-After", "1"),
		"HTML 200":                  says(200, "<html>", "Content-Type", "text/html"),
		"empty 200":                 says(200, ""),
		"blank 200":                 says(200, " \r\n"),
		"truncated JSON":            says(200, success[:len(success)-9]),
		"two documents":             says(200, success+success),
		"array":                     says(200, `[1]`),
		"text":                      says(200, `"ok"`),
		"null":                      says(200, `null`),
		"object without envelope":   says(200, `{"data":{}}`),
		"success that is no bool":   says(200, `{"success":"true","data":{}}`),
		"success with status 500":   says(500, success),
		"success with status 401":   says(401, success),
		"failure without code":      says(400, `{"success":false,"error":{"message":"no"}}`),
		"failure without error":     says(400, `{"success":false}`),
		"failure with text error":   says(400, `{"success":false,"error":"BAD_REQUEST"}`),
		"code in lower case":        says(400, `{"success":false,"error":{"code":"bad_request"}}`),
		"code with a space":         says(400, `{"success":false,"error":{"code":"BAD REQUEST"}}`),
		"code that is a number":     says(400, `{"success":false,"error":{"code":400}}`),
		"code of 65 characters":     says(400, `{"success":false,"error":{"code":"`+strings.Repeat("A", 65)+`"}}`),
		"error without success":     says(400, `{"error":{"code":"BAD_REQUEST"}}`),
		"invalid UTF-8":             says(200, "{\"success\":true,\"data\":{\"a\":\"\xff\"}}"),
		"65 levels":                 says(200, envelope(strings.Repeat("[", 64)+strings.Repeat("]", 64))),
		"8 MiB and a byte":          says(200, envelope(`"`+strings.Repeat("0", 8<<20-len(envelope(`""`))+1)+`"`)),
		"gzip bomb":                 says(200, bomb.String(), "Content-Encoding", "gzip"),
		"gzip that is none":         says(200, success, "Content-Encoding", "gzip"),
		"unasked encoding":          says(200, "\x0b\x02\x80", "Content-Encoding", "br"),
		"redirect":                  says(302, "", "Location", "/api/v1/elsewhere"),
		"redirect with an envelope": says(307, success, "Location", "/api/v1/elsewhere"),
		"redirect with a failure":   says(302, `{"success":false,"error":{"code":"BAD_REQUEST"}}`, "Location", "/api/v1/elsewhere"),
		"head beyond bounds":        says(200, success, "X-Large", strings.Repeat("x", 70<<10)),
	} {
		for _, call := range []soke.Call{get("trends/scan"), post("research/keywords")} {
			t.Run(name+" to "+call.Method, func(t *testing.T) {
				url, arrived := serve(t, answer)
				c := newCaller(t, soke.Options{BaseURL: url})
				_, err := c.Session(credential(t)).Do(t.Context(), call)
				e := failure(t, err)
				if e.Code != soke.UpstreamUnavailable || e.NotSent || e.Status != 0 {
					t.Errorf("got %+v", e)
				}
				if n := arrived.Load(); n != 1 {
					t.Errorf("%d requests arrived, want 1", n)
				}
			})
		}
	}
}

func TestAnAnswerAtTheBoundsIsAccepted(t *testing.T) {
	envelope := func(inner string) string { return `{"success":true,"data":` + inner + `}` }
	for name, answer := range map[string]http.HandlerFunc{
		"64 levels":                    says(200, envelope(strings.Repeat("[", 63)+strings.Repeat("]", 63))),
		"brackets within texts":        says(200, envelope(`"\"`+strings.Repeat("[{", 100)+`"`)),
		"8 MiB":                        says(200, envelope(`"`+strings.Repeat("0", 8<<20-len(envelope(`""`)))+`"`)),
		"an envelope declared as text": says(200, success, "Content-Type", "text/plain"),
		"status 201":                   says(201, success),
		"no request id":                says(200, `{"success":true,"data":{}}`),
		"meta of another type":         says(200, `{"success":true,"data":{},"meta":[1]}`),
		"no data":                      says(200, `{"success":true}`),
		"no content":                   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, answer)
			c := newCaller(t, soke.Options{BaseURL: url})
			if _, err := c.Session(credential(t)).Do(t.Context(), get("x")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAConnectionThatBreaksAfterTheRequestIsUnavailableAndNotUsedForARepeat(t *testing.T) {
	write := func(s string) func(*net.TCPConn, int) bool {
		return func(conn *net.TCPConn, _ int) bool { _, _ = io.WriteString(conn, s); return false }
	}
	reset := func(s string) func(*net.TCPConn, int) bool {
		return func(conn *net.TCPConn, _ int) bool {
			_, _ = io.WriteString(conn, s)
			_ = conn.SetLinger(0)
			return false
		}
	}
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
	for name, answer := range map[string]func(*net.TCPConn, int) bool{
		"closed without an answer": write(""),
		"reset without an answer":  reset(""),
		"reset within the head":    reset("HTTP/1.1 200 OK\r\nContent-"),
		"reset within the body":    reset(head + `{"success":`),
		"closed within the body":   write(head + `{"success":`),
		"chunk cut off":            write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"),
		"no HTTP":                  write("SSH-2.0-" + secretKey + "\r\n\r\n"),
	} {
		for _, call := range []soke.Call{get("trends/scan"), post("research/keywords")} {
			t.Run(name+" to "+call.Method, func(t *testing.T) {
				url, arrived := wire(t, answer)
				c := newCaller(t, soke.Options{BaseURL: url})
				_, err := c.Session(credential(t)).Do(t.Context(), call)
				e := failure(t, err)
				if e.Code != soke.UpstreamUnavailable || e.NotSent {
					t.Errorf("got %+v", e)
				}
				if n := arrived.Load(); n != 1 {
					t.Errorf("%d requests arrived, want 1", n)
				}
				if strings.Contains(e.Error(), secretKey) {
					t.Errorf("the cause shows a secret: %v", e)
				}
			})
		}
	}
}

func TestARequestThatCannotReachSokeIsRepeatedTwiceAndSaysSo(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := gone.Addr().String()
	_ = gone.Close()
	inner := quietTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }), false)
	plain, arrived := serve(t, says(200, success))
	resolver := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no resolver in tests")
	}}
	defer func() { net.DefaultResolver = resolver }()

	for name, url := range map[string]string{
		"refused":                "http://" + refused,
		"certificate not known":  inner.URL,
		"plain server for https": strings.Replace(plain, "http:", "https:", 1),
		"name not found":         "https://soke.invalid",
	} {
		for _, call := range []soke.Call{get("trends/scan"), post("research/keywords")} {
			t.Run(name+" to "+call.Method, func(t *testing.T) {
				c := newCaller(t, soke.Options{BaseURL: url})
				_, err := c.Session(credential(t)).Do(t.Context(), call)
				if e := failure(t, err); e.Code != soke.UpstreamUnavailable || !e.NotSent {
					t.Errorf("got %+v", e)
				}
				attempts, waits := c.seen()
				if len(attempts) != 3 || len(waits) != 2 {
					t.Errorf("%d attempts and %d waits, want 3 and 2", len(attempts), len(waits))
				}
				for _, a := range attempts {
					if a.Status != 0 || a.Code != soke.UpstreamUnavailable {
						t.Errorf("observed %+v", a)
					}
				}
			})
		}
	}
	if arrived.Load() != 0 {
		t.Error("a request arrived over a broken handshake")
	}
}

func TestASokeThatIsTooSlowIsATimeoutAndIsAskedOnce(t *testing.T) {
	for name, head := range map[string]string{
		"without an answer": "",
		"within the body":   "HTTP/1.1 200 OK\r\nX-Request-Id: late-1\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			url, arrived := wire(t, func(conn *net.TCPConn, _ int) bool {
				_, _ = io.WriteString(conn, head)
				_, _ = conn.Read(make([]byte, 1)) // until the caller leaves
				return false
			})
			c := newCaller(t, soke.Options{BaseURL: url, Timeout: 100 * time.Millisecond})
			_, err := c.Session(credential(t)).Do(t.Context(), post("research/keywords"))
			e := failure(t, err)
			if e.Code != soke.UpstreamTimeout || e.NotSent || !errors.Is(e, context.DeadlineExceeded) {
				t.Errorf("got %+v", e)
			}
			if head != "" && e.RequestID != "late-1" {
				t.Errorf("request id %q is not the head's", e.RequestID)
			}
			if n := arrived.Load(); n != 1 {
				t.Errorf("%d requests arrived, want 1", n)
			}
		})
	}
}

func TestACallerWhoLeavesGetsTheirOwnCancellation(t *testing.T) {
	ctx, leave := context.WithCancelCause(t.Context())
	url, arrived := wire(t, func(conn *net.TCPConn, _ int) bool {
		leave(errors.New("the caller's own reason"))
		_, _ = conn.Read(make([]byte, 1))
		return false
	})
	c := newCaller(t, soke.Options{BaseURL: url})
	_, err := c.Session(credential(t)).Do(ctx, post("research/keywords"))
	if e := failure(t, err); !errors.Is(e, context.Canceled) || e.NotSent {
		t.Errorf("got %+v", e)
	}
	if n := arrived.Load(); n != 1 {
		t.Errorf("%d requests arrived, want 1", n)
	}
}
