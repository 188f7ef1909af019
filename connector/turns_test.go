package connector_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// hanging is a receiver that takes requests and answers none before the end of the test; each one that begins is told.
func hanging(t *testing.T) (in *httptest.Server, begun chan string) {
	t.Helper()
	begun = make(chan string, 1000)
	over := make(chan struct{})
	in = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- r.URL.Path
		<-over
	}))
	t.Cleanup(func() {
		close(over) // before the engine is drained
		in.Close()
	})
	return in, begun
}

// soon waits for something that happens at once.
func soon[T any](t *testing.T, what string, happens <-chan T) {
	t.Helper()
	select {
	case <-happens:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not happen", what)
	}
}

func TestReceiversOfOneKeyThatHangLeaveWorkersToTheOthers(t *testing.T) {
	names := &addresses{known: map[string]string{}}
	w := startWatching(t, func(s *setup) { s.guard.Resolver = names.resolver() })
	in, begun := hanging(t)
	for i := range 80 {
		host := fmt.Sprint("silent", i%10, suffix)
		names.set(host, "127.0.0.1")
		w.subscribe("n8n", "research-completed", espresso, fmt.Sprint(strings.Replace(in.URL, "127.0.0.1", host, 1), "/", i))
	}
	other := make(chan string, 10)
	good := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { other <- r.URL.Path }))
	t.Cleanup(good.Close)
	w.subscribe("n8n", "research-completed", espresso, good.URL, "X-Soke-Key", "sk_live_somebody_else")
	w.research(0)
	w.research(time.Hour)
	if _, err := w.outbox.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	soon(t, "the other key's delivery", other)
	for range 8 {
		soon(t, "a delivery to a silent receiver", begun)
	}
	if n := len(begun); n != 0 {
		t.Errorf("one key has %d of the workers, want 8", 8+n)
	}
}
