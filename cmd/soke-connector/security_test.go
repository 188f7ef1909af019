package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

// SECURITY.md names the tests of this file.

// operatorsPaths is everything that the admin listener serves beyond health.
var operatorsPaths = []struct {
	method, path string
	// guarded calls need the operator's header.
	guarded bool
}{
	{http.MethodGet, "/admin/watches", true}, {http.MethodGet, "/admin/watches/wch_x", true}, {http.MethodGet, "/admin/watches/wch_x/explain?keyword=x", true},
	{http.MethodGet, "/admin/subscriptions/sub_x/deliveries", true}, {http.MethodPost, "/admin/subscriptions/sub_x/replay", true}, {http.MethodPost, "/admin/master-key/rotate", true},
	{http.MethodGet, "/metrics", false}, {http.MethodGet, "/debug/pprof/", false}, {http.MethodGet, "/debug/pprof/cmdline", false},
	{http.MethodGet, "/debug/pprof/symbol", false}, {http.MethodGet, "/debug/pprof/goroutine", false}, {http.MethodGet, "/debug/pprof/heap", false},
}

func TestTheOperatorsPathsAreOnTheAdminListenerAlone(t *testing.T) {
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	for _, c := range operatorsPaths {
		for _, path := range []string{c.path, "/" + c.path, "/v1/zapier/.." + c.path, "/v1/zapier" + c.path, strings.Replace(c.path, "/", "/%2e/", 1), "/;" + c.path} {
			status, body, err := ask(c.method, "http://"+r.address+path, "", adminHeader, "1", "X-Soke-Key", anyKey, "Host", "127.0.0.1", "X-Forwarded-For", "127.0.0.1")
			if err != nil || status != http.StatusNotFound {
				t.Errorf("everybody gets %d for %s %s: %s %v", status, c.method, path, body, err)
			}
		}
		status, body, err := ask(c.method, r.admin()+c.path, "", "X-Soke-Admin", "1", "X-Soke-Key", anyKey, "Origin", r.admin())
		if want := map[bool]int{true: http.StatusForbidden, false: http.StatusOK}[c.guarded]; err != nil || status != want {
			t.Errorf("without the operator's header %s %s answers %d: %s %v", c.method, c.path, status, body, err)
		}
		if status, _, err = ask(c.method, r.admin()+c.path, "", adminHeader, "1"); err != nil || status == http.StatusForbidden {
			t.Errorf("the operator gets %d for %s %s: %v", status, c.method, c.path, err)
		}
	}
	if !strings.HasPrefix(adminHeader, "Sec-") {
		t.Error("a page in a browser may send the operator's header to its own host")
	}
	r.stop()
}

// chat begins a paid call.
const chat = "POST /v1/n8n/actions/chat-completion HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Soke-Key: " + anyKey + "\r\n"

// hidden is a request that a smuggler wants to be taken for one of its own.
const hidden = "GET /openai/v1/models HTTP/1.1\r\nHost: hidden\r\n\r\n"

