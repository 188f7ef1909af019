package soke_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

func limited(details string) string {
	return `{"success":false,"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Slow down.","details":` + details + `}}`
}

func TestARateLimitIsWaitedForOnlyWhenTheWaitIsKnownAndShort(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		wait   time.Duration
		again  bool
	}{
		"number":            {says(429, limited(`{"retryAfter":2}`)), 2 * time.Second, true},
		"text":              {says(429, limited(`{"retryAfter":" 2.5 "}`)), 2500 * time.Millisecond, true},
		"details win":       {says(429, limited(`{"retryAfter":2}`), "Retry-After", "7"), 2 * time.Second, true},
		"header":            {says(429, limited(`{}`), "Retry-After", "7"), 7 * time.Second, true},
		"date":              {says(429, limited(`null`), "Retry-After", at.Add(9*time.Second).Format(http.TimeFormat)), 9 * time.Second, true},
		"status 200":        {says(200, limited(`{"retryAfter":1}`)), time.Second, true},
		"ten seconds":       {says(429, limited(`{"retryAfter":10}`)), 10 * time.Second, true},
		"longer":            {says(429, limited(`{"retryAfter":10.1}`)), 10100 * time.Millisecond, false},
		"a week":            {says(429, limited(`{"retryAfter":604800}`)), 24 * time.Hour, false},
		"beyond any number": {says(429, limited(`{"retryAfter":1e300}`)), 24 * time.Hour, false},
		"header beyond any": {says(429, limited(`{}`), "Retry-After", "99999999999999999999999999"), 24 * time.Hour, false},
		"unknown":           {says(429, limited(`{}`)), 0, false},
		"zero":              {says(429, limited(`{"retryAfter":0}`)), 0, false},
		"negative":          {says(429, limited(`{"retryAfter":-3}`)), 0, false},
		"not a number":      {says(429, limited(`{"retryAfter":"NaN"}`)), 0, false},
		"past date":         {says(429, limited(`{}`), "Retry-After", at.Add(-time.Hour).Format(http.TimeFormat)), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			url, arrived := serve(t, c.answer)
			caller := newCaller(t, soke.Options{BaseURL: url, Now: func() time.Time { return at }})
			_, err := caller.Session(credential(t)).Do(t.Context(), post("research/keywords"))
			if e := failure(t, err); e.Code != soke.RateLimitExceeded || e.RetryAfter != c.wait {
				t.Errorf("got %+v, want a wait of %v", e, c.wait)
			}
			want := int64(1)
			if c.again {
				want = 3
			}
			if n := arrived.Load(); n != want {
				t.Errorf("%d requests arrived, want %d", n, want)
			}
			_, waits := caller.seen()
			for _, w := range waits {
				if w < c.wait || w > c.wait+200*time.Millisecond {
					t.Errorf("waited %v, want a little over %v", w, c.wait)
				}
			}
		})
	}
}

func TestARateLimitThatEndsIsASuccess(t *testing.T) {
	var nth atomic.Int64
	url, arrived := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if nth.Add(1) < 3 {
			says(429, limited(`{"retryAfter":1}`))(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		says(200, `{"success":true,"data":`+string(body)+`}`)(w, r)
	})
	answer, err := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t)).Do(t.Context(), post("x"))
	if err != nil || string(answer.Data()) != `{"topic":"tea"}` || arrived.Load() != 3 {
		t.Errorf("got %+v, %v after %d requests", answer, err, arrived.Load())
	}
}

func TestAWaitThatDoesNotFitTheTimeIsNotBegun(t *testing.T) {
	url, arrived := serve(t, says(429, limited(`{"retryAfter":9}`)))
	for name, do := range map[string]func() (*caller, error){
		"the caller's": func() (*caller, error) {
			c := newCaller(t, soke.Options{BaseURL: url})
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			defer cancel()
			_, err := c.Session(credential(t)).Do(ctx, get("x"))
			return c, err
		},
		"the call's": func() (*caller, error) {
			c := newCaller(t, soke.Options{BaseURL: url, Timeout: 8 * time.Second})
			_, err := c.Session(credential(t)).Do(t.Context(), get("x"))
			return c, err
		},
		"the head of a stream's": func() (*caller, error) {
			c := newCaller(t, soke.Options{BaseURL: url, Timeout: 8 * time.Second})
			_, err := c.Session(credential(t)).Stream(t.Context(), post("x"))
			return c, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			arrived.Store(0)
			c, err := do()
			if e := failure(t, err); e.Code != soke.RateLimitExceeded {
				t.Errorf("got %+v", e)
			}
			if _, waits := c.seen(); len(waits) != 0 || arrived.Load() != 1 {
				t.Errorf("%d waits and %d requests, want none and 1", len(waits), arrived.Load())
			}
		})
	}
}

