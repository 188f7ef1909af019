// Command soke-connector stands between Soke and the automation platforms: it runs the service,
// its sandbox, and says what it is.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// cli is the whole command line. Every flag has an environment twin SOKE_<FLAG>.
type cli struct {
	Serve      serveCommand      `cmd:"" help:"Run the service."`
	Sandbox    sandboxCommand    `cmd:"" help:"Run only the sandbox of the Soke API."`
	Export     exportCommand     `cmd:"" help:"Write the package that a platform's users install."`
	Watches    watchesCommand    `cmd:"" help:"Look at the watches of a running connector."`
	Deliveries deliveriesCommand `cmd:"" help:"Work with the deliveries of a running connector."`
	MasterKey  masterKeyCommand  `cmd:"" help:"Work with the master key of a running connector."`
	Version    versionCommand    `cmd:"" help:"Print version, commit and Go version."`
}

// usageError marks what the operator has to change on the command line or in the environment.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// process is what a command may touch of the world outside.
type process struct {
	stdout, stderr io.Writer
}

func main() {
	forgetBlanks()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], process{stdout: os.Stdout, stderr: os.Stderr})
	stop()
	os.Exit(code)
}

// forgetBlanks takes blank twins of flags for absent ones, which is what a compose file makes of
// ${X:-}. Only --admin-listen means something by being empty.
func forgetBlanks() {
	for _, twin := range os.Environ() {
		name, value, _ := strings.Cut(twin, "=")
		if strings.HasPrefix(name, "SOKE_") && value == "" && name != "SOKE_ADMIN_LISTEN" {
			_ = os.Unsetenv(name)
		}
	}
}

// run parses the arguments, runs the command and returns the exit code.
func run(ctx context.Context, args []string, p process) int {
	var c cli
	helped := false
	parser, err := kong.New(&c,
		kong.Name("soke-connector"),
		kong.Description("Soke for Zapier, n8n and Make: one binary between them."),
		kong.DefaultEnvars("SOKE"),
		kong.Vars{"platforms": platformNames()},
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)
	if err != nil {
		fmt.Fprintf(p.stderr, "soke-connector: %v\n", err)
		return exitFailure
	}
	parsed, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(p.stderr, "soke-connector: %v (soke-connector --help lists what there is)\n", err)
		return exitUsage
	}
	err = parsed.Run()
	if err == nil {
		return exitOK
	}
	// One line, even of an error that joins several.
	fmt.Fprintf(p.stderr, "soke-connector: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}
