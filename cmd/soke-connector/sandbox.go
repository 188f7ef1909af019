package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

type sandboxCommand struct {
	Listen string `default:"127.0.0.1:9090" help:"Address of the sandbox." placeholder:"HOST:PORT"`
}

// Run serves the sandbox of the Soke API until it is told to stop.
func (c *sandboxCommand) Run(ctx context.Context, p process) error {
	listener, err := listen(ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "Soke sandbox on http://%s/api/v1 (try the key sk_live_sandbox_active)\n", listener.Addr())
	limit, cancel := theEnd(ctx, 5*time.Second)
	defer cancel()
	return serveUntil(ctx, limit, slog.New(slog.NewTextHandler(p.stderr, nil)), plain(listener, sandbox.New(sandbox.Options{})))
}

// listen opens a listener, or says which flag to change.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usageError{fmt.Errorf("%s %q is not HOST:PORT", flag, address)}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if errors.As(err, new(*net.AddrError)) || errors.As(err, new(*net.DNSError)) {
		return nil, usageError{fmt.Errorf("%s %q names no address of this machine: %w", flag, address, err)}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with %s", address, err, flag)
	}
	return listener, nil
}
