package delivery_test

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

// none stands for a machine without addresses, so that tables do not depend on this one.
func none() ([]net.Addr, error) { return nil, nil }

func guard(t testing.TB, o delivery.GuardOptions) *delivery.Guard {
	t.Helper()
	if o.OwnAddrs == nil {
		o.OwnAddrs = none
	}
	g, err := delivery.NewGuard(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// refused fails the test unless err is a *TargetError whose sentences are complete, fit into
// a native error message and give nothing of the target away.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	var target *delivery.TargetError
	switch {
	case err == nil:
		t.Errorf("%s was let through", what)
	case !errors.As(err, &target):
		t.Errorf("%s: got a %T, want a *TargetError", what, err)
	case !strings.HasPrefix(target.Problem, "the target ") || target.Hint == "":
		t.Errorf("%s: the error is incomplete: %+v", what, target)
	case len(err.Error()) > 190:
		t.Errorf("%s: the error has %d bytes, too long for a message", what, len(err.Error()))
	case strings.Contains(err.Error(), "s3cr3t"):
		t.Errorf("%s: the error quotes the URL: %s", what, err)
	}
}

var publicURLs = []string{
	"https://hooks.zapier.com/hooks/standard/1/abc/",
	"https://hook.eu2.make.com/abc?x=1&y=%23",
	"https://n8n.example.com:8443/webhook/1",
	"https://example.com:443",
	"https://xn--bcher-kva.example/webhook",
	"https://3com.example/",
	"https://1.2.3.4.nip.io/", // a name; the dialler judges what it resolves to
	"https://93.184.216.34/webhook",
	"https://[2606:2800:220:1:248:1893:25c8:1946]/webhook",
	"HTTPS://EXAMPLE.COM/Case/Stays",
}

var hostileURLs = []string{
	// Not a URL, or not one for a webhook.
	"", " ", "https://", "https:///path", "example.com/webhook", "//example.com/", "https:example.com",
	"ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "http://example.com/", "javascript:alert(1)",
	"https://user:s3cr3t@example.com/", "https://s3cr3t@example.com/", "https://@example.com/",
	"https://example.com/#", "https://example.com/#s3cr3t", "https://example.com/s3cr3t\n", "https://example.com\t/",
	" https://example.com/", "https://exa mple.com/s3cr3t", `https://example.com\@127.0.0.1/`,
	// Ports that web servers do not use.
	"https://example.com:22/", "https://example.com:80/", "https://example.com:6379/", "https://example.com:0/",
	"https://example.com:65536/", "https://example.com:/", "https://example.com:-1/", "https://example.com:https/",
	// Names of this machine and of the cloud's secrets.
	"https://localhost/webhook/s3cr3t", "https://LOCALHOST/", "https://localhost.", "https://api.localhost/",
	"https://localhost.localdomain/", "https://ip6-localhost/", "https://metadata.google.internal/",
	"https://METADATA.google.internal./", "https://instance-data/", "https://instance-data.ec2.internal/",
	// Loopback and private IPv4, in each form that some resolver takes for it.
	"https://127.0.0.1/", "https://127.255.255.254/", "https://127.1/", "https://127.0.1/", "https://2130706433/",
	"https://0x7f000001/", "https://0x7f.0.0.1/", "https://0X7F.1/", "https://017700000001/", "https://0177.0.0.1/",
	"https://127.0.0.01/", "https://127.0.0.1./", "https://0/", "https://0.0.0.0/", "https://127.0.0.0x1/",
	"https://4294967295/", "https://%31%32%37.0.0.1/", "https://127。0。0。1/", "https://①②⑦.0.0.1/", "https://１２７.0.0.1/",
	"https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://100.64.0.1/", "https://169.254.169.254/",
	"https://168.63.129.16/", "https://192.0.0.192/", "https://198.18.0.1/", "https://203.0.113.9/", "https://224.0.0.1/",
	"https://240.0.0.1/", "https://255.255.255.255/",
	// IPv6, plain and with an IPv4 address inside.
	"https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
	"https://[::ffff:8.8.8.8]/", "https://[::127.0.0.1]/", "https://[::7f00:1]/", "https://[::ffff:0:127.0.0.1]/",
	"https://[64:ff9b::7f00:1]/", "https://[64:ff9b::10.0.0.1]/", "https://[64:ff9b:1::a00:1]/", "https://[2002:7f00:1::1]/",
	"https://[2001:0:7f00:1::1]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[::1%25lo]/",
	"https://[2606:4700::1%25eth0]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://[fec0::1]/",
	"https://[ff02::1]/", "https://[2001:db8::1]/", "https://[3fff::1]/", "https://[100::1]/", "https://[::1", "https://::1/",
	// Hosts that no resolver should be asked for.
	"https://.example.com/", "https://example..com/", "https://example.com./", "https://-example.com/", "https://exämple.com/",
	"https://*.example.com/", "https://[example.com]/", "https://" + strings.Repeat("a", 64) + ".com/",
	"https://" + strings.Repeat("a.", 127) + "com/",
	"https://example.com/" + strings.Repeat("x", delivery.MaxURL), "https://example.com/" + strings.Repeat("ü", 500),
}

func TestPublicTargetsPass(t *testing.T) {
	g := guard(t, delivery.GuardOptions{})
	for _, raw := range publicURLs {
		u, err := g.CheckURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		} else if u.Host != strings.ToLower(u.Host) {
			t.Errorf("%s: the host stayed %s", raw, u.Host)
		}
	}
}

