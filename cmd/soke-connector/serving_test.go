package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certified writes a certificate for 127.0.0.1 and its key, and returns a pool that trusts it.
func certified(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
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
	dir := t.TempDir()
	cert, key, pool = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(chain)
	for path, content := range map[string][]byte{cert: chain, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

func TestServeSpeaksTLSByItself(t *testing.T) {
	cert, key, pool := certified(t)
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "", "--tls-cert", cert, "--tls-key", key)
	for _, protocol := range []string{"h2", "http/1.1"} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, NextProtos: []string{protocol}}, ForceAttemptHTTP2: protocol == "h2"}
		client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+r.address+"/v1/n8n/actions/research-keywords", strings.NewReader(`{"topic":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Soke-Key", anyKey)
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK || answer.TLS.NegotiatedProtocol != protocol {
			t.Errorf("%s: %s by %q", protocol, answer.Status, answer.TLS.NegotiatedProtocol)
		}
		transport.CloseIdleConnections()
	}
	old, err := tls.Dial("tcp", r.address, &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}) //nolint:gosec // to be refused
	if err == nil {
		_ = old.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if !strings.Contains(r.stdout.line(t, "curl"), "https://") {
		t.Error("the sandbox prints commands that do not work")
	}
	if code := r.stop(); code != exitOK || strings.Contains(r.log(), "handshake") {
		t.Errorf("exit code %d\n%s", code, r.log())
	}
}

// slowHead is the beginning of a head that never ends.
const slowHead = "POST /v1/n8n/actions/chat-completion HTTP/1.1\r\nHost: a\r\nX-Slow: "

func TestClientsThatOnlyHoldOnAreBoundedByTheFlags(t *testing.T) {
	// Nobody has to make room for anybody else here, so that each bound is seen at work by itself.
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "",
		"--header-timeout", "2s", "--body-timeout", "2s", "--idle-timeout", "2s", "--max-header-bytes", "8192")
	body := "POST /v1/n8n/actions/chat-completion HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Soke-Key: " + anyKey + "\r\nContent-Length: 100\r\n\r\n{"
	for name, c := range map[string]struct{ sends, says string }{
		"nothing at all":          {"", ""},
		"a head that never ends":  {slowHead, ""},
		"a head that is too long": {slowHead + strings.Repeat("x", 1<<20), "431"},
		"a body that never ends":  {body, "400"},
		"nothing after an answer": {"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", r.address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			begun := time.Now()
			_ = conn.SetDeadline(begun.Add(20 * time.Second))
			_, _ = io.WriteString(conn, c.sends) // it may be cut off while it sends
			read, err := io.ReadAll(bufio.NewReader(conn))
			if c.says != "" && !strings.HasPrefix(string(read), "HTTP/1.1 "+c.says) || c.says == "" && len(read) > 0 {
				t.Errorf("answered %.200q", read)
			}
			if held := time.Since(begun); errors.Is(err, os.ErrDeadlineExceeded) || held > 6*time.Second {
				t.Errorf("the connection is still open after %s: %v", held, err)
			}
		})
	}
}

func TestManyThatAskNothingHoldNoMoreSocketsThanTheFlagAllows(t *testing.T) {
	const bound, spare = 20, 10
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "", "--max-connections", fmt.Sprint(bound))
	if status, _, err := ask(http.MethodGet, "http://"+r.address+"/healthz", "", "Connection", "close"); status != http.StatusOK {
		t.Fatalf("%d, %v", status, err)
	}
	before, most := r.files(), 0
	for range 100 {
		conn, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, slowHead)
		most = max(most, r.files())
	}
	if status, _, err := ask(http.MethodGet, "http://"+r.address+"/healthz", ""); status != http.StatusOK {
		t.Errorf("an honest client got %d, %v", status, err)
	}
	if most = max(most, r.files()); most > before+bound+spare {
		t.Errorf("%d files were open, %d of them before, and %d sockets are allowed", most, before, bound)
	}
}

func TestASokeThatSaysNothingIsWaitedForAsLongAsTheFlagAllows(t *testing.T) {
	left := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-left:
		}
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(left) })
	r := start(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "", "--upstream-url", silent.URL, "--upstream-timeout", "1s", "--database", filepath.Join(t.TempDir(), "a.db"))
	begun := time.Now()
	status, body, err := ask(http.MethodPost, "http://"+r.address+"/v1/n8n/actions/research-keywords", `{"topic":"x"}`, "X-Soke-Key", anyKey, "Content-Type", "application/json")
	if waited := time.Since(begun); err != nil || status != http.StatusGatewayTimeout || !strings.Contains(string(body), "UPSTREAM_TIMEOUT") || waited < time.Second || waited > 3*time.Second {
		t.Errorf("%d %s after %s, %v", status, body, waited, err)
	}
}
