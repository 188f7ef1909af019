package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

const (
	anyKey  = "sk_live_sandbox_active"
	poll    = "/v1/make/triggers/new-keyword/poll"
	polling = `{"topic":"x","schedule":"@every 1s"}`
)

func TestASignalIsACleanStopAndNothingIsForgotten(t *testing.T) {
	database := filepath.Join(t.TempDir(), "a.db")
	args := []string{"serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "", "--database", database}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		r := start(t, args...)
		status, body := r.post(poll, anyKey, polling)
		if status != http.StatusOK || !bytes.Contains(body, []byte(`"baseline":true`)) {
			t.Fatalf("%d %s", status, body)
		}
		r.signal(signal)
		if code := r.exit(); code != exitOK {
			t.Errorf("%s: exit code %d:\n%s", signal, code, r.log())
		}
		r.stderr.line(t, `"msg":"stopped"`)
		for _, suffix := range []string{"-wal", "-shm"} {
			if _, err := os.Stat(database + suffix); err == nil {
				t.Errorf("%s: %s was left", signal, suffix)
			}
		}
	}
}

// holding is a Soke that answers when it is let.
type holding struct {
	soke     http.Handler
	reached  chan struct{}
	released chan struct{}
}

func (h *holding) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.reached <- struct{}{}
	<-h.released
	h.soke.ServeHTTP(w, r)
}

// held starts serve with a call that Soke has not answered yet.
func held(t *testing.T, more ...string) (r *running, release func(), answer chan int) {
	t.Helper()
	soke := &holding{sandbox.New(sandbox.Options{}), make(chan struct{}), make(chan struct{})}
	upstream := httptest.NewServer(soke)
	t.Cleanup(upstream.Close)
	r = start(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "", "--upstream-url", upstream.URL, "--database", filepath.Join(t.TempDir(), "a.db")}, more...)...)
	answer = make(chan int, 1)
	go func() {
		status, _, err := ask(http.MethodPost, "http://"+r.address+"/v1/zapier/actions/research-keywords", `{"topic":"x"}`, "X-Soke-Key", anyKey, "Content-Type", "application/json", "Idempotency-Key", "once")
		if err != nil {
			status = 0
		}
		answer <- status
	}()
	<-soke.reached
	return r, func() { close(soke.released) }, answer
}

func TestARequestThatHasBegunIsAnsweredAndNoOtherIsTaken(t *testing.T) {
	r, release, answer := held(t)
	r.signal(syscall.SIGTERM)
	for began := time.Now(); ; { // until the signal has arrived
		connection, err := net.Dial("tcp", r.address)
		if err != nil {
			break
		}
		_ = connection.Close()
		if time.Since(began) > 20*time.Second {
			t.Fatal("it still accepts")
		}
	}
	release()
	if status := <-answer; status != http.StatusOK {
		t.Errorf("the request was answered with %d", status)
	}
	if code := r.exit(); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, r.log())
	}
}

func TestARequestThatDoesNotEndIsCutAfterTheShutdownTimeout(t *testing.T) {
	const patience = 2 * time.Second
	r, release, answer := held(t, "--shutdown-timeout", patience.String())
	defer release()
	began := time.Now()
	code := r.stop()
	// The request and the paid call behind it have one deadline, not one each.
	if took := time.Since(began); took < patience || took > 2*patience {
		t.Errorf("it ended after %s", took)
	}
	if status := <-answer; status != 0 {
		t.Errorf("the request was answered with %d", status)
	}
	var said []string
	for line := range strings.Lines(r.log()) {
		if !strings.HasPrefix(line, "{") {
			said = append(said, line)
		}
	}
	if code != exitFailure || len(said) != 1 || !strings.Contains(said[0], "--shutdown-timeout") {
		t.Errorf("exit code %d, %q", code, said)
	}
}

func TestASecondServeOnTheSameDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	database, alias := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
	if err := os.Symlink(database, alias); err != nil {
		t.Fatal(err)
	}
	first := start(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "", "--database", database)
	for _, name := range []string{database, alias} {
		second := launch(t, nil, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "", "--database", name)
		if code := second.exit(); code != exitFailure || strings.Count(second.log(), "\n") != 1 || !strings.Contains(second.log(), "another soke-connector is using this database") {
			t.Errorf("exit code %d: %s", code, second.log())
		}
	}
	if code := first.stop(); code != exitOK {
		t.Errorf("the first one ended with %d", code)
	}
	again := start(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "", "--database", database)
	if code := again.stop(); code != exitOK {
		t.Errorf("after the first one: %d", code)
	}
}

