package connector_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

// spellings are the targets of delivery's own table, as a caller may send them; PORT is where a
// listener waits for them in vain.
var spellings = []string{
	" ", "https://", "https:///path", "example.com/webhook", "//127.0.0.1:PORT/", "https:127.0.0.1", "ftp://127.0.0.1/", "file:///etc/passwd",
	"gopher://127.0.0.1:PORT/_GET", "dict://127.0.0.1:PORT/", "unix:///run/docker.sock", "javascript:alert(1)", "data:text/html,x",
	"http://127.0.0.1:PORT/", "https://127.0.0.1:PORT/", "https://user:s3cr3t@127.0.0.1:PORT/", "https://example.com@127.0.0.1:PORT/", `https://example.com\@127.0.0.1:PORT/`,
	"https://127.0.0.1:PORT#@example.com/", "https://127.0.0.1:PORT?@example.com/", "https://example.com:22/", "https://example.com:80/", "https://example.com:6379/", "https://example.com:0/",
	"https://localhost:PORT/", "https://LOCALHOST:PORT/", "https://localhost.:PORT/", "https://api.localhost:PORT/", "https://localhost.localdomain/", "https://ip6-localhost/",
	"https://metadata.google.internal/", "https://METADATA.google.internal./", "https://instance-data/",
	"https://127.255.255.254/", "https://127.1:PORT/", "https://127.0.1/", "https://2130706433:PORT/", "https://0x7f000001:PORT/", "https://0x7f.0.0.1/", "https://0X7F.1/",
	"https://017700000001/", "https://0177.0.0.1:PORT/", "https://127.0.0.01/", "https://127.0.0.1.:PORT/", "https://0:PORT/", "https://0.0.0.0:PORT/", "https://4294967295/",
	"https://%31%32%37.0.0.1:PORT/", "https://127。0。0。1/", "https://①②⑦.0.0.1/", "https://１２７.0.0.1/",
	"https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://100.64.0.1/", "https://169.254.169.254/latest/meta-data/", "https://168.63.129.16/",
	"https://198.18.0.1/", "https://203.0.113.9/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
	"https://[::1]:PORT/", "https://[0:0:0:0:0:0:0:1]:PORT/", "https://[::]:PORT/", "https://[::ffff:127.0.0.1]:PORT/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/",
	"https://[::ffff:0:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[2002:7f00:1::1]/", "https://[2001:0:7f00:1::1]/", "https://[fe80::1]/",
	"https://[fe80::1%25eth0]/", "https://[::1%25lo]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://[fec0::1]/", "https://[ff02::1]/", "https://[2001:db8::1]/",
	"https://example.com/\r\nX-Evil: 1", "https://example.com/\tx", "https://exa mple.com/", "https://.example.com/", "https://example..com/", "https://exämple.com/", "https://*.example.com/",
	"https://example.com/" + strings.Repeat("x", delivery.MaxURL),
}

func TestNoSpellingOfAnInnerAddressBecomesASubscription(t *testing.T) {
	w := startWatching(t, func(set *setup) { set.guard = delivery.GuardOptions{} })
	in, port := silent(t)
	for _, p := range platforms() {
		for _, test := range []bool{false, true} {
			for _, target := range spellings {
				target = strings.ReplaceAll(target, "PORT", port)
				a := w.post("/v1/"+string(p.Name())+"/triggers/new-keyword/subscriptions", fmt.Sprintf(`{%s,"targetUrl":%s,"test":%t}`, espresso, quoted(t, target), test))
				e := a.failure(t)
				if a.status != http.StatusBadRequest || e["field"] != "targetUrl" || strings.Contains(string(a.body), "s3cr3t") {
					t.Errorf("%s %.100q: %d %s", p.Name(), target, a.status, a.body)
				}
			}
		}
	}
	w.pass(0)
	in.unreached(t)
	if w.calls() != 0 {
		t.Errorf("%d calls for subscriptions that were refused", w.calls())
	}
}

func TestOnlyZapiersOwnHostTakesCallbacksUnlessTheOperatorSaysSo(t *testing.T) {
	c := start(t, withCallbacks, func(set *setup) { set.guard = delivery.GuardOptions{} })
	in, port := silent(t)
	targets := []string{
		"https://zapier.com@127.0.0.1:PORT/", "https://hooks.zapier.com.evil.example/", "https://evilzapier.com/", "https://zapier.com.:PORT/", "http://hooks.zapier.com/", "https://zapier.com:22/",
		`https://evil.example\.zapier.com/`, "https://evil.example/.zapier.com/", "https://evil.example?.zapier.com", "https://evil.example#.zapier.com", "https://zapier。com/", "https://.zapier.com/",
	}
	for _, target := range append(targets, spellings...) {
		target = strings.ReplaceAll(target, "PORT", port)
		if strings.ContainsAny(target, "\r\n") || strings.TrimSpace(target) == "" {
			continue // no header can hold it
		}
		a := c.post("/v1/zapier/actions/chat-completion", question, "X-Callback-Url", target)
		if a.status != http.StatusBadRequest || a.failure(t)["field"] != "X-Callback-Url" || strings.Contains(string(a.body), "s3cr3t") {
			t.Errorf("%.100q: %d %s", target, a.status, a.body)
		}
	}
	c.stop()
	in.unreached(t)
	if n := c.sandbox.CallCount("chat/completions"); n != 0 {
		t.Errorf("%d chats were paid for", n)
	}
}

// trap is a listener that nobody should reach.
type trap struct{ reached chan string }

func silent(t *testing.T) (in trap, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in = trap{make(chan string, 1)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case in.reached <- conn.RemoteAddr().String():
			default:
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-over })
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return in, port
}

func (in trap) unreached(t *testing.T) {
	t.Helper()
	select {
	case from := <-in.reached:
		t.Errorf("an inner address was reached from %s", from)
	default:
	}
}
