package delivery

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// allowList is what an operator lets through although it is private.
type allowList struct {
	prefixes []netip.Prefix
	names    map[string]bool
}

// parseAllowList reads CIDRs, IP addresses and host names. Its errors name the entry and say
// what to write instead, for the operator at the command line.
func parseAllowList(entries []string) (allowList, error) {
	list := allowList{names: make(map[string]bool)}
	for _, entry := range entries {
		prefix, name, err := parseAllowed(strings.ToLower(strings.TrimSpace(entry)))
		switch {
		case err != nil:
			return allowList{}, fmt.Errorf("allowed target %q: %w", entry, err)
		case name != "":
			list.names[name] = true
		default:
			list.prefixes = append(list.prefixes, prefix)
		}
	}
	return list, nil
}

func parseAllowed(entry string) (netip.Prefix, string, error) {
	none := netip.Prefix{}
	if entry == "" {
		return none, "", fmt.Errorf("is empty")
	}
	if ip, err := netip.ParseAddr(entry); err == nil {
		if ip.Is4In6() || ip.Zone() != "" {
			return none, "", fmt.Errorf("write the address without a zone, an IPv4 address in dotted form")
		}
		return netip.PrefixFrom(ip, ip.BitLen()), "", nil
	}
	if prefix, err := netip.ParsePrefix(entry); err == nil {
		switch {
		case prefix.Addr().Is4In6():
			return none, "", fmt.Errorf("write the IPv4 range in dotted form")
		case prefix.Bits() == 0:
			return none, "", fmt.Errorf("would admit every address; list the ranges that are needed")
		case prefix != prefix.Masked():
			return none, "", fmt.Errorf("has bits beyond its mask; write %s", prefix.Masked())
		}
		return prefix, "", nil
	}
	switch {
	case strings.Contains(entry, "://"):
		return none, "", fmt.Errorf("write the host name alone, without scheme and path")
	case strings.Contains(entry, "*"):
		return none, "", fmt.Errorf("names match exactly; wildcards are not supported")
	case strings.Contains(entry, "/"):
		return none, "", fmt.Errorf("is not a CIDR such as 10.0.0.0/8")
	case strings.Contains(entry, ":"):
		return none, "", fmt.Errorf("write the host name alone, without a port; every port is allowed")
	case !isName(entry):
		return none, "", fmt.Errorf("is not a CIDR, an IP address or a host name")
	}
	return none, entry, nil
}

// name reports whether the host is listed by its name. The host is in lower case.
func (l allowList) name(host string) bool { return l.names[host] }

// contains reports whether an entry covers ip.
func (l allowList) contains(ip netip.Addr) bool {
	for _, p := range l.prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// addr reports whether ip has an entry for itself alone.
func (l allowList) addr(ip netip.Addr) bool {
	for _, p := range l.prefixes {
		if p.IsSingleIP() && p.Addr() == ip {
			return true
		}
	}
	return false
}

// Allowed reports whether the operator has allowed the host of a URL by its name or its address,
// or loopback as a whole.
func (g *Guard) Allowed(u *url.URL) bool {
	host := u.Hostname()
	if g.allowed.name(host) || g.loopback && isLocalName(host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (g.allowed.contains(ip.Unmap()) || g.loopback && ip.Unmap().IsLoopback())
}