func TestACallerWhoLeavesDuringAWaitIsNotServedAgain(t *testing.T) {
	url, arrived := serve(t, says(429, limited(`{"retryAfter":5}`)))
	ctx, leave := context.WithCancel(t.Context())
	c := newCaller(t, soke.Options{BaseURL: url, Sleep: func(ctx context.Context, _ time.Duration) error {
		leave()
		<-ctx.Done()
		return ctx.Err()
	}})
	_, err := c.Session(credential(t)).Do(ctx, post("x"))
	if !errors.Is(failure(t, err), context.Canceled) || arrived.Load() != 1 {
		t.Errorf("got %v after %d requests", err, arrived.Load())
	}
}

func TestWhatSokeRefusesForAnyOtherReasonIsNotRepeated(t *testing.T) {
	for _, c := range []struct {
		status int
		code   soke.Code
	}{
		{400, soke.BadRequest}, {401, soke.Unauthorized}, {402, soke.InsufficientCredits},
		{403, soke.SubscriptionRequired}, {404, soke.NotFound}, {500, soke.InternalError},
		{501, soke.PlatformNotImplemented}, {503, "MAINTENANCE"}, {200, soke.InternalError},
	} {
		t.Run(fmt.Sprintf("%s %d", c.code, c.status), func(t *testing.T) {
			body := fmt.Sprintf(`{"success":false,"error":{"code":%q,"details":{"retryAfter":1}}}`, c.code)
			url, arrived := serve(t, says(c.status, body, "Retry-After", "1"))
			_, err := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t)).Do(t.Context(), get("trends/scan"))
			e := failure(t, err)
			status := c.status
			if status < 400 {
				status = 0
			}
			if e.Code != c.code || e.Status != status || e.NotSent || arrived.Load() != 1 {
				t.Errorf("got %+v after %d requests", e, arrived.Load())
			}
		})
	}
}

// net/http repeats a GET by itself when a reused connection breaks, and GET trends/scan costs
// credits.
func TestARequestOnAReusedConnectionThatBreaksArrivesOnce(t *testing.T) {
	body := []byte(`{}`)
	for name, call := range map[string]soke.Call{
		"GET":             get("trends/scan"),
		"GET with a body": {Method: http.MethodGet, Path: "trends/scan", Body: body},
		"HEAD":            {Method: http.MethodHead, Path: "trends/scan"},
		"OPTIONS":         {Method: http.MethodOptions, Path: "trends/scan", Body: body},
		"DELETE":          {Method: http.MethodDelete, Path: "x"},
		"POST":            post("research/keywords"),
		"POST empty":      {Method: http.MethodPost, Path: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			url, arrived := wire(t, func(conn *net.TCPConn, nth int) bool {
				if nth == 1 {
					_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(success), success)
				}
				return nth == 1
			})
			session := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t))
			if _, err := session.Do(t.Context(), post("warm")); err != nil {
				t.Fatal(err)
			}
			_, err := session.Do(t.Context(), call)
			if e := failure(t, err); e.Code != soke.UpstreamUnavailable || e.NotSent {
				t.Errorf("got %+v", e)
			}
			if n := arrived.Load(); n != 2 {
				t.Errorf("%d requests arrived, want the first and this one", n)
			}
		})
	}
}

func TestHTTP2IsSpokenWithHTTPSAndAnAbortedStreamArrivesOnce(t *testing.T) {
	var arrived, aborted atomic.Int64
	server := quietTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("spoken %s", r.Proto)
		}
		if arrived.Add(1) > 1 {
			aborted.Add(1)
			panic(http.ErrAbortHandler)
		}
		says(200, success)(w, r)
	}), true)
	tls := server.Client().Transport.(*http.Transport).TLSClientConfig
	session := newCaller(t, soke.Options{BaseURL: server.URL, TLS: tls}).Session(credential(t))
	if _, err := session.Do(t.Context(), get("x")); err != nil {
		t.Fatal(err)
	}
	_, err := session.Do(t.Context(), get("trends/scan"))
	if e := failure(t, err); e.Code != soke.UpstreamUnavailable || e.NotSent || aborted.Load() != 1 {
		t.Errorf("got %+v after %d requests", e, aborted.Load())
	}
}

func TestABodilessRequestHasNoBodyOnTheWire(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 || len(r.TransferEncoding) != 0 || r.Header.Get("Content-Type") != "" {
			t.Errorf("%s came with length %d, encoding %v, type %q", r.Method, r.ContentLength, r.TransferEncoding, r.Header.Get("Content-Type"))
		}
		says(200, success)(w, r)
	})
	session := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t))
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPost, http.MethodPut} {
		if _, err := session.Do(t.Context(), soke.Call{Method: method, Path: "x"}); err != nil {
			t.Error(method, err)
		}
	}
}