func TestHostileURLsAreRefused(t *testing.T) {
	g := guard(t, delivery.GuardOptions{})
	for _, raw := range hostileURLs {
		u, err := g.CheckURL(raw)
		refused(t, raw, err)
		if u != nil {
			t.Errorf("%s: a URL came with the refusal", raw)
		}
	}
}

func TestTheSandboxOpensLoopbackAndPlainHTTPAndNothingElse(t *testing.T) {
	g := guard(t, delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true})
	for _, raw := range []string{
		"http://127.0.0.1:5678/webhook", "https://127.0.0.1:5678/", "http://localhost:5678/", "http://[::1]:1/",
		"http://127.9.9.9/", "http://example.com/", "https://example.com/",
	} {
		if _, err := g.CheckURL(raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{
		"http://10.0.0.1/", "http://169.254.169.254/", "http://metadata.google.internal/", "http://0.0.0.0/", "http://127.1/",
		"http://2130706433/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1]/", "http://[::1%25lo]/", "http://example.com:25/",
		"http://127.0.0.1:0/", "http://localhost:65536/",
	} {
		_, err := g.CheckURL(raw)
		refused(t, raw, err)
	}
}

func TestARefusedLocalTargetIsToldAboutWebhookURL(t *testing.T) {
	g := guard(t, delivery.GuardOptions{})
	for _, raw := range []string{"https://localhost:5678/webhook/1", "http://localhost:5678/", "http://127.0.0.1:5678/", "http://192.168.1.9:5678/", "https://[::1]/"} {
		_, err := g.CheckURL(raw)
		if err == nil || !strings.Contains(err.Error(), "set WEBHOOK_URL") || !strings.Contains(err.Error(), "localhost") {
			t.Errorf("%s: got %v, want the sentence about n8n", raw, err)
		}
	}
}

func TestHostileAddressesAreRefusedAtTheDial(t *testing.T) {
	for name, g := range map[string]*delivery.Guard{
		"strict":  guard(t, delivery.GuardOptions{}),
		"sandbox": guard(t, delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true}),
	} {
		for _, ip := range []string{
			"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
			"168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1",
			"192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1",
			"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
			"255.255.255.255",
			"::", "::7f00:1", "::a00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:7f00:1", "64:ff9b::7f00:1",
			"64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:db8::1",
			"2002:7f00:1::1", "2002:a00:1::1", "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fd00:ec2::254",
			"fd20:ce::254", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "ff05::2", "ff0e::1", "2606:4700::1%eth0",
		} {
			for _, scheme := range []string{"http", "https"} {
				err := g.CheckAddr(scheme, "example.com", netip.AddrPortFrom(netip.MustParseAddr(ip), 443))
				refused(t, name+" "+scheme+" "+ip, err)
			}
		}
		refused(t, name+" no address", g.CheckAddr("https", "example.com", netip.AddrPort{}))
		for _, ip := range []string{"127.0.0.1", "127.8.8.8", "::1"} {
			err := g.CheckAddr("http", "example.com", netip.AddrPortFrom(netip.MustParseAddr(ip), 9))
			if (err == nil) != (name == "sandbox") {
				t.Errorf("%s %s: %v", name, ip, err)
			}
		}
		for _, ip := range []string{"8.8.8.8", "93.184.216.34", "168.63.129.17", "2606:4700::1"} {
			if err := g.CheckAddr("https", "example.com", netip.AddrPortFrom(netip.MustParseAddr(ip), 443)); err != nil {
				t.Errorf("%s %s: %v", name, ip, err)
			}
			refused(t, name+" telnet "+ip, g.CheckAddr("https", "example.com", netip.AddrPortFrom(netip.MustParseAddr(ip), 23)))
		}
	}
}

