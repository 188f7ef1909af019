package fault

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/miekg/dns"
)

// early are the faults that happen before a request can arrive.
var early = []Fault{
	{Name: "connection-refused", About: "nobody listens at the address", Early: true, place: refused},
	{Name: "dns-failure", About: "the host's name does not exist", Early: true, place: nameless},
	{Name: "tls-self-signed", About: "the certificate is signed by nobody known", Early: true, place: selfSigned},
	{Name: "tls-plain-text", About: "the TLS port speaks plain HTTP", Early: true, place: plainText},
	{Name: "tls-silent", About: "the TLS port accepts connections and says nothing", Early: true, Slow: true, place: silent},
}

// Place is where an early fault happens, until it is closed.
type Place struct {
	// URL is the base URL to call in place of the upstream's.
	URL   string
	close func()
}

// Close gives the address back.
func (p Place) Close() { p.close() }

// Place returns an address at which an early fault happens. It panics for other faults, and where
// loopback has no port left, as httptest does.
func (f Fault) Place() Place {
	if f.place == nil {
		panic("fault: " + f.Name + " has no place; it is injected by a Proxy")
	}
	return f.place()
}

// refused is the near end of a connection: nobody else can have its port, and nobody listens there.
func refused() Place {
	listener := listen()
	defer func() { _ = listener.Close() }()
	held, err := new(net.Dialer).DialContext(context.Background(), "tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	return Place{URL: "http://" + held.LocalAddr().String(), close: func() { _ = held.Close() }}
}

func nameless() Place { return Place{URL: "https://soke.invalid", close: func() {}} }

// NoNames is a resolver that knows no name. Without it the question of dns-failure would leave the
// machine.
func NoNames() *net.Resolver {
	return Resolver(func(question *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(question, dns.RcodeNameError) })
}

// Resolver is a resolver that asks nobody: what answer says is the reply, in this process.
func Resolver(answer func(question *dns.Msg) *dns.Msg) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		asker, answerer := net.Pipe()
		go func() {
			defer func() { _ = answerer.Close() }()
			server := dns.Conn{Conn: answerer}
			for {
				question, err := server.ReadMsg()
				if err != nil || server.WriteMsg(answer(question)) != nil {
					return
				}
			}
		}()
		return asker, nil
	}}
}

func selfSigned() Place {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	return Place{URL: server.URL, close: server.Close}
}

func plainText() Place {
	server := httptest.NewServer(http.NotFoundHandler())
	return Place{URL: strings.Replace(server.URL, "http:", "https:", 1), close: server.Close}
}

// silent leaves connections to the kernel, which accepts them for a listener that never does.
func silent() Place {
	listener := listen()
	return Place{URL: "https://" + listener.Addr().String(), close: func() { _ = listener.Close() }}
}

func listen() net.Listener {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return listener
}
