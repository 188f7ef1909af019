package connector_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

// leaver is a request whose caller leaves on command.
func leaver(t *testing.T, url, body string, headers ...string) (leave func(), done <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Soke-Key", activeKey)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ended := make(chan error, 1)
	go func() {
		resp, err := client.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	return cancel, ended
}

func TestACallerWhoLeavesFreesTheCallToSoke(t *testing.T) {
	arrived, freed := make(chan struct{}), make(chan struct{})
	s := start(t, withUpstream(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
		freed <- struct{}{}
	})))
	for path, body := range map[string]string{
		"/v1/zapier/actions/research-keywords": `{"topic":"x"}`,
		"/v1/n8n/actions/chat-completion":      `{"prompt":"x"}`,
		"/v1/make/soke/content/score":          `{"content":"x"}`,
		"/v1/make/soke/chat/completions":       `{"stream":true}`,
		"/openai/v1/chat/completions":          `{"messages":[{"role":"user","content":"x"}]}`,
	} {
		leave, done := leaver(t, s.url+path, body)
		<-arrived
		leave()
		<-freed
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAPaidCallThatIsToBePaidOnceGoesOnWithoutItsCallerAndIsReplayed(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	arrived, release := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	s := start(t, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
			ended.Store(true)
		}
		box.ServeHTTP(w, r)
	})))
	returned := make(chan struct{}, 1)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.server.ServeHTTP(w, r)
		returned <- struct{}{}
	}))
	defer front.Close()

	const path, body = "/v1/make/actions/research-keywords", `{"topic":"home espresso"}`
	leave, done := leaver(t, front.URL+path, body, "Idempotency-Key", "run-1")
	<-arrived
	leave()
	<-returned // the connector knows that its caller is gone
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.server.Drain(over); !errors.Is(err, context.Canceled) {
		t.Errorf("draining did not wait for the running call: %v", err)
	}
	close(release)
	if err := s.server.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ended.Load() {
		t.Error("the paid call ended with its caller")
	}
	a := s.post(path, body, "Idempotency-Key", "run-1")
	if a.status != http.StatusOK || a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the next try got %d %s", a.status, a.body)
	}
	if calls, credits := box.CallCount("research/keywords"), box.Charged(activeKey); calls != 1 || credits != 2 {
		t.Errorf("%d calls and %d credits, want 1 and 2", calls, credits)
	}
	if log := s.logs.String(); !strings.Contains(log, `"status":499`) {
		t.Errorf("the log does not say that the caller left: %s", log)
	}
}
