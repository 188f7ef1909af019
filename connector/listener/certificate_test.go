package listener_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/listener"
)

// issue makes a certificate for a name, signed by itself, and its key, both in PEM.
func issue(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func pair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	cert, key := issue(t, name)
	both, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return both
}

// files are the two files of a certificate.
type files struct {
	t         *testing.T
	cert, key string
	written   time.Time
}

func newFiles(t *testing.T, name string) *files {
	dir := t.TempDir()
	f := &files{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), written: time.Now().Add(-time.Hour)}
	cert, key := issue(t, name)
	f.write(f.cert, cert)
	f.write(f.key, key)
	return f
}

// write writes a file with a time of its own, however coarse the clock of the file system is.
func (f *files) write(path string, content []byte) {
	f.t.Helper()
	f.written = f.written.Add(time.Second)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chtimes(path, f.written, f.written); err != nil {
		f.t.Fatal(err)
	}
}

func TestARenewedCertificateIsUsedWithoutARestart(t *testing.T) {
	f := newFiles(t, "first.example")
	now := time.Now()
	var log bytes.Buffer
	c, err := listener.LoadCertificate(f.cert, f.key, slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	shows := func(want string) {
		t.Helper()
		now = now.Add(11 * time.Second)
		got, err := c.Config().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		if name := got.Leaf.Subject.CommonName; name != want {
			t.Errorf("the certificate is %s, want %s\n%s", name, want, &log)
		}
	}
	shows("first.example")
	cert, key := issue(t, "second.example")
	f.write(f.cert, cert)
	shows("first.example") // half of a renewal is no pair
	f.write(f.key, key)
	shows("second.example")
	if err := os.Remove(f.cert); err != nil {
		t.Fatal(err)
	}
	shows("second.example")
	third, key := issue(t, "third.example")
	f.write(f.cert, third)
	f.write(f.key, key)
	shows("third.example")
	if n := strings.Count(log.String(), "read anew\" expires"); n != 2 {
		t.Errorf("%d renewals are in the log, want 2:\n%s", n, &log)
	}
	if strings.Contains(log.String(), "PRIVATE") {
		t.Errorf("the key is in the log:\n%s", &log)
	}
}

func TestACertificateThatCannotBeUsedIsRefusedWithTheReason(t *testing.T) {
	good, other := newFiles(t, "first.example"), newFiles(t, "second.example")
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ cert, key, says string }{
		"no such file":      {filepath.Join(t.TempDir(), "none.pem"), good.key, "none.pem: no such file"},
		"the key is absent": {good.cert, filepath.Join(t.TempDir(), "nokey.pem"), "nokey.pem: no such file"},
		"not PEM":           {garbage, good.key, "no pair in PEM"},
		"another's key":     {good.cert, other.key, "no pair in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := listener.LoadCertificate(c.cert, c.key, slog.New(slog.DiscardHandler), nil)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}
