package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running is the real binary at work.
type running struct {
	t              *testing.T
	command        *exec.Cmd
	address        string
	stdout, stderr *output
}

func (r *running) log() string { return r.stderr.String() }

// binary is the test binary under the command's name: testscript runs main in it.
func binary(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "soke-connector")
	if err := os.Symlink(self, name); err != nil {
		t.Fatal(err)
	}
	return name
}

// start starts serve and waits until it listens.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	r := launch(t, nil, args...)
	r.listening()
	return r
}

// hurried is GORACE for the binary under test: under -race a process waits a second before it ends.
const hurried = "atexit_sleep_ms=0"

// launch starts a command with a few more environment variables.
func launch(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, command: exec.Command(binary(t), args...), stdout: newOutput(), stderr: newOutput()}
	r.command.Stdout, r.command.Stderr = r.stdout, r.stderr
	r.command.Env = append(append(os.Environ(), "GORACE="+hurried), env...)
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.command.Process.Kill() // most have ended by now
		_ = r.command.Wait()
	})
	return r
}

// listening waits until serve listens.
func (r *running) listening() {
	r.t.Helper()
	var line struct{ Address string }
	if err := json.Unmarshal([]byte(r.stderr.line(r.t, `"msg":"listening"`)), &line); err != nil {
		r.t.Fatal(err)
	}
	r.address = line.Address
}

// admin is where the sandbox says that its metrics are.
func (r *running) admin() string {
	r.t.Helper()
	_, url, _ := strings.Cut(r.stdout.line(r.t, "/metrics"), "http://")
	return "http://" + strings.TrimSuffix(url, "/metrics")
}

// stop asks the command to end and returns its exit code.
func (r *running) stop() int {
	r.t.Helper()
	r.signal(syscall.SIGTERM)
	return r.exit()
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.command.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (r *running) exit() int {
	_ = r.command.Wait() // the exit code says it
	return r.command.ProcessState.ExitCode()
}

// waitUntil waits for another process. The test fails, and goes on, if that takes more than patience.
func waitUntil(t *testing.T, patience time.Duration, done func() bool, why func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error(why())
			return
		}
	}
}

// post calls the running service as a platform.
func (r *running) post(path, key, body string) (int, []byte) {
	r.t.Helper()
	status, answer, err := ask(http.MethodPost, "http://"+r.address+path, body, "X-Soke-Key", key, "Content-Type", "application/json")
	if err != nil {
		r.t.Fatal(err)
	}
	return status, answer
}

// ask makes a request; head is pairs of header names and values.
func ask(method, url, body string, head ...string) (int, []byte, error) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for i := 0; i < len(head); i += 2 {
		request.Header.Set(head[i], head[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, b, err
}
