package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
)

// serveCommand holds the flags of serve. Each has a twin in the environment, SOKE_ before its name.
type serveCommand struct {
	Sandbox         bool          `help:"Run against the embedded sandbox: no key, no network, no configuration."`
	Listen          string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address of the service."`
	AdminListen     string        `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Address of metrics, profiles and the operator's commands; empty turns them off."`
	PublicURL       string        `name:"public-url" placeholder:"URL" help:"Where the platforms reach this service."`
	UpstreamURL     string        `name:"upstream-url" default:"https://api.usesoke.ai" placeholder:"URL" help:"The Soke API; plain http only to loopback."`
	UpstreamTimeout time.Duration `default:"120s" help:"How long Soke may take to answer."`
	Database        string        `placeholder:"PATH" help:"The SQLite database (default: soke-connector.db; with --sandbox a temporary one)."`
	MasterKeyFile   string        `placeholder:"PATH" help:"Key that encrypts what must not lie in clear (default: beside the database, made on first start)."`
	AllowTargets    []string      `placeholder:"CIDR|HOST" help:"Private networks or hosts that webhooks may reach."`
	MinInterval     time.Duration `default:"15m" help:"The shortest time between two runs of a watch."`
	KeepEvents      time.Duration `default:"720h" help:"How long events and deliveries are kept."`
	KeepRuns        time.Duration `default:"720h" help:"How long the records of runs are kept."`
	KeepAttempts    time.Duration `default:"720h" help:"How long attempts to deliver are kept."`
	LogFormat       string        `default:"json" enum:"json,text" help:"json or text."`
	LogLevel        string        `default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	ShutdownTimeout time.Duration `default:"20s" help:"How long running requests may take to finish at the end."`

	Sockets socketFlags `embed:"" group:"Sockets:"`
}

// Run runs the service until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, p process) (err error) {
	if err := c.check(); err != nil {
		return usageError{err}
	}
	logger := c.logger(p.stderr)
	slog.SetDefault(logger) // net/http says some things to the standard log alone
	group, ctx := errgroup.WithContext(ctx)
	limit, cancel := theEnd(ctx, c.ShutdownTimeout)
	defer cancel()

	// The sandbox outlives the service's last requests, which may be calls to it.
	sandboxCtx, endSandbox := context.WithCancel(context.WithoutCancel(ctx))
	defer endSandbox()
	if c.Sandbox {
		dir, err := c.prepareSandbox(sandboxCtx, limit, group, logger)
		defer func() { _ = os.RemoveAll(dir) }()
		if err != nil {
			return err
		}
	}
	if c.Database == "" {
		c.Database = defaultDatabase
	}
	certificate, err := c.Sockets.certificate(logger)
	if err != nil {
		return usageError{err}
	}
	// An address that is taken is found out before anything is written.
	public, admin, err := c.listeners(ctx)
	if err != nil {
		return err
	}
	defer closeAll(public, admin)
	db, err := sqlite.Open(ctx, sqlite.Options{Path: c.Database, MasterKeyFile: c.MasterKeyFile, Logger: logger, Now: time.Now})
	if err != nil {
		return databaseError(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	metrics := connector.NewMetrics()
	client, err := soke.New(soke.Options{
		BaseURL: c.UpstreamURL, Timeout: c.UpstreamTimeout,
		UserAgent: "soke-connector/" + version, Observe: metrics.ObserveSoke,
	})
	if err != nil {
		return usageError{fmt.Errorf("--upstream-url: %w", err)}
	}
	defer client.Close()
	built, err := c.build(ctx, db, client, metrics, logger)
	if err != nil {
		return err
	}
	services := []service{{listener: public, handler: built.server, flags: c.Sockets, connections: c.Sockets.connections(c.Sandbox), certificate: certificate}}
	if admin != nil {
		operator := &adminAPI{db: db, outbox: built.engines.outbox, logger: logger}
		services = append(services, plain(admin, operator.handler(built.server.AdminHandler())))
	}
	c.announce(p, services)
	logger.Info("listening", "address", public.Addr().String(), "version", version)
	c.work(ctx, limit, group, built, services, endSandbox)
	if err := group.Wait(); err != nil {
		return err
	}
	logger.Info("stopped")
	return nil
}

// check refuses values that no part of the service could work with.
func (c *serveCommand) check() error {
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"--upstream-timeout", c.UpstreamTimeout}, {"--min-interval", c.MinInterval}, {"--shutdown-timeout", c.ShutdownTimeout}, {"--keep-events", c.KeepEvents}, {"--keep-runs", c.KeepRuns}, {"--keep-attempts", c.KeepAttempts},
		{"--header-timeout", c.Sockets.HeaderTimeout}, {"--body-timeout", c.Sockets.BodyTimeout}, {"--write-timeout", c.Sockets.WriteTimeout}, {"--idle-timeout", c.Sockets.IdleTimeout}} {
		if d.value <= 0 {
			return fmt.Errorf("%s must be more than 0, for example 30s", d.flag)
		}
	}
	for flag, address := range map[string]string{"--listen": c.Listen, "--admin-listen": c.AdminListen} {
		if _, _, err := net.SplitHostPort(address); err != nil && (address != "" || flag == "--listen") {
			return fmt.Errorf("%s %q is not HOST:PORT", flag, address)
		}
	}
	if err := c.Sockets.check(); err != nil {
		return err
	}
	if _, err := c.guard(); err != nil {
		return fmt.Errorf("--allow-targets: %w", err)
	}
	client, err := soke.New(soke.Options{BaseURL: c.UpstreamURL})
	if err != nil {
		return fmt.Errorf("--upstream-url: %w", err)
	}
	client.Close()
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil {
			// It is not quoted: it may hold a password.
			return errors.New("--public-url is not an http(s) URL such as https://connector.example.com, without a user name")
		}
	}
	return nil
}

func (c *serveCommand) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // kong has checked the name.
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// prepareSandbox starts the sandbox on a port of its own and points the service at it. It returns
// the temporary directory to remove at the end.
func (c *serveCommand) prepareSandbox(ctx, limit context.Context, group *errgroup.Group, logger *slog.Logger) (string, error) {
	dir, err := os.MkdirTemp("", "soke-connector-sandbox-")
	if err != nil {
		return "", err
	}
	if c.Database == "" {
		c.Database = filepath.Join(dir, defaultDatabase)
	}
	c.MinInterval = min(c.MinInterval, sandboxInterval)
	listener, err := listen(ctx, "--upstream-url", "127.0.0.1:0")
	if err != nil {
		return dir, err
	}
	c.UpstreamURL = "http://" + listener.Addr().String()
	group.Go(func() error {
		return serveUntil(ctx, limit, logger, plain(listener, sandbox.New(sandbox.Options{})))
	})
	return dir, nil
}

const defaultDatabase = "soke-connector.db"

// databaseError says which flag to change. A path that cannot be and a key file that does not fit are
// configuration; a disk that fails is not.
func databaseError(err error) error {
	if key := (*sqlite.KeyFileError)(nil); errors.As(err, &key) {
		return usageError{fmt.Errorf("--master-key-file: %w", err)}
	}
	err = fmt.Errorf("--database: %w", err)
	if storage := (*sqlite.StorageError)(nil); errors.As(err, &storage) && storage.Fault == sqlite.Damaged {
		return fmt.Errorf("%w; restore a backup, or name another file", err)
	}
	for _, misnamed := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.EISDIR, syscall.ENOTDIR} {
		if errors.Is(err, misnamed) {
			return usageError{err}
		}
	}
	return err
}

// listeners opens the service's listener and the admin's, which is nil if it is turned off.
func (c *serveCommand) listeners(ctx context.Context) (public, admin net.Listener, err error) {
	if public, err = listen(ctx, "--listen", c.Listen); err != nil || c.AdminListen == "" {
		return public, nil, err
	}
	if admin, err = listen(ctx, "--admin-listen", c.AdminListen); err != nil {
		closeAll(public)
		return nil, nil, err
	}
	return public, admin, nil
}

// closeAll closes listeners that a server may have closed before.
func closeAll(listeners ...net.Listener) {
	for _, l := range listeners {
		if l != nil {
			_ = l.Close()
		}
	}
}