func TestNothingBehindARequestThatTwoServersMayReadDifferentlyIsAnswered(t *testing.T) {
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "")
	for name, request := range map[string]string{
		"a length and chunks":                   chat + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunks and a length":                   chat + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"chunks and a length of an OPTIONS":     strings.Replace(chat, "POST", "OPTIONS", 1) + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"two lengths":                           chat + "Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}",
		"two lengths in one line":               chat + "Content-Length: 2, 5\r\n\r\n{}",
		"a signed length":                       chat + "Content-Length: +2\r\n\r\n{}",
		"a negative length":                     chat + "Content-Length: -1\r\n\r\n{}",
		"a length in hex":                       chat + "Content-Length: 0x2\r\n\r\n{}",
		"a length beyond all numbers":           chat + "Content-Length: 18446744073709551618\r\n\r\n{}",
		"a coding that is not known":            chat + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"a coding twice":                        chat + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"two codings":                           chat + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"a coding with a control character":     chat + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
		"a blank before the colon":              chat + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"a blank before the colon of a length":  chat + "Content-Length : 2\r\n\r\n{}",
		"a line that begins with a colon":       chat + ": x\r\n\r\n",
		"a name with a blank":                   chat + "X Y: 1\r\n\r\n",
		"a null in a value":                     chat + "X-A: a\x00b\r\n\r\n",
		"a lone line feed in a value":           chat + "X-A: a\rb\r\n\r\n",
		"a first line that is folded":           "GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
		"two hosts":                             "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"no host":                               "GET /healthz HTTP/1.1\r\n\r\n",
		"a host with a path":                    "GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"a version that does not exist":         "GET /healthz HTTP/1.11\r\nHost: a\r\n\r\n",
		"no version":                            "GET /healthz\r\nHost: a\r\n\r\n",
		"a tab in the first line":               "GET\t/healthz\tHTTP/1.1\r\nHost: a\r\n\r\n",
		"a verb that is none":                   "G\x01T /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
		"an extension of a chunk without end":   chat + "Transfer-Encoding: chunked\r\n\r\n2;" + strings.Repeat("a", 10_000) + "\r\n{}\r\n0\r\n\r\n",
		"a chunk that is longer than it says":   chat + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}}}\r\n0\r\n\r\n",
		"a chunk in decimal with an underscore": chat + "Transfer-Encoding: chunked\r\n\r\n0_2\r\n{}\r\n0\r\n\r\n",
		"a chunk beyond all numbers":            chat + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
		"a chunk that ends with a line feed":    chat + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\n0\r\n\r\n",
	} {
		if answers, said := statuses(t, r.address, request+hidden); len(answers) != 1 || answers[0] < 400 {
			t.Errorf("%s is answered with %v:\n%s", name, answers, said)
		}
	}
	// Of what net/http reads leniently, it makes what any other server makes of it.
	for name, c := range map[string]struct {
		request string
		want    []int
	}{
		"a head that is folded": {"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n Content-Length: 5\r\n\r\n" + hidden, []int{200, 401}},
		"bare line feeds":       {"GET /healthz HTTP/1.1\nHost: a\n\n" + hidden, []int{200, 401}},
		"the same length twice": {"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + hidden, []int{405, 401}},
	} {
		if answers, said := statuses(t, r.address, c.request); fmt.Sprint(answers) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v\n%s", name, answers, c.want, said)
		}
	}
	if strings.Contains(r.log(), anyKey) {
		t.Error("the log holds the key")
	}
}

// statuses sends bytes and returns the statuses of all that is answered until the peer has no more.
func statuses(t *testing.T, address, request string) (all []int, said string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, request) // it may be refused before it is sent
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	var text strings.Builder
	read := bufio.NewReader(io.TeeReader(conn, &text))
	for {
		answer, err := http.ReadResponse(read, nil)
		if err != nil {
			return all, text.String()
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		all = append(all, answer.StatusCode)
	}
}

