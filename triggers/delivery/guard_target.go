package delivery

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"
)

// TargetError says why a target may not be reached. It does not quote the target: whoever
// holds a webhook URL can post to it, and what a private name resolves to is nobody's affair.
type TargetError struct {
	Problem string // what is wrong, a clause that begins with "the target"
	Hint    string // what to do about it, one or two sentences
	Err     error  // the cause with the address, for logs; may be nil
}

// Error returns the problem and the hint.
func (e *TargetError) Error() string { return e.Problem + ". " + e.Hint }

// Unwrap returns the cause.
func (e *TargetError) Unwrap() error { return e.Err }

const (
	loopbackProblem = "the target is a loopback address"
	privateProblem  = "the target is a private address"
	ownProblem      = "the target is the connector's own machine"
)

// refusePrivate refuses what only the operator can admit. Most often it is an n8n that does not know
// its public address, so everybody is told of that.
func refusePrivate(problem string, cause error) *TargetError {
	return &TargetError{
		Problem: problem,
		Hint: "n8n behind a proxy announces localhost: set WEBHOOK_URL to its public https address. " +
			"Operators admit private targets with --allow-targets.",
		Err: cause,
	}
}

// refuseReserved refuses addresses at which no receiver can be.
func refuseReserved(cause error) *TargetError {
	return &TargetError{
		Problem: "the target is a link-local, metadata, multicast or otherwise reserved address",
		Hint:    "Use the receiver's public https URL.",
		Err:     cause,
	}
}

// refuseForm refuses a URL by its looks.
func refuseForm(problem string) *TargetError {
	return &TargetError{
		Problem: "the target " + problem,
		Hint:    "Use an https URL like https://hooks.example.com/1, copied as the platform shows it.",
	}
}

// orRefusal returns u if err is nil, and err alone otherwise.
func orRefusal(u *url.URL, err error) (*url.URL, error) {
	if err != nil {
		return nil, err
	}
	return u, nil
}

// metadataAddrs hand out a cloud machine's credentials or speak to its host. The first ones
// lie in ranges that are refused anyway, but an operator may have opened those.
var metadataAddrs = map[netip.Addr]bool{
	netip.MustParseAddr("169.254.169.254"): true, // AWS, Azure, Google Cloud and most others
	netip.MustParseAddr("169.254.170.2"):   true, // AWS ECS task credentials
	netip.MustParseAddr("169.254.170.23"):  true, // AWS EKS pod identity
	netip.MustParseAddr("fd00:ec2::254"):   true, // AWS over IPv6
	netip.MustParseAddr("fd00:ec2::23"):    true, // AWS EKS pod identity over IPv6
	netip.MustParseAddr("fd20:ce::254"):    true, // Google Cloud over IPv6
	netip.MustParseAddr("100.100.100.200"): true, // Alibaba Cloud
	netip.MustParseAddr("192.0.0.192"):     true, // Oracle Cloud, classic
	netip.MustParseAddr("168.63.129.16"):   true, // Azure's host, a public address
}

// metadataNames resolve to metadataAddrs inside a cloud.
var metadataNames = map[string]bool{
	"metadata":                   true,
	"metadata.google.internal":   true,
	"metadata.goog":              true,
	"metadata.azure.com":         true,
	"metadata.azure.internal":    true,
	"metadata.tencentyun.com":    true,
	"instance-data":              true,
	"instance-data.ec2.internal": true,
}

// sharedAddrs are behind a provider's NAT, RFC 6598.
var sharedAddrs = netip.MustParsePrefix("100.64.0.0/10")

// Prefixes of IPv6 addresses with an IPv4 address inside, beside that of NAT64 itself.
var (
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
)

// innerAddrs returns the IPv4 addresses that a gateway may read in an IPv6 address. With the local
// prefix of NAT64 that depends on how much of it the gateway was given, which only its operator
// knows, so that each reading of RFC 6052 counts which begins with an octet other than 0.
func innerAddrs(ip netip.Addr) []netip.Addr {
	b := ip.As16()
	last := netip.AddrFrom4([4]byte(b[12:]))
	switch {
	case ssrf.IPv6NAT64Prefix.Contains(ip):
		return []netip.Addr{last}
	case sixToFour.Contains(ip):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	case !localNAT64.Contains(ip):
		return nil
	}
	var all []netip.Addr
	for _, reading := range [][4]byte{{b[6], b[7], b[9], b[10]}, {b[7], b[9], b[10], b[11]}, {b[9], b[10], b[11], b[12]}, last.As4()} {
		if reading[0] != 0 {
			all = append(all, netip.AddrFrom4(reading))
		}
	}
	if all == nil {
		return []netip.Addr{last}
	}
	return all
}

// isLocalName reports whether a name stands for the machine itself by RFC 6761 or by the
// usual hosts files. The name is in lower case.
func isLocalName(host string) bool {
	switch host {
	case "localhost", "localhost6", "ip6-localhost", "ip6-loopback", "loopback":
		return true
	}
	return strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".localdomain") ||
		strings.HasSuffix(host, ".localdomain6")
}

// isName reports whether host is a host name in lower-case ASCII that no resolver can take
// for an address. A last label that begins with a digit does not exist as a domain, but
// makes C libraries read 127.1, 0177.0.0.1, 2130706433 or 0x7f.1 as an address.
func isName(host string) bool {
	if len(host) > 253 {
		return false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	return last[0] < '0' || last[0] > '9'
}

// portOf returns the port of u, the scheme's own if u names none.
func portOf(u *url.URL) (uint16, bool) {
	text := u.Port()
	switch {
	case text == "" && strings.HasSuffix(u.Host, ":"):
		return 0, false
	case text == "" && u.Scheme == "https":
		return 443, true
	case text == "":
		return 80, true
	}
	port, err := strconv.ParseUint(text, 10, 16)
	return uint16(port), err == nil && port != 0
}
