package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// soak is for how long the soak test goes on; CI gives it two minutes, a release thirty.
var soak = flag.Duration("soak", 5*time.Second, "how long the soak test takes")

// chaos are keys of the sandbox, most of which do not work, and what each may be answered.
var chaos = map[string][]int{
	"sk_live_sandbox_active": {200}, "sk_live_sandbox_soak_1": {200}, "sk_live_sandbox_soak_2": {200}, "sk_live_sandbox_soak_3": {200},
	"sk_live_sandbox_expired": {402, 403}, "sk_live_sandbox_revoked": {401, 403}, "sk_live_sandbox_broken": {500, 502, 503}, "sk_live_sandbox_garbled": {500, 502, 503},
}

func TestMemoryAndFilesStayFlatUnderMixedLoadWithChaos(t *testing.T) {
	var posts atomic.Int64
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch posts.Add(1); rand.IntN(10) {
		case 0:
			w.WriteHeader(http.StatusInternalServerError)
		case 1:
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(in.Close)
	database := filepath.Join(t.TempDir(), "soak.db")
	keep := max(*soak/8, 2*time.Second).String()
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--database", database,
		"--keep-events", keep, "--keep-runs", keep, "--keep-attempts", keep)
	unexpected := make(chan string, 100)
	expect := func(what string, status int, body []byte, err error, allowed ...int) {
		for _, a := range allowed {
			if err == nil && a == status {
				return
			}
		}
		select {
		case unexpected <- fmt.Sprintf("%s: %d %.300s %v", what, status, body, err):
		default:
		}
	}
	over := time.Now().Add(*soak)
	var calls atomic.Int64
	var all sync.WaitGroup
	for key, allowed := range chaos {
		if allowed[0] == http.StatusOK {
			for i := range 5 {
				status, body := r.post("/v1/make/triggers/new-keyword/subscriptions", key, fmt.Sprintf(`{"topic":"soak %d","schedule":"@every 1s","targetUrl":"%s/%s/%d"}`, i, in.URL, key, i))
				expect("subscribe", status, body, nil, http.StatusCreated)
			}
		}
		all.Go(func() {
			for n := 0; time.Now().Before(over); n++ {
				calls.Add(1)
				platform := []string{"zapier", "n8n", "make"}[n%3]
				status, body, err := ask(http.MethodPost, "http://"+r.address+"/v1/"+platform+"/actions/research-keywords", fmt.Sprintf(`{"topic":"topic %d"}`, n%20), "X-Soke-Key", key, "Content-Type", "application/json")
				expect(key, status, body, err, append(allowed, http.StatusTooManyRequests, http.StatusPaymentRequired)...)
				if allowed[0] == http.StatusOK {
					status, body, err = ask(http.MethodPost, "http://"+r.address+"/v1/"+platform+"/triggers/new-keyword/poll", fmt.Sprintf(`{"topic":"soak %d","schedule":"@every 1s"}`, n%5), "X-Soke-Key", key, "Content-Type", "application/json")
					expect("poll", status, body, err, http.StatusOK, http.StatusTooManyRequests)
				}
				<-time.After(5 * time.Millisecond)
			}
		})
	}
	<-time.After(*soak / 2)
	memory, size := r.memory(), sizeOf(t, database)
	all.Wait()
	grown, bigger, written := r.memory()-memory, sizeOf(t, database)-size, sizeOf(t, database+"-wal")
	t.Logf("%d calls and %d webhooks in %s: in the second half memory grew by %.1f of %.1f MiB, the database by %.1f of %.1f MiB; its log is %.1f MiB",
		calls.Load(), posts.Load(), *soak, mib(grown), mib(memory), mib(bigger), mib(size), mib(written))
	// Watches go on learning keywords, which the sandbox invents by the second.
	if *soak >= 2*time.Minute && (grown > memory/4+8<<20 || bigger > size/4+4<<20) {
		t.Error("memory or the database grows")
	}
	if written > logBound {
		t.Error("the database's log is not folded in")
	}
	if posts.Load() == 0 {
		t.Error("no webhook came")
	}
	close(unexpected)
	for what := range unexpected {
		t.Error(what)
	}
	if code := r.stop(); code != exitOK {
		t.Errorf("it ended with %d\n%s", code, r.log())
	}
}

// logBound is more than the log of a database may grow to before it is folded in.
const logBound = 16 << 20

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// sizeOf is the size of a file, 0 if there is none.
func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
