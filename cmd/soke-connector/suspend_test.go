package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestASuspendedProcessLosesAndRepeatsNothingWhenItWakes(t *testing.T) {
	var mu sync.Mutex
	events, deliveries := map[string]int{}, map[string]bool{}
	in := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var said []struct{ ID string }
		var one struct {
			Events []struct{ ID string }
		}
		body := json.NewDecoder(r.Body)
		var raw json.RawMessage
		_ = body.Decode(&raw)
		if json.Unmarshal(raw, &said) != nil && json.Unmarshal(raw, &one) == nil {
			said = one.Events
		}
		mu.Lock()
		defer mu.Unlock()
		if id := r.Header.Get("Webhook-Id"); !deliveries[id] {
			deliveries[id] = true
			for _, e := range said {
				events[e.ID]++
			}
		}
	}))
	t.Cleanup(in.Close)
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	status, body := r.post("/v1/make/triggers/new-keyword/subscriptions", anyKey, `{"topic":"home espresso","schedule":"@every 1s","targetUrl":"`+in.URL+`"}`)
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	var made struct{ WatchID string }
	if err := json.Unmarshal(body, &made); err != nil {
		t.Fatal(err)
	}
	came := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(deliveries)
	}
	reached := func(n int) {
		t.Helper()
		waitUntil(t, 30*time.Second, func() bool { return came() >= n }, func() string {
			return fmt.Sprintf("%d deliveries came, want %d\n%s", came(), n, r.log())
		})
	}
	reached(1)
	t.Cleanup(func() { _ = r.command.Process.Signal(syscall.SIGCONT) })
	r.signal(syscall.SIGSTOP)
	<-time.After(4 * time.Second) // several runs are missed
	r.signal(syscall.SIGCONT)
	reached(came() + 2)
	if status, _, err := ask(http.MethodGet, "http://"+r.address+"/readyz", ""); err != nil || status != http.StatusOK {
		t.Errorf("awake again, it is not ready: %d %v", status, err)
	}
	o := launch(t, []string{"SOKE_ADMIN=" + r.admin()}, "watches", "show", "--watch", made.WatchID, "--occurrences", "200")
	if code := o.exit(); code != exitOK || !strings.Contains(o.stdout.String(), "coalesced") {
		t.Errorf("what was missed is not on record: %d %s", code, o.stdout.String())
	}
	r.stop()
	mu.Lock()
	defer mu.Unlock()
	if len(events) == 0 {
		t.Error("no delivery had an event")
	}
	for id, n := range events {
		if n != 1 {
			t.Errorf("the event %s was told %d times", id, n)
		}
	}
}
