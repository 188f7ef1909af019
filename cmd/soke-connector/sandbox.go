package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
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
	return serveUntil(ctx, 5*time.Second, service{listener, sandbox.New(sandbox.Options{})})
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

// service is a handler and where it listens.
type service struct {
	listener net.Listener
	handler  http.Handler
}

// server bounds what a client can hold: headers in time and size, idle connections in time. Bodies
// are bounded where they are read, answers where they are streamed.
func (s service) server() *http.Server {
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// serveUntil serves until ctx ends or a listener fails, then lets requests finish within patience.
func serveUntil(ctx context.Context, patience time.Duration, services ...service) error {
	failed := make(chan error, len(services))
	servers := make([]*http.Server, len(services))
	for i, s := range services {
		servers[i] = s.server()
		go func() { failed <- servers[i].Serve(s.listener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for _, server := range servers {
		if serr := server.Shutdown(limit); serr != nil {
			_ = server.Close()
			if err == nil {
				err = fmt.Errorf("requests were still running after %s and were cut; allow more with --shutdown-timeout", patience)
			}
		}
	}
	return err
}
