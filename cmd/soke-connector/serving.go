package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/usesoke/soke-connector/connector/listener"
)

// socketFlags are the limits of the service's listener. A peer that asks nothing, asks slowly or
// does not take its answer costs no more than they allow.
type socketFlags struct {
	TLSCert        string        `name:"tls-cert" placeholder:"FILE" help:"Certificate chain in PEM; serves https with it. A renewed file is used without a restart."`
	TLSKey         string        `name:"tls-key" placeholder:"FILE" help:"Private key of the certificate, in PEM."`
	TrustedProxies []string      `placeholder:"CIDR" help:"Proxies whose X-Forwarded-For names the client in the log."`
	MaxConnections int           `default:"0" placeholder:"N" help:"How many clients may be connected at a time; one that asks nothing makes room for another (default: as many as the limit of open files allows)."`
	MaxHeaderBytes int           `default:"65536" placeholder:"BYTES" help:"The largest head of a request."`
	HeaderTimeout  time.Duration `default:"10s" help:"How long a client may take to send the head of a request, and a TLS handshake."`
	BodyTimeout    time.Duration `default:"30s" help:"How long a client may take to send the body of a request."`
	WriteTimeout   time.Duration `default:"1m" help:"How long a client may take to accept a piece of an answer."`
	IdleTimeout    time.Duration `default:"2m" help:"How long a connection may stay open between two requests."`
}

// check refuses values that no listener could work with.
func (f *socketFlags) check() error {
	if (f.TLSCert == "") != (f.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key belong together; give both or neither")
	}
	if _, err := f.proxies(); err != nil {
		return err
	}
	if f.MaxConnections < 0 {
		return errors.New("--max-connections must not be less than 0")
	}
	if f.MaxHeaderBytes < 4096 {
		return errors.New("--max-header-bytes must be at least 4096")
	}
	return nil
}

// proxies are the networks of --trusted-proxies; an address alone is a network of one.
func (f *socketFlags) proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range f.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if address, aerr := netip.ParseAddr(text); err != nil && aerr == nil {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies %q is no network such as 10.0.0.0/8, nor an address", text)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

// certificate reads the files of --tls-cert and --tls-key; it is nil where there are none.
func (f *socketFlags) certificate(logger *slog.Logger) (*listener.Certificate, error) {
	if f.TLSCert == "" {
		return nil, nil
	}
	c, err := listener.LoadCertificate(f.TLSCert, f.TLSKey, logger, time.Now)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	return c, nil
}

// spareFiles is how many open files are left to the database, the outbox, the scheduler and the log.
const spareFiles = 512

// connections is how many clients may be connected at a time. Each needs a file, its call to Soke
// another, and in the sandbox the far end of that a third.
func (f *socketFlags) connections(sandbox bool) int {
	if f.MaxConnections > 0 {
		return f.MaxConnections
	}
	each := 2
	if sandbox {
		each = 3
	}
	return (max(openFiles(), 2*spareFiles) - spareFiles) / each
}

// service is a handler, where it listens, and what its clients may hold.
type service struct {
	listener    net.Listener
	handler     http.Handler
	flags       socketFlags
	connections int // 0 is no limit
	certificate *listener.Certificate
}

// plain is a service for clients that are trusted to behave.
func plain(l net.Listener, h http.Handler) service {
	return service{listener: l, handler: h, flags: socketFlags{MaxHeaderBytes: 64 << 10, HeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}}
}

// start serves until the server is shut down. Bodies are bounded where they are read.
func (s service) start(logger *slog.Logger) (server *http.Server, failed <-chan error) {
	sockets := listener.New(s.listener, listener.Limits{Sockets: s.connections, Write: s.flags.WriteTimeout})
	server = &http.Server{
		Handler:           sockets.Handler(s.handler),
		ConnContext:       sockets.ConnContext,
		ReadHeaderTimeout: s.flags.HeaderTimeout,
		IdleTimeout:       s.flags.IdleTimeout,
		MaxHeaderBytes:    s.flags.MaxHeaderBytes,
		// A socket of HTTP/2 may die without a word, too.
		HTTP2:    &http.HTTP2Config{SendPingTimeout: s.flags.IdleTimeout, PingTimeout: 15 * time.Second},
		ErrorLog: slog.NewLogLogger(quietHandshakes{logger.Handler()}, slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() {
		if s.certificate == nil {
			ended <- server.Serve(sockets)
			return
		}
		server.TLSConfig = s.certificate.Config()
		ended <- server.ServeTLS(sockets, "", "")
	}()
	return server, ended
}

// serveUntil serves until ctx ends or a listener fails, then lets requests finish until limit ends.
func serveUntil(ctx, limit context.Context, logger *slog.Logger, services ...service) error {
	failed := make(chan error, len(services))
	servers := make([]*http.Server, len(services))
	for i, s := range services {
		server, ended := s.start(logger)
		servers[i] = server
		go func() { failed <- <-ended }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		var cancel func()
		limit, cancel = context.WithTimeout(limit, 5*time.Second)
		defer cancel()
	}
	for _, server := range servers {
		if serr := server.Shutdown(limit); serr != nil {
			_ = server.Close()
			if err == nil {
				err = errors.New("requests were still running at the end of --shutdown-timeout and were cut; allow more with it")
			}
		}
	}
	return err
}

// quietHandshakes keeps failed TLS handshakes, which any scanner of the Internet causes, out of the
// log unless it is one for debugging.
type quietHandshakes struct{ slog.Handler }

func (q quietHandshakes) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "TLS handshake error") {
		r.Level = slog.LevelDebug
		if !q.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return q.Handler.Handle(ctx, r)
}
