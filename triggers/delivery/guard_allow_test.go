package delivery_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

func TestAllowedTargetsPassAndOnlyThey(t *testing.T) {
	g := guard(t, delivery.GuardOptions{AllowTargets: []string{
		"10.1.0.0/16", " 192.168.7.7 ", "fd12::/16", "N8N.internal", "100.64.0.0/10", "64:ff9b::/96",
	}})
	for _, row := range []struct {
		url, addr string // addr: what the name resolves to, "" for a literal
		ok        bool
	}{
		{"http://10.1.2.3:5678/", "10.1.2.3", true},
		{"https://10.2.0.1/", "10.2.0.1", false},
		{"http://192.168.7.7/", "192.168.7.7", true},
		{"http://192.168.7.8/", "192.168.7.8", false},
		{"http://[fd12::5]:5678/", "fd12::5", true},
		{"http://[fd13::5]/", "fd13::5", false},
		{"http://n8n.INTERNAL:5678/", "172.18.0.4", true},
		{"http://n8n.internal:5678/", "127.0.0.1", true},
		{"http://n8n.internal:5678/", "93.184.216.34", true},
		{"http://n8n.internal:5678/", "169.254.169.254", false},
		{"http://n8n.internal:5678/", "168.63.129.16", false},
		{"http://n8n.internal:5678/", "fd00:ec2::254", false},
		{"http://n8n.internal:5678/", "0.0.0.0", false},
		{"http://n8n.internal:5678/", "fe80::1", false},
		{"http://n8n.internal:5678/", "224.0.0.1", false},
		{"http://n8n.internal:5678/", "::ffff:10.1.2.3", false},
		{"http://x.n8n.internal:5678/", "172.18.0.4", false},
		{"http://docker-name:5678/", "10.1.2.3", true},
		{"http://docker-name:5678/", "10.2.2.3", false},
		{"http://docker-name/", "93.184.216.34", false},
		{"https://docker-name:5678/", "93.184.216.34", false},
		{"https://docker-name/", "93.184.216.34", true},
		{"https://shared.example/", "100.64.9.9", true},
		{"https://shared.example/", "100.100.100.200", false},
		{"https://nat64.example/", "64:ff9b::93.184.216.34", true},
		{"https://nat64.example:22/", "64:ff9b::93.184.216.34", false},
		{"https://nat64.example/", "64:ff9b::10.1.2.3", true},
		{"https://nat64.example/", "64:ff9b::10.2.2.3", false},
		{"https://nat64.example/", "64:ff9b::169.254.169.254", false},
		{"http://localhost:5678/", "127.0.0.1", false},
	} {
		u, err := g.CheckURL(row.url)
		if err == nil {
			port := map[string]uint16{"http": 80, "https": 443}[u.Scheme]
			if p := u.Port(); p == "5678" {
				port = 5678
			} else if p == "22" {
				port = 22
			}
			err = g.CheckAddr(u.Scheme, u.Hostname(), netip.AddrPortFrom(netip.MustParseAddr(row.addr), port))
		}
		if row.ok && err != nil {
			t.Errorf("%s at %s: %v", row.url, row.addr, err)
		}
		if !row.ok {
			refused(t, row.url+" at "+row.addr, err)
		}
	}
}

func TestAnIPv4AddressInsideAnAllowedOneIsJudgedToo(t *testing.T) {
	g := guard(t, delivery.GuardOptions{AllowTargets: []string{"10.1.0.0/16", "2002::/16", "64:ff9b::/96", "64:ff9b:1::/48"}})
	for _, row := range []struct {
		addr string
		ok   bool
	}{
		{"2002:5db8:d822::1", true}, // 93.184.216.34
		{"2002:a01:203::1", true},   // 10.1.2.3
		{"2002:a02:203::1", false},
		{"2002:7f00:1::1", false},
		{"2002:a9fe:a9fe::1", false},
		{"2002::1", false},
		{"64:ff9b::93.184.216.34", true},
		{"64:ff9b::10.2.2.3", false},
		{"64:ff9b:1::93.184.216.34", true},
		{"64:ff9b:1::10.1.2.3", true},
		{"64:ff9b:1::10.2.2.3", false},
		{"64:ff9b:1::127.0.0.1", false},
		{"64:ff9b:1::169.254.169.254", false},
		{"64:ff9b:1::", false},
		// The same with the shorter prefixes of RFC 6052: /48, /56 and /64.
		{"64:ff9b:1:5db8:d8:2200::", true},
		{"64:ff9b:1:a9fe:a9:fe00::", false},
		{"64:ff9b:1:7f:0:100::", false},
		{"64:ff9b:1:0:a9:fea9:fe00:0", false},
		// Whichever prefix the gateway has, what it reads must be allowed.
		{"64:ff9b:1:a9fe:a9:fe00:5db8:d822", false},
		{"64:ff9b:1:5db8:d8:2200:a9fe:a9fe", false},
	} {
		err := g.CheckAddr("https", "example.com", netip.AddrPortFrom(netip.MustParseAddr(row.addr), 443))
		if row.ok && err != nil {
			t.Errorf("%s: %v", row.addr, err)
		}
		if !row.ok {
			refused(t, row.addr, err)
		}
	}
	for _, addr := range []string{"2002:5db8:d822::1", "64:ff9b:1::93.184.216.34"} {
		refused(t, "plain http to "+addr, g.CheckAddr("http", "example.com", netip.AddrPortFrom(netip.MustParseAddr(addr), 80)))
	}
}

func TestOnlyAnEntryOfItsOwnOpensAMetadataAddress(t *testing.T) {
	addr := netip.MustParseAddrPort("169.254.169.254:80")
	for entry, ok := range map[string]bool{
		"169.254.0.0/16": false, "metadata.google.internal": false,
		"169.254.169.254": true, "169.254.169.254/32": true,
	} {
		err := guard(t, delivery.GuardOptions{AllowTargets: []string{entry}}).
			CheckAddr("http", "metadata.google.internal", addr)
		if (err == nil) != ok {
			t.Errorf("with %s: got %v", entry, err)
		}
	}
}

func TestWrongAllowedTargetsAreExplained(t *testing.T) {
	for entry, hint := range map[string]string{
		"":                  "is empty",
		"  ":                "is empty",
		"10.0.0.1/8":        "write 10.0.0.0/8",
		"10.0.0.0/33":       "not a CIDR",
		"0.0.0.0/0":         "every address",
		"::/0":              "every address",
		"::ffff:10.0.0.1":   "dotted form",
		"::ffff:a00:0/104":  "dotted form",
		"fe80::1%eth0":      "without a zone",
		"*.example.com":     "wildcards",
		"https://n8n":       "without scheme",
		"n8n:5678":          "without a port",
		"10.1":              "is not a CIDR, an IP address or a host name",
		"0x7f000001":        "is not a CIDR, an IP address or a host name",
		"host name":         "is not a CIDR, an IP address or a host name",
		"example.com/hooks": "not a CIDR",
	} {
		_, err := delivery.NewGuard(delivery.GuardOptions{AllowTargets: []string{"10.0.0.0/8", entry}})
		if err == nil || !strings.Contains(err.Error(), hint) || !strings.Contains(err.Error(), `"`+entry+`"`) {
			t.Errorf("%q: got %v, want it named and %q", entry, err, hint)
		}
	}
}