func TestThisMachinesOwnAddressesAreRefusedUnlessAllowed(t *testing.T) {
	own := func() ([]net.Addr, error) {
		return []net.Addr{
			&net.IPNet{IP: net.ParseIP("93.184.216.34"), Mask: net.CIDRMask(24, 32)},
			&net.IPNet{IP: net.ParseIP("2606:4700::7"), Mask: net.CIDRMask(64, 128)},
		}, nil
	}
	strict := guard(t, delivery.GuardOptions{OwnAddrs: own})
	open := guard(t, delivery.GuardOptions{OwnAddrs: own, AllowTargets: []string{"n8n.example.com"}})
	blind := guard(t, delivery.GuardOptions{OwnAddrs: func() ([]net.Addr, error) { return nil, errors.New("no") }})
	for _, text := range []string{"93.184.216.34:443", "[2606:4700::7]:443"} {
		addr := netip.MustParseAddrPort(text)
		refused(t, text, strict.CheckAddr("https", "n8n.example.com", addr))
		refused(t, text+" for another name", open.CheckAddr("https", "example.com", addr))
		refused(t, text+" when unknown", blind.CheckAddr("https", "example.com", addr))
		if err := open.CheckAddr("https", "n8n.example.com", addr); err != nil {
			t.Errorf("%s, allowed: %v", text, err)
		}
	}
	if err := strict.CheckAddr("https", "example.com", netip.MustParseAddrPort("93.184.216.35:443")); err != nil {
		t.Errorf("a neighbour: %v", err)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range publicURLs {
		f.Add(seed)
	}
	for _, seed := range hostileURLs {
		f.Add(seed)
	}
	g := guard(f, delivery.GuardOptions{})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.CheckURL(raw)
		if err != nil {
			refused(t, "a URL", err)
			return
		}
		if u.Scheme != "https" || u.User != nil || u.Fragment != "" {
			t.Errorf("%q passed as %q", raw, u)
		}
		if port := u.Port(); port != "" && port != "443" && port != "8443" {
			t.Errorf("%q passed with port %q", raw, port)
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && (!ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Is4In6() || ip.Zone() != "") {
			t.Errorf("%q passed with address %v", raw, ip)
		}
		again, err := g.CheckURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("%q passed as %q, which then gave %v, %v", raw, u, again, err)
		}
		if parsed, err := url.Parse(u.String()); err != nil || parsed.Host != u.Host {
			t.Errorf("%q passed as %q, which reads as another host", raw, u)
		}
	})
}
