package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){"soke-connector": main})
}

// leakless fails a run of tests that leaves goroutines behind.
type leakless struct{ *testing.M }

func (m leakless) Run() int {
	code := m.M.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// output is what a process writes, to be waited for.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{} // closed by the next write
}

func newOutput() *output { return &output{grown: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.grown)
	o.grown = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// line waits for a whole line that holds a text.
func (o *output) line(t *testing.T, holds string) string {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		o.mu.Lock()
		text, grown := o.text.String(), o.grown
		o.mu.Unlock()
		for line := range strings.Lines(text) {
			if strings.Contains(line, holds) && strings.HasSuffix(line, "\n") {
				return strings.TrimSpace(line)
			}
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("no line with %s in:\n%s", holds, text)
		}
	}
}

func TestServeLeavesNothingBehindWhenItsContextEnds(t *testing.T) {
	upstream := httptest.NewServer(sandbox.New(sandbox.Options{}))
	defer upstream.Close()
	for name, args := range map[string][]string{
		"with the sandbox": {"--sandbox", "--admin-listen", "127.0.0.1:0"},
		"with Soke":        {"--upstream-url", upstream.URL, "--admin-listen", "", "--database", filepath.Join(t.TempDir(), "a.db")},
	} {
		temporary := t.TempDir()
		t.Setenv("TMPDIR", temporary)
		before := goleak.IgnoreCurrent()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		stdout, stderr, code := newOutput(), newOutput(), make(chan int)
		go func() {
			code <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), process{stdout: stdout, stderr: stderr})
		}()
		r := &running{t: t, stderr: stderr}
		r.listening()
		if status, body := r.post(poll, anyKey, `{"topic":"x"}`); status != http.StatusOK {
			t.Errorf("%s: %d %s", name, status, body)
		}
		made, err := filepath.Glob(filepath.Join(temporary, "*", defaultDatabase))
		if err != nil || (len(made) == 1) != (name == "with the sandbox") {
			t.Errorf("%s: temporary databases: %v %v", name, made, err)
		}
		stop()
		if got := <-code; got != exitOK {
			t.Errorf("%s: exit code %d:\n%s", name, got, stderr)
		}
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t, before)
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v %v", name, left, err)
		}
	}
}