func TestEveryFlagOfServeCanComeFromTheEnvironment(t *testing.T) {
	database := filepath.Join(t.TempDir(), "env.db")
	r := launch(t, []string{
		"SOKE_SANDBOX=true", "SOKE_LISTEN=127.0.0.1:0", "SOKE_ADMIN_LISTEN=", "SOKE_DATABASE=" + database,
		"SOKE_MASTER_KEY_FILE=" + database + ".master", "SOKE_LOG_LEVEL=debug", "SOKE_MIN_INTERVAL=1h",
	}, "serve")
	r.listening()
	if status, body := r.post(poll, anyKey, polling); status != http.StatusOK { // SOKE_SANDBOX
		t.Errorf("%d %s", status, body)
	}
	if strings.Contains(r.stdout.String(), "/metrics") {
		t.Error("an empty SOKE_ADMIN_LISTEN did not turn the admin listener off")
	}
	if code := r.stop(); code != exitOK {
		t.Errorf("exit code %d: %s", code, r.log())
	}
	for _, name := range []string{database, database + ".master"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

func TestASandboxPrintsCommandsThatWork(t *testing.T) {
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	r.stdout.line(t, "Ctrl-C")
	if strings.Contains(r.stdout.String(), "\x1b") {
		t.Error("colours where there is no terminal")
	}
	var codes []string
	for line := range strings.Lines(r.stdout.String()) {
		if words := shellWords(strings.TrimSpace(line)); len(words) > 0 && words[0] == "curl" {
			status, body := curl(t, words[1:])
			var answer struct{ Error struct{ Code string } }
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Errorf("%s%v: %s", line, err, body)
			}
			codes = append(codes, strings.TrimSpace(http.StatusText(status)+" "+answer.Error.Code))
		}
	}
	if got := strings.Join(codes, ", "); got != "OK, OK, Forbidden SUBSCRIPTION_REQUIRED" {
		t.Errorf("the commands are answered with %q", got)
	}
	if status, body, err := ask(http.MethodGet, r.admin()+"/metrics", ""); err != nil || status != http.StatusOK || !bytes.Contains(body, []byte("# HELP ")) {
		t.Errorf("the metrics: %d %.80s %v", status, body, err)
	}
	if code := r.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// shellWords splits a command as a shell does, as far as words and single quotes go.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// curl makes the request that curl would with these arguments.
func curl(t *testing.T, args []string) (int, []byte) {
	t.Helper()
	method, url, body, head := http.MethodGet, "", "", []string(nil)
	for len(args) > 0 {
		switch flag := args[0]; flag {
		case "-s":
		case "-H":
			name, value, _ := strings.Cut(args[1], ": ")
			head, args = append(head, name, value), args[1:]
		case "-d":
			method, body, args = http.MethodPost, args[1], args[1:]
		default:
			url = flag
		}
		args = args[1:]
	}
	status, answer, err := ask(method, url, body, head...)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

func TestTheSandboxAloneIsTheSokeAPI(t *testing.T) {
	r := launch(t, nil, "sandbox", "--listen", "127.0.0.1:0")
	line := r.stdout.line(t, "http://")
	_, url, _ := strings.Cut(line, "http://")
	base, _, _ := strings.Cut(url, " ")
	status, body, err := ask(http.MethodPost, "http://"+base+"/research/keywords", `{"topic":"home espresso"}`, "X-Soke-Key", anyKey)
	if err != nil || status != http.StatusOK || !bytes.Contains(body, []byte(`"competitionScore"`)) || !strings.Contains(line, anyKey) {
		t.Errorf("%s: %d %s %v", line, status, body, err)
	}
	if code := r.stop(); code != exitOK || r.log() != "" {
		t.Errorf("exit code %d: %s", code, r.log())
	}
}

func TestACommandLineOfTheBannerIsWhatAShellMakesOfIt(t *testing.T) {
	const line = `printf '%s\n' curl -s http://x/y -H 'A: b c' -d '{"a":"b","n":5}'`
	out, err := exec.Command("sh", "-c", line).Output()
	if want := strings.Join(shellWords(line)[2:], "\n") + "\n"; err != nil || string(out) != want {
		t.Errorf("%q is %q to a shell (%v)", want, out, err)
	}
}

func TestEventsRunsAndAttemptsAreKeptForThirtyDays(t *testing.T) {
	var c serveCommand
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	for what, kept := range map[string]time.Duration{"events": c.KeepEvents, "runs": c.KeepRuns, "attempts": c.KeepAttempts} {
		if kept != 30*24*time.Hour {
			t.Errorf("%s are kept for %s", what, kept)
		}
	}
}

func TestARunsDeliveryDoesNotWaitForTheNextLookOfTheOutbox(t *testing.T) {
	arrived := make(chan struct{}, 1000)
	in := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	defer in.Close()
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "")
	status, body := r.post("/v1/make/triggers/research-completed/subscriptions", anyKey, `{"topic":"x","schedule":"@every 1s","targetUrl":"`+in.URL+`"}`)
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	select {
	case <-arrived: // the outbox looks by itself every 30 s
	case <-time.After(20 * time.Second):
		t.Error("nothing arrived")
	}
}
