package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"soke-connector": main})
}

func TestTheCommandLineIsAsTheContractSays(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = taken.Close() })
			env.Setenv("TAKEN", taken.Addr().String())
			return nil
		},
	})
}

// running is the real binary at work.
type running struct {
	t       *testing.T
	command *exec.Cmd
	address string
	stdout  locked
	stderr  locked
}

// locked is what a process writes, to be read while it does.
type locked struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
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

// start starts the command and waits until it listens.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{t: t, command: exec.Command(binary(t), args...)}
	r.command.Stdout, r.command.Stderr = &r.stdout, &r.stderr
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.command.Process.Kill() })
	deadline := time.Now().Add(20 * time.Second)
	for r.address == "" {
		for lines := bufio.NewScanner(strings.NewReader(r.log())); lines.Scan(); {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
				r.address = line.Address
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen:\n%s", r.log())
		}
		time.Sleep(10 * time.Millisecond) // a process can only be waited for
	}
	return r
}

// stop asks the command to end and returns its exit code.
func (r *running) stop() int {
	r.t.Helper()
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	_ = r.command.Wait() // the exit code says it
	return r.command.ProcessState.ExitCode()
}

// post calls the running service as a platform.
func (r *running) post(path, key, body string) (int, []byte) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+r.address+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Soke-Key", key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, b
}

func TestSIGTERMIsACleanStop(t *testing.T) {
	database := filepath.Join(t.TempDir(), "a.db")
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "", "--database", database)
	if status, body := r.post("/v1/make/triggers/new-keyword/poll", "sk_live_sandbox_active", `{"topic":"x","schedule":"@every 1s"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if code := r.stop(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, r.log())
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if info, err := os.Stat(database + suffix); err == nil && info.Size() > 0 {
			t.Errorf("%s was left with %d bytes", suffix, info.Size())
		}
	}
	again := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "", "--database", database)
	if status, body := again.post("/v1/make/triggers/new-keyword/poll", "sk_live_sandbox_active", `{"topic":"x","schedule":"@every 1s"}`); status != http.StatusOK || !bytes.Contains(body, []byte(`"baseline":true`)) {
		t.Errorf("after a restart: %d %s", status, body)
	}
	again.stop()
}

func TestASecondServeOnTheSameDatabaseIsRefused(t *testing.T) {
	database := filepath.Join(t.TempDir(), "a.db")
	first := start(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "", "--database", database)
	var stderr bytes.Buffer
	second := exec.Command(binary(t), "serve", "--listen", "127.0.0.1:0", "--admin-listen", "", "--database", database)
	second.Stderr = &stderr
	_ = second.Run() // the exit code says it
	if code := second.ProcessState.ExitCode(); code != exitFailure || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "another soke-connector is using this database") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	if code := first.stop(); code != exitOK {
		t.Errorf("the first one ended with %d", code)
	}
}

func TestTheSandboxPrintsCommandsThatWork(t *testing.T) {
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "")
	banner := r.stdout.String()
	if strings.Contains(banner, "\x1b") {
		t.Error("colours where there is no terminal")
	}
	found := 0
	for _, line := range strings.Split(banner, "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		found++
		out, err := exec.Command("sh", "-c", line).Output()
		if err != nil || !json.Valid(out) {
			t.Errorf("%s\n%v %s", line, err, out)
		}
	}
	if found == 0 {
		t.Errorf("no command in:\n%s", banner)
	}
	r.stop()
}

func TestTheOperatorsCommandsTalkToTheRunningConnector(t *testing.T) {
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := probe.Addr().String()
	_ = probe.Close()
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", admin)
	if status, body := r.post("/v1/zapier/triggers/new-keyword/poll", "sk_live_sandbox_active", `{"topic":"home espresso"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	operator := func(args ...string) (string, int) {
		command := exec.Command(binary(t), append(args, "--admin", "http://"+admin)...)
		out, _ := command.CombinedOutput() // the exit code says it
		return string(out), command.ProcessState.ExitCode()
	}
	list, code := operator("watches")
	if code != exitOK || !strings.Contains(list, "home espresso") || strings.Contains(list, "sk_live") {
		t.Fatalf("watches: %d %s", code, list)
	}
	watch := strings.Fields(strings.Split(list, "\n")[1])[0]
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"show":            {[]string{"watches", "show", "--watch", watch}, exitOK, "ran x1"},
		"explain":         {[]string{"watches", "explain", "--watch", watch, "--keyword", "Best HOME espresso"}, exitOK, "in the baseline"},
		"explain unknown": {[]string{"watches", "explain", "--watch", watch, "--keyword", "nothing like it"}, exitOK, "never been in a result"},
		"no such watch":   {[]string{"watches", "show", "--watch", "wch_none"}, exitFailure, "no such watch"},
		"no subscription": {[]string{"deliveries", "replay", "--subscription", "sub_none"}, exitFailure, "no such subscription"},
		"rotate":          {[]string{"master-key", "rotate"}, exitOK, "new master key"},
	} {
		if out, code := operator(c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
	if status, body := r.post("/v1/zapier/triggers/new-keyword/poll", "sk_live_sandbox_active", `{"topic":"home espresso"}`); status != http.StatusOK || !bytes.Contains(body, []byte("baseline")) {
		t.Errorf("after the rotation: %d %s", status, body)
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+admin+"/admin/master-key/rotate", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("a page in a browser could rotate the key: %d", answer.StatusCode)
	}
	r.stop()
}

func TestExportWritesEachPackageWholeOrNotAtAll(t *testing.T) {
	for _, platform := range []string{"zapier", "n8n", "make"} {
		out := filepath.Join(t.TempDir(), platform)
		var stdout, stderr bytes.Buffer
		export := func(more ...string) int {
			stderr.Reset()
			return run(context.Background(), append([]string{"export", platform, "--url", "https://connector.example.com", "--out", out}, more...), process{stdout: &stdout, stderr: &stderr})
		}
		if code := export(); code != exitOK {
			t.Fatalf("%s: %d %s", platform, code, stderr.String())
		}
		if _, err := os.Stat(filepath.Join(out, "README.md")); err != nil {
			t.Error(err)
		}
		if code := export(); code != exitUsage || !strings.Contains(stderr.String(), "--force") {
			t.Errorf("%s into a full directory: %d %s", platform, code, stderr.String())
		}
		stray := filepath.Join(out, "stray")
		if err := os.WriteFile(stray, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if code := export("--force"); code != exitOK {
			t.Errorf("%s with --force: %d %s", platform, code, stderr.String())
		}
		if _, err := os.Stat(stray); err == nil {
			t.Errorf("%s: --force did not replace", platform)
		}
		entries, err := os.ReadDir(filepath.Dir(out))
		if err != nil || len(entries) != 1 {
			t.Errorf("%s left %v beside the package", platform, fmt.Sprint(entries))
		}
	}
}
