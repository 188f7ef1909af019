package listener

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// recheck is how often the files of a certificate are looked at, at the most.
const recheck = 10 * time.Second

// Certificate is a TLS certificate in two PEM files, which may be replaced while it is in use: a
// renewal takes no restart.
type Certificate struct {
	certFile, keyFile string
	logger            *slog.Logger
	now               func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	stamp   stamp
	checked time.Time
}

// stamp tells one state of the files from another.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

// LoadCertificate reads a certificate and its private key. now is the clock; nil is time.Now.
func LoadCertificate(certFile, keyFile string, logger *slog.Logger, now func() time.Time) (*Certificate, error) {
	if now == nil {
		now = time.Now
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, logger: logger, now: now}
	at, err := c.look()
	if err != nil {
		return nil, err
	}
	if err := c.load(at); err != nil {
		return nil, err
	}
	c.checked = now()
	return c, nil
}

// Config is the TLS configuration of a server with this certificate.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
		NextProtos:     []string{"h2", "http/1.1"},
	}
}

// get returns the certificate that the files hold now. Files that cannot be used, such as half of
// a renewal, are said once and change nothing.
func (c *Certificate) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked).Abs() < recheck {
		return c.current
	}
	c.checked = now
	at, err := c.look()
	if err == nil && at == c.stamp {
		return c.current
	}
	if err == nil {
		err = c.load(at)
	}
	if err != nil {
		c.logger.Warn("the TLS certificate cannot be read anew; the former one stays in use", "cause", err.Error())
		return c.current
	}
	c.logger.Info("TLS certificate read anew", "expires", c.current.Leaf.NotAfter.UTC().Format(time.RFC3339))
	return c.current
}

func (c *Certificate) look() (stamp, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return stamp{}, fileError(err)
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return stamp{}, fileError(err)
	}
	return stamp{cert.ModTime(), key.ModTime(), cert.Size(), key.Size()}, nil
}

func (c *Certificate) load(at stamp) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fileError(err)
	}
	c.current, c.stamp = &pair, at
	return nil
}

// fileError says what is wrong with which file, in one short sentence.
func fileError(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return fmt.Errorf("the certificate and the key are no pair in PEM: %w", err)
}
