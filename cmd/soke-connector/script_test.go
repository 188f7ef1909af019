package main

import (
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestTheCommandLineIsAsTheContractSays(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:      "testdata/script",
		Deadline: time.Now().Add(2 * time.Minute), // what should have been refused may serve instead
		Cmds:     map[string]func(*testscript.TestScript, bool, []string){"refused": refused},
		Setup: func(env *testscript.Env) error {
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = taken.Close() })
			env.Setenv("TAKEN", taken.Addr().String())
			env.Setenv("GORACE", hurried)
			return nil
		},
	})
}

// refused runs soke-connector, which must end with an exit code and say why in exactly one line:
//
//	refused CODE SAYS [ARGUMENT...]
func refused(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: refused CODE SAYS [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec("soke-connector", args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	switch {
	case code != want:
		ts.Fatalf("exit code %d, want %d", code, want)
	case stdout != "":
		ts.Fatalf("it writes to stdout")
	case strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "soke-connector: ") || !strings.HasSuffix(stderr, "\n"):
		ts.Fatalf("stderr is not one line of soke-connector's")
	case !strings.Contains(stderr, args[1]):
		ts.Fatalf("it does not say %q", args[1])
	}
}
