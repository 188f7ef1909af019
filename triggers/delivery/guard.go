package delivery

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"

	"github.com/usesoke/soke-connector/connector/soke"
)

// MaxURL is the longest target URL accepted, in bytes.
const MaxURL = 2048

// GuardOptions say what a Guard lets through beyond public https targets.
type GuardOptions struct {
	// AllowLoopback admits loopback targets on any port. It is for the sandbox.
	AllowLoopback bool
	// AllowPlainHTTP admits http, and with it port 80, for every target. It is for the sandbox.
	AllowPlainHTTP bool
	// AllowTargets are the CIDRs, IP addresses and host names that targets may reach by http
	// or https on any port although they are private. A name matches exactly and admits the
	// private and loopback addresses that it resolves to. A metadata address is admitted by
	// nothing but an entry for that one address.
	AllowTargets []string
	// RootCAs are the authorities trusted for targets; nil is the system's.
	RootCAs *x509.CertPool
	// Resolver looks names up; nil is Go's own resolver. The one of the C library reads
	// 127.1 and 0x7f000001 as addresses.
	Resolver *net.Resolver
	// OwnAddrs returns the addresses of this machine; nil is net.InterfaceAddrs. A target on
	// one of them could reach what a firewall hides from everybody else.
	OwnAddrs func() ([]net.Addr, error)
}

// Guard decides which targets the connector may reach. It judges the URL when someone
// subscribes and the address itself at the moment of dialling; only the latter can be relied
// on, because a name may resolve differently each time. A Guard is safe for concurrent use.
type Guard struct {
	loopback, plain bool
	allowed         allowList
	public          *ssrf.Guardian
	roots           *x509.CertPool
	resolver        *net.Resolver
	own             func() ([]net.Addr, error)
}

// NewGuard returns a Guard, or an error that names the entry of AllowTargets that is wrong.
func NewGuard(o GuardOptions) (*Guard, error) {
	allowed, err := parseAllowList(o.AllowTargets)
	if err != nil {
		return nil, err
	}
	g := &Guard{
		loopback: o.AllowLoopback, plain: o.AllowPlainHTTP, allowed: allowed,
		public: ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork()),
		roots:  o.RootCAs, resolver: o.Resolver, own: o.OwnAddrs,
	}
	if g.resolver == nil {
		g.resolver = &net.Resolver{PreferGo: true}
	}
	if g.own == nil {
		g.own = net.InterfaceAddrs
	}
	return g, nil
}

// CheckURL returns the target URL in raw with its host in lower case, or a *TargetError. It
// looks nothing up: what a name resolves to is for CheckHost and for the dialler.
func (g *Guard) CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > MaxURL || err == nil && len(u.String()) > MaxURL:
		return nil, refuseForm("is longer than " + strconv.Itoa(MaxURL) + " bytes")
	case err != nil || u.Opaque != "" || u.Host == "":
		return nil, refuseForm("is not a complete URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, refuseForm("is neither https nor http")
	case u.User != nil:
		return nil, refuseForm("carries a user name")
	case strings.Contains(raw, "#"):
		return nil, refuseForm("carries a fragment")
	case soke.HoldsSecret(u.Host):
		return nil, refuseForm("has an API key or a token in its host name, which is kept in clear")
	}
	u.Host = strings.ToLower(u.Host)
	port, ok := portOf(u)
	if !ok {
		return nil, refuseForm("has a port that is not a number from 1 to 65535")
	}
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		return orRefusal(u, g.CheckAddr(u.Scheme, host, netip.AddrPortFrom(ip, port)))
	}
	if !isName(host) {
		return nil, refuseForm("has a host that is neither a plain name nor an IP address in its usual form")
	}
	switch local := isLocalName(host); {
	case g.allowed.name(host), local && g.loopback:
		return u, nil
	case local:
		return nil, refusePrivate(loopbackProblem, nil)
	case metadataNames[host]:
		return nil, refuseReserved(nil)
	case len(g.allowed.prefixes) > 0:
		return u, nil // the name may resolve into one of them, which only dialling tells
	}
	return orRefusal(u, g.checkPublic(u.Scheme, port))
}

// CheckHost looks up the host of a URL that CheckURL accepted, and returns a *TargetError if
// none of its addresses may be reached. A lookup that fails is no refusal: deliveries are
// retried until the name resolves. The caller bounds the lookup by ctx.
func (g *Guard) CheckHost(ctx context.Context, u *url.URL) error {
	port, _ := portOf(u)
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	var refusal error
	for _, ip := range addrs {
		err := g.CheckAddr(u.Scheme, u.Hostname(), netip.AddrPortFrom(ip.Unmap(), port))
		if err == nil {
			return nil
		}
		refusal = err
	}
	return refusal
}

// CheckAddr judges the address that is about to be dialled for a URL with this scheme and
// host, and returns a *TargetError if it may not be. Every connection of a Client passes it.
func (g *Guard) CheckAddr(scheme, host string, addr netip.AddrPort) error {
	trusted, err := g.admit(host, addr.Addr())
	if trusted || err != nil {
		return err
	}
	return g.checkPublic(scheme, addr.Port())
}

// admit reports whether ip may be reached for host and, if so, whether it is trusted: free
// to be used in the clear and on any port.
func (g *Guard) admit(host string, ip netip.Addr) (trusted bool, err error) {
	named := g.allowed.name(host)
	refusal := g.public.SafeAddr(ip)
	switch {
	case !ip.IsValid() || ip.Is4In6() || ip.Zone() != "":
		return false, refuseReserved(refusal)
	case metadataAddrs[ip]:
		if g.allowed.addr(ip) {
			return true, nil
		}
		return false, refuseReserved(refusal)
	case g.allowed.contains(ip):
		return g.admitInner(host, ip)
	case ip.IsLoopback():
		if named || g.loopback {
			return true, nil
		}
		return false, refusePrivate(loopbackProblem, refusal)
	case ip.IsPrivate() || sharedAddrs.Contains(ip):
		if named {
			return true, nil
		}
		return false, refusePrivate(privateProblem, refusal)
	case refusal != nil:
		return false, refuseReserved(refusal)
	case named:
		return true, nil
	}
	own, err := g.own()
	if err != nil {
		return false, refuseReserved(err)
	}
	for _, a := range own {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == ip {
			return false, refusePrivate(ownProblem, nil)
		}
	}
	return false, nil
}

// admitInner judges the IPv4 addresses that a gateway on the way to an allowed address may dial
// instead of it. An address without any is trusted.
func (g *Guard) admitInner(host string, ip netip.Addr) (trusted bool, err error) {
	trusted = true
	for _, inner := range innerAddrs(ip) {
		also, err := g.admit(host, inner)
		if err != nil {
			return false, err
		}
		trusted = trusted && also
	}
	return trusted, nil
}

// checkPublic holds public targets to TLS and to the ports of web servers, so that the
// connector cannot be used to knock at others.
func (g *Guard) checkPublic(scheme string, port uint16) error {
	switch {
	case scheme != "https" && !g.plain:
		return refuseForm("is http, which the connector sends nothing over")
	case port == 443, port == 8443, port == 80 && g.plain:
		return nil
	}
	return refuseForm("has a port other than 443 and 8443")
}