func TestHostileTextsMakeNoSecondRecordInEitherFormOfTheLog(t *testing.T) {
	texts := []string{
		"a\nb", "a\r\nb", "\n" + `{"level":"ERROR","msg":"forged"}`, "\ntime=2026-01-01T00:00:00Z level=ERROR msg=forged", "a\u2028b", "a\u0085b", "\x1b[2J", "\u009b31m", "\x00", "\u202e", `" msg=forged x="`, "a b=c",
	}
	box := sandbox.New(sandbox.Options{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/research/keywords") {
			box.ServeHTTP(w, r)
			return
		}
		text, _ := json.Marshal(strings.Join(texts, " "))
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"success":false,"error":{"code":"BAD_REQUEST","message":%[1]s},"meta":{"request_id":%[1]s}}`, text)
	}))
	defer upstream.Close()
	for _, form := range []string{"json", "text"} {
		r := launch(t, nil, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "", "--log-format", form, "--log-level", "debug", "--upstream-url", upstream.URL, "--database", filepath.Join(t.TempDir(), "a.db"))
		record := textRecord
		if form == "json" {
			record = jsonRecord
		}
		r.address = record(r.stderr.line(t, "listening"))["address"]
		for _, text := range texts {
			encoded, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			var escaped strings.Builder
			for _, b := range []byte(text) {
				fmt.Fprintf(&escaped, "%%%02X", b)
			}
			for _, path := range []string{"/v1/zapier/actions/research-keywords?x=" + escaped.String(), "/v1/zapier/triggers/new-keyword/poll", "/v1/zapier/actions/" + escaped.String(), "/" + escaped.String()} {
				visible := strings.Map(func(c rune) rune {
					if c < ' ' {
						return -1 // no header can hold it
					}
					return c
				}, text)
				status, _, err := ask(http.MethodPost, "http://"+r.address+path, fmt.Sprintf(`{"topic":%s}`, encoded), "X-Soke-Key", anyKey, "Content-Type", "application/json",
					"X-Request-Id", visible, "User-Agent", visible, "X-Forwarded-For", visible, "Idempotency-Key", visible)
				if err != nil || status < 400 || status > 499 {
					t.Errorf("%s %q: %d %v", path, text, status, err)
				}
			}
		}
		r.stop()
		requests := 0
		for line := range strings.Lines(r.log()) {
			line = strings.TrimSuffix(line, "\n")
			fields := record(line)
			if fields["msg"] == "" || fields["msg"] == "forged" || fields["level"] == "" || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || 0x7f <= c && c < 0xa0 }) {
				t.Errorf("%s: this is no record: %q", form, line)
			}
			if fields["msg"] == "request" {
				requests++
			}
		}
		if want := 4 * len(texts); requests != want {
			t.Errorf("%s: %d records of requests, want %d:\n%s", form, requests, want, r.log())
		}
		if strings.Contains(r.log(), anyKey) {
			t.Errorf("%s: the log holds the key", form)
		}
	}
}

func jsonRecord(line string) map[string]string {
	var record map[string]any
	_ = json.Unmarshal([]byte(line), &record) // a line that is no record has no fields
	fields := map[string]string{}
	for name, value := range record {
		fields[name] = fmt.Sprint(value)
	}
	return fields
}

// textRecord reads name=value pairs, a value with blanks in quotes.
func textRecord(line string) map[string]string {
	fields := map[string]string{}
	for line != "" {
		name, rest, ok := strings.Cut(line, "=")
		if !ok || strings.ContainsAny(name, `" `) {
			return nil
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			end := 1
			for end < len(rest) && rest[end] != '"' {
				if rest[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(rest) {
				return nil
			}
			value, line = rest[1:end], strings.TrimPrefix(rest[end+1:], " ")
		} else {
			value, line, _ = strings.Cut(rest, " ")
		}
		if _, twice := fields[name]; twice {
			return nil
		}
		fields[name] = value
	}
	return fields
}

func TestNoRefusalOfAURLQuotesItsPassword(t *testing.T) {
	const password = "canary"
	for _, args := range [][]string{
		{"serve", "--public-url", "https://user:" + password + "@connector.example.com/"},
		{"serve", "--public-url", "https://user:" + password + "@connector.example.com:x/"},
		{"serve", "--upstream-url", "https://user:" + password + "@soke.example.com/"},
		{"serve", "--upstream-url", "https://user:" + password + "@soke.example.com:x/"},
		{"export", "zapier", "--url", "https://user:" + password + "@connector.example.com", "--out", t.TempDir()},
		{"export", "zapier", "--url", "https://connector.example.com?key=" + password, "--out", t.TempDir()},
		{"watches", "list", "--admin", "http://user:" + password + "@127.0.0.1:x"},
		{"watches", "list", "--admin", "http://user:" + password + "@127.0.0.1:1"},
	} {
		r := launch(t, nil, args...)
		if code, said := r.exit(), r.log()+r.stdout.String(); code == exitOK || said == "" || strings.Contains(said, password) {
			t.Errorf("%q: exit code %d: %s", args, code, said)
		}
	}
}
