package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

var crashRounds = flag.Int("crash.rounds", 50, "how often the crash test kills the connector")

// inbox is a receiver of webhooks that remembers everything.
type inbox struct {
	mu     sync.Mutex
	bodies map[string]map[string]string // by path, event id → event
	clash  []string
}

func (in *inbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var delivery struct {
		Events []json.RawMessage `json:"events"`
	}
	_ = json.Unmarshal(raw, &delivery)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.bodies[r.URL.Path] == nil {
		in.bodies[r.URL.Path] = map[string]string{}
	}
	for _, event := range delivery.Events {
		id := eventID(event)
		if before, known := in.bodies[r.URL.Path][id]; known && before != string(event) {
			in.clash = append(in.clash, id)
		}
		in.bodies[r.URL.Path][id] = string(event)
	}
}

func eventID(event json.RawMessage) string {
	var e struct{ ID string }
	_ = json.Unmarshal(event, &e)
	return e.ID
}

// TestNoEventIsLostOrDoubledWhenTheConnectorIsKilled kills the real process at random moments of
// its runs and deliveries. Afterwards every event that polls show has been delivered, none is two
// events, and Soke was called no more than once for each run and each kill of each watch.
func TestNoEventIsLostOrDoubledWhenTheConnectorIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	box := sandbox.New(sandbox.Options{RequestsPerMinute: -1})
	soke := httptest.NewServer(box)
	defer soke.Close()
	received := &inbox{bodies: map[string]map[string]string{}}
	receiver := httptest.NewServer(received)
	defer receiver.Close()
	serve := []string{
		"serve", "--listen", "127.0.0.1:0", "--admin-listen", "", "--upstream-url", soke.URL, "--log-level", "info",
		"--allow-targets", "127.0.0.1", "--min-interval", "1s", "--database", filepath.Join(t.TempDir(), "crash.db"),
	}
	keys := []string{"sk_live_crash_0001", "sk_live_crash_0002", "sk_live_crash_0003"}
	feeds := []string{"new-keyword", "trend-change", "competition-drop", "research-completed"}
	const research = `"topic":"home espresso","schedule":"@every 1s","maxResults":8`

	r := start(t, serve...)
	for _, key := range keys {
		for _, feed := range feeds {
			body := fmt.Sprintf(`{%s,"targetUrl":"%s/%s/%s"}`, research, receiver.URL, key, feed)
			if status, answer := r.post("/v1/n8n/triggers/"+feed+"/subscriptions", key, body); status != http.StatusCreated {
				t.Fatalf("subscribing: %d %s", status, answer)
			}
		}
	}
	for range *crashRounds {
		time.Sleep(time.Duration(rand.IntN(900)) * time.Millisecond) //nolint:forbidigo // another process can only be waited for
		if err := r.command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = r.command.Wait()
		r = start(t, serve...)
	}
	time.Sleep(2 * time.Second) //nolint:forbidigo // another process can only be waited for
	if code := r.stop(); code != exitOK {
		t.Fatalf("the last stop: %d\n%s", code, r.log())
	}
	// Once more, with a schedule that is not due, so that what waits goes out and nothing is added.
	quiet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer quiet.Close()
	for i, arg := range serve {
		if arg == soke.URL {
			serve[i] = quiet.URL
		}
	}
	r = start(t, serve...)
	runs := 0
	for _, key := range keys {
		for _, feed := range feeds {
			events := pollAll(t, r, feed, key, research)
			path := "/" + key + "/" + feed
			waitUntil(t, 30*time.Second, func() bool { return missing(received, path, events) == "" }, func() string {
				return fmt.Sprintf("%s of %s was never delivered", missing(received, path, events), path)
			})
			if feed == "research-completed" {
				runs += len(events)
			}
			if feed == "new-keyword" {
				oncePerKeyword(t, events)
			}
			received.mu.Lock()
			for id := range received.bodies[path] {
				if _, known := events[id]; !known {
					t.Errorf("%s was delivered to %s and is not in the polls", id, path)
				}
			}
			received.mu.Unlock()
		}
	}
	r.stop()
	if len(received.clash) > 0 {
		t.Errorf("delivered with two contents: %v", received.clash)
	}
	calls, most := box.CallCount("research/keywords"), runs+len(keys)*(*crashRounds+1)
	if calls > most || runs < *crashRounds/2 {
		t.Errorf("%d calls for %d runs and %d kills of %d watches", calls, runs, *crashRounds, len(keys))
	}
	t.Logf("%d kills, %d runs, %d calls to Soke", *crashRounds, runs, calls)
}

// pollAll returns every event of a feed by its id.
func pollAll(t *testing.T, r *running, feed, key, research string) map[string]json.RawMessage {
	t.Helper()
	all := map[string]json.RawMessage{}
	ask := fmt.Sprintf(`{%s,"since":"2020-01-01T00:00:00Z"}`, research)
	for {
		status, body := r.post("/v1/make/triggers/"+feed+"/poll", key, ask)
		var page struct {
			Events  []json.RawMessage
			Cursor  string
			HasMore bool
		}
		if err := json.Unmarshal(body, &page); err != nil || status != http.StatusOK {
			t.Fatalf("polling %s: %d %s", feed, status, body)
		}
		for _, event := range page.Events {
			if _, twice := all[eventID(event)]; twice {
				t.Errorf("%s is twice in the polls", eventID(event))
			}
			all[eventID(event)] = event
		}
		if !page.HasMore {
			return all
		}
		ask = fmt.Sprintf(`{%s,"cursor":%q}`, research, page.Cursor)
	}
}

// missing names an event that should have been delivered and was not.
func missing(in *inbox, path string, events map[string]json.RawMessage) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	for id, event := range events {
		var e struct{ Baseline bool }
		_ = json.Unmarshal(event, &e)
		if _, arrived := in.bodies[path][id]; !arrived && !e.Baseline {
			return id
		}
	}
	return ""
}

func oncePerKeyword(t *testing.T, events map[string]json.RawMessage) {
	t.Helper()
	seen := map[string]string{}
	for id, event := range events {
		var e struct{ Keyword string }
		_ = json.Unmarshal(event, &e)
		if other, twice := seen[e.Keyword]; twice {
			t.Errorf("%s is new in %s and in %s", e.Keyword, id, other)
		}
		seen[e.Keyword] = id
	}
}
