package connector_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/sandbox/fault"
)

// place is where a misbehaving receiver is met. The zero place is where it should be.
type place struct {
	address string // that its name resolves to once it is subscribed; "none" is none
	secure  bool   // the target is https
	// certificate is the one shown, if not the right one.
	certificate certificate
	plain       bool // no TLS is spoken
	silent      bool // nothing is spoken
}

type certificate int

const (
	right certificate = iota
	selfSigned
	otherName
	expired
)

// suffix ends the receivers' names. Each has its own, because the pace is kept by name, and none can
// be anywhere but on this machine.
const suffix = ".receiver.localhost"

// certificates are one of each kind, and the pool that trusts their authority.
func certificates(t *testing.T) (map[certificate]*tls.Certificate, *x509.CertPool) {
	t.Helper()
	now := time.Now()
	issue := func(name string, until time.Time, by *tls.Certificate) *tls.Certificate {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
			NotBefore: now.Add(-48 * time.Hour), NotAfter: until, BasicConstraintsValid: true, IsCA: by == nil,
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		parent, signer := template, any(key)
		if by != nil {
			parent, signer = by.Leaf, by.PrivateKey
		}
		raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(raw)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
	}
	tomorrow := now.Add(24 * time.Hour)
	authority := issue("authority.example", tomorrow, nil)
	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	return map[certificate]*tls.Certificate{
		right: issue("*"+suffix, tomorrow, authority), selfSigned: issue("*"+suffix, tomorrow, nil),
		otherName: issue("receiver.example", tomorrow, authority), expired: issue("*"+suffix, now.Add(-time.Hour), authority),
	}, pool
}

// addresses tells what the receivers' names resolve to. It answers within this process.
type addresses struct {
	mu    sync.Mutex
	known map[string]string
}

func (a *addresses) set(name, address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[name] = address
}

func (a *addresses) resolver() *net.Resolver { return fault.Resolver(a.answer) }

func (a *addresses) answer(question *dns.Msg) *dns.Msg {
	asked := question.Question[0]
	a.mu.Lock()
	address := net.ParseIP(a.known[strings.TrimSuffix(asked.Name, ".")])
	a.mu.Unlock()
	switch {
	case address == nil:
		return new(dns.Msg).SetRcode(question, dns.RcodeNameError)
	case asked.Qtype != dns.TypeA:
		return new(dns.Msg).SetReply(question)
	}
	reply := new(dns.Msg).SetReply(question)
	reply.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: asked.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: address}}
	return reply
}

// badReceiver is a receiver that misbehaves until it is told to recover.
type badReceiver struct {
	how      misbehaviour
	platform platform.Name
	fate     fate
	secure   bool
	host     string
	path     string // of its subscription
	sent     atomic.Int64

	mu      sync.Mutex
	well    bool
	arrived []arrival
	longest time.Duration
}

func (in *badReceiver) String() string { return in.how.name + " on " + string(in.platform) }

func (in *badReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := arrival{method: r.Method, header: r.Header.Clone()}
	a.raw, _ = io.ReadAll(r.Body)
	_ = json.Unmarshal(a.raw, &a.body)
	r.Body = io.NopCloser(bytes.NewReader(a.raw))
	in.mu.Lock()
	in.arrived = append(in.arrived, a)
	well := in.well
	in.well = in.well || in.how.once
	in.mu.Unlock()
	if well || in.how.serve == nil {
		return
	}
	defer in.kept(time.Now())
	in.how.serve(counted{w, &in.sent}, r)
}

// counted counts what a receiver could send.
type counted struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

func (c counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (in *badReceiver) kept(since time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.longest = max(in.longest, time.Since(since))
}

func (in *badReceiver) all() []arrival {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.arrived)
}

func (in *badReceiver) place() place {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.well {
		return place{}
	}
	return in.how.place
}

func (in *badReceiver) recover(a *addresses) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.well = true
	a.set(in.host, "127.0.0.1")
}

// keptAsLongAsItMay holds the time that a receiver had the connector for, and what it sent in it, to
// the bounds.
func (in *badReceiver) keptAsLongAsItMay(t *testing.T) {
	t.Helper()
	in.mu.Lock()
	defer in.mu.Unlock()
	if took := in.longest.Seconds(); took > in.how.takes+3 || took < in.how.takes-1 {
		t.Errorf("%s kept the connector for %.1f s, want %.0f", in, took, in.how.takes)
	}
	if sent := in.sent.Load(); sent > 16<<20 {
		t.Errorf("%s could send %d MiB", in, sent>>20)
	}
}

// door is the listener of a receiver. Before HTTP begins it speaks TLS, or not as it should.
type door struct {
	net.Listener
	in    *badReceiver
	shown map[certificate]*tls.Certificate
}

func (d door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		place := d.in.place()
		switch {
		case err != nil || !d.in.secure || place.plain:
			return conn, err
		case place.silent:
			go d.in.hold(conn)
		default:
			return tls.Server(conn, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return d.shown[place.certificate], nil
			}}), nil
		}
	}
}

// hold keeps a connection, without a word, until the other side leaves.
func (in *badReceiver) hold(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	defer in.kept(time.Now())
	_, _ = io.Copy(io.Discard, conn)
}
