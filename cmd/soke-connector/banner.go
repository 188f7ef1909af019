package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// announce says, in sandbox mode, what can be pasted next. Colours only where a terminal shows
// them and the user has not asked for none (https://no-color.org).
func (c *serveCommand) announce(p process, services []service) {
	if !c.Sandbox {
		return
	}
	scheme := "http://"
	if services[0].certificate != nil {
		scheme = "https://"
	}
	base := scheme + services[0].listener.Addr().String()
	paint := func(_, s string) string { return s }
	if coloured(p.stdout) {
		paint = func(code, s string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" }
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s %s\n\n", paint("1;32", "Soke connector"), "with the embedded sandbox: no key, no network, nothing to pay")
	fmt.Fprintf(&b, "  service  %s\n", paint("36", base))
	if len(services) > 1 {
		fmt.Fprintf(&b, "  metrics  %s\n", paint("36", "http://"+services[1].listener.Addr().String()+"/metrics"))
	}
	for _, example := range []struct{ says, key, path, body string }{
		{"Research keywords, as Zapier would:", "sk_live_sandbox_active", "/v1/zapier/actions/research-keywords", `{"topic":"home espresso","maxResults":5}`},
		{"Ask the assistant, as n8n would:", "sk_live_sandbox_active", "/v1/n8n/actions/chat-completion", `{"prompt":"Three title ideas for home espresso"}`},
		{"See what Make shows when the subscription has ended:", "sk_live_sandbox_expired", "/v1/make/actions/research-keywords", `{"topic":"home espresso"}`},
	} {
		fmt.Fprintf(&b, "\n%s\n", paint("1", example.says))
		fmt.Fprintf(&b, "curl -s %s%s -H 'X-Soke-Key: %s' -H 'Content-Type: application/json' -d '%s'\n", base, example.path, example.key, example.body)
	}
	fmt.Fprintf(&b, "\nCtrl-C stops it.\n\n")
	_, _ = io.WriteString(p.stdout, b.String())
}

func coloured(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""
}
