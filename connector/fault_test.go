package connector_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/sandbox/fault"
)

var update = flag.Bool("update", false, "write the goldens anew")

// saidOf is what each fault must look like to the caller, where it is not UPSTREAM_UNAVAILABLE
// with 502. Faults that are harmless are answered with 200; slow ones with UPSTREAM_TIMEOUT.
var saidOf = map[string]struct {
	code   string
	status int
}{
	"other-protocol":    {"UPSTREAM_UNAVAILABLE", 502},
	"tls-silent":        {"UPSTREAM_UNAVAILABLE", 502}, // nothing was sent, so nothing was too slow
	"success-false-200": {"BAD_REQUEST", 400},
	"no-request-id":     {"BAD_REQUEST", 400},
	"echoed-key":        {"BAD_REQUEST", 400},
	"unknown-code-4xx":  {"CHANNEL_LOCKED", 422},
	"unknown-code-5xx":  {"VAULT_FULL", 507},
}

// expected is the code and status of a fault.
func expected(f fault.Fault) (code string, status int) {
	said, ok := saidOf[f.Name]
	switch {
	case ok:
		return said.code, said.status
	case f.Harmless:
		return "", http.StatusOK
	case f.Slow:
		return "UPSTREAM_TIMEOUT", http.StatusGatewayTimeout
	}
	return "UPSTREAM_UNAVAILABLE", http.StatusBadGateway
}

// faultCall is a call that every fault is tried on.
type faultCall struct {
	name, method, path, body string
	stream                   bool
	check                    bool // says failures in a 200
}

// platformCalls stand below a platform's root.
var platformCalls = []faultCall{
	{name: "research-keywords", method: "POST", path: "/actions/research-keywords", body: `{"topic":"home espresso","maxResults":2}`},
	{name: "chat-completion", method: "POST", path: "/actions/chat-completion", body: `{"prompt":"Ideas?"}`},
	{name: "connection", method: "GET", path: "/connection"},
	{name: "check", method: "GET", path: "/connection/check", check: true},
	{name: "raw", method: "GET", path: "/soke/trends/scan"},
	{name: "raw-stream", method: "POST", path: "/soke/chat/completions", body: `{"stream":true,"messages":[{"role":"user","content":"Ideas?"}]}`, stream: true},
}

var openAICalls = []faultCall{
	{name: "openai", method: "POST", path: "/openai/v1/chat/completions", body: `{"messages":[{"role":"user","content":"Ideas?"}]}`},
	{name: "openai-stream", method: "POST", path: "/openai/v1/chat/completions", body: `{"stream":true,"messages":[{"role":"user","content":"Ideas?"}]}`, stream: true},
}

func TestEveryFaultOnEveryCallIsSaidInTheWordsOfWhoeverCalled(t *testing.T) {
	var cases atomic.Int64
	onEveryFault(t, func(t *testing.T, f fault.Fault) {
		b := breakSoke(t, f)
		var all sync.WaitGroup
		try := func(c faultCall, name platform.Name) {
			all.Go(func() { b.try(t, c, name); cases.Add(1) })
		}
		for _, c := range openAICalls {
			try(c, "openai")
		}
		for _, p := range platforms() {
			for _, c := range platformCalls {
				c.path = "/v1/" + string(p.Name()) + c.path
				try(c, p.Name())
			}
		}
		all.Wait()
	})
	t.Logf("%d faults, %d cases", len(fault.All()), cases.Load())
	if want := int64(len(fault.All()) * (3*len(platformCalls) + len(openAICalls))); cases.Load() != want {
		t.Errorf("%d cases, want %d", cases.Load(), want)
	}
}

// onEveryFault tries every fault, all at a time, where no name resolves. Afterwards neither goroutines
// nor memory may be left.
func onEveryFault(t *testing.T, try func(*testing.T, fault.Fault)) {
	t.Helper()
	before, used := goleak.IgnoreCurrent(), heap()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	resolver := net.DefaultResolver
	net.DefaultResolver = fault.NoNames()
	t.Cleanup(func() { net.DefaultResolver = resolver })
	t.Run("matrix", func(t *testing.T) {
		for _, f := range fault.All() {
			t.Run(f.Name, func(t *testing.T) {
				t.Parallel()
				try(t, f)
			})
		}
	})
	heapIsFreed(t, used)
}

// brokenSoke is a connector before a Soke that one fault keeps it from.
type brokenSoke struct {
	*service
	fault fault.Fault
	proxy *fault.Proxy
}

func breakSoke(t *testing.T, f fault.Fault) *brokenSoke {
	t.Helper()
	box := sandbox.New(sandbox.Options{})
	b := &brokenSoke{fault: f, proxy: fault.New(box, fault.ByKey)}
	// Short where only patience ends the call, long where a slow machine must not.
	patience := time.Minute
	if f.Slow {
		patience = 2 * time.Second
	}
	options := []option{withUpstream(b.proxy), withTimeout(patience)}
	if f.Early {
		place := f.Place()
		t.Cleanup(place.Close)
		options = append(options, withAddress(place.URL))
	}
	b.service = start(t, options...)
	documentOf(t, b.service)
	b.client.Timeout = 2 * time.Minute // a connector without patience fails the test, not the run
	return b
}

// try makes one call and judges its answer.
func (b *brokenSoke) try(t *testing.T, c faultCall, name platform.Name) {
	t.Helper()
	key := b.fault.Key() + "_" + string(name) + "_" + c.name
	a := b.call(c.method, c.path, c.body, "X-Soke-Key", key, "X-Request-Id", "case-1")
	j := judge{T: t, about: c.name + " on " + string(name), fault: b.fault, name: name, call: c, answer: a}
	j.code, j.status = expected(b.fault)
	if b.fault.Name == "wrong-content-type" && c.stream {
		j.code, j.status = "UPSTREAM_UNAVAILABLE", http.StatusBadGateway // a page is no stream
	}
	j.judge()
	// A call that may have been charged is never repeated.
	want := 1
	if b.fault.Early {
		want = 0
	}
	if n := b.proxy.Arrived(key); n != want {
		t.Errorf("%s: %d requests arrived, want %d", j.about, n, want)
	}
	for place, text := range map[string]string{"the answer": string(a.body), "a header": headerText(a.header), "the log": b.logs.String()} {
		if strings.Contains(text, key) {
			t.Errorf("%s: the key is in %s", j.about, place)
		}
	}
	if c.name == "research-keywords" {
		golden(t, filepath.Join("../testdata/faults", b.fault.Name+"."+string(name)+".json"), a.body)
	}
}

func headerText(h http.Header) string {
	var b bytes.Buffer
	_ = h.Write(&b)
	return b.String()
}

var uuidForm = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// golden holds an answer to the one that is kept, but for the ids that are drawn.
func golden(t *testing.T, path string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, uuidForm.ReplaceAll(body, []byte("(drawn)")), "", "  "); err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	got := strings.TrimSpace(b.String()) + "\n"
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(path); err != nil || string(kept) != got {
		t.Errorf("%s differs from what users read now (%v):\n%s", path, err, got)
	}
}

func TestTheGoldensOfFaultsAreThoseOfTheTable(t *testing.T) {
	kept, err := filepath.Glob("../testdata/faults/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range fault.All() {
		for _, p := range platforms() {
			want = append(want, "../testdata/faults/"+f.Name+"."+string(p.Name())+".json")
		}
	}
	slices.Sort(want)
	slices.Sort(kept)
	if !slices.Equal(kept, want) {
		t.Errorf("the goldens are\n%s\nwant\n%s", strings.Join(kept, "\n"), strings.Join(want, "\n"))
	}
}
