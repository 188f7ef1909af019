package connector_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// messages is a conversation of n messages.
func messages(n int) string {
	return `{"messages":[` + strings.TrimSuffix(strings.Repeat(`{"role":"user","content":"x"},`, n), ",") + `]}`
}

func TestEveryBoundOfAnInputHoldsAtItsEdge(t *testing.T) {
	w := startWatching(t, withUpstream(&anySoke{}))
	const research, chat, poll = "/v1/zapier/actions/research-keywords", "/v1/n8n/actions/chat-completion", "/v1/make/triggers/new-keyword/poll"
	text := func(field string) func(int) string {
		return func(n int) string { return fmt.Sprintf(`{%q:%q}`, field, strings.Repeat("é", n)) }
	}
	number := func(field string) func(int) string {
		return func(n int) string { return fmt.Sprintf(`{%q:%d}`, field, n) }
	}
	header := func(name string) func(int) []string {
		return func(n int) []string { return []string{name, strings.Repeat("a", n)} }
	}
	plain := func(int) string { return `{"topic":"x"}` }
	for _, c := range []struct {
		name, path string
		least      int // 0: there is none
		most       int
		body       func(int) string
		head       func(int) []string
		field      string
	}{
		{"topic", research, 0, 200, text("topic"), nil, "topic"},
		{"topic of a watch", poll, 0, 200, text("topic"), nil, "topic"},
		{"niche", research, 0, 100, text("niche"), nil, "niche"},
		{"platform", research, 0, 50, text("platform"), nil, "platform"},
		{"maxResults", research, 1, 50, number("maxResults"), nil, "maxResults"},
		{"recencyDays", research, 1, 3650, number("recencyDays"), nil, "recencyDays"},
		{"limit", poll, 1, 100, number("limit"), nil, "limit"},
		{"prompt", chat, 0, 32000, text("prompt"), nil, "prompt"},
		{"messages", chat, 1, 100, messages, nil, "messages"},
		{"a message", chat, 0, 32000, func(n int) string {
			return fmt.Sprintf(`{"messages":[{"role":"user","content":%q}]}`, strings.Repeat("é", n))
		}, nil, "messages[0].content"},
		{"Idempotency-Key", research, 0, 255, plain, header("Idempotency-Key"), "Idempotency-Key"},
		{"account", research, 0, 128, plain, header("X-Soke-Account-Id"), "X-Soke-Account-Id"},
	} {
		ask := func(n int) answer {
			var head []string
			if c.head != nil {
				head = c.head(n)
			}
			return w.post(c.path, c.body(n), head...)
		}
		inside, outside := []int{c.most}, []int{c.most + 1}
		if c.least > 0 {
			inside, outside = append(inside, c.least), append(outside, c.least-1)
		}
		for _, n := range inside {
			if a := ask(n); a.status != http.StatusOK {
				t.Errorf("%s of %d: %d %s", c.name, n, a.status, a.body)
			}
		}
		for _, n := range outside {
			a := ask(n)
			if e := a.failure(t); a.status != http.StatusBadRequest || e["code"] != "INVALID_INPUT" || c.name != "messages" && e["field"] != c.field {
				t.Errorf("%s of %d: %d %s", c.name, n, a.status, a.body)
			}
		}
	}
}

func TestABodyMayHaveOneMiBAndNotAByteMore(t *testing.T) {
	u := &anySoke{}
	w := startWatching(t, withUpstream(u))
	paths := map[string]string{
		"/v1/make/soke/content/score":       "{}",
		"/openai/v1/chat/completions":       `{"messages":[{"role":"user","content":"x"}]}`,
		"/v1/n8n/actions/research-keywords": `{"topic":"x"}`,
		"/v1/n8n/triggers/new-keyword/poll": `{"topic":"x"}`,
	}
	for path, body := range paths {
		full := body + strings.Repeat(" ", 1<<20-len(body))
		for _, chunked := range []bool{false, true} {
			for _, more := range []string{"", " "} {
				var r io.Reader = strings.NewReader(full + more)
				if chunked {
					r = io.MultiReader(r) // its length is not known
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, r)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("X-Soke-Key", activeKey)
				resp, err := w.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if want := map[string]int{"": http.StatusOK, " ": http.StatusRequestEntityTooLarge}[more]; resp.StatusCode != want {
					t.Errorf("%s with %d bytes, chunked %t: %d", path, 1<<20+len(more), chunked, resp.StatusCode)
				}
			}
		}
	}
	// The watch of the poll was researched once.
	if n := u.arrived.Load(); n != int64(2*(len(paths)-1)+1) {
		t.Errorf("%d calls reached Soke", n)
	}
}

func TestABodyMadeToCostMuchIsRefusedBeforeSokeIsAsked(t *testing.T) {
	u := &anySoke{}
	w := startWatching(t, withUpstream(u))
	nested := func(open, within, closed string, n int) string {
		return strings.Repeat(open, n) + within + strings.Repeat(closed, n)
	}
	bodies := map[string]string{
		"a list in lists":        `{"topic":` + nested("[", "", "]", 250_000) + `}`,
		"an object in objects":   nested(`{"topic":`, "1", "}", 80_000),
		"33 levels":              `{"topic":` + nested("[", "", "]", 32) + `}`,
		"32 levels":              `{"topic":` + nested("[", "", "]", 31) + `}`,
		"lists without an end":   strings.Repeat("[", 1<<20-100),
		"objects without an end": strings.Repeat(`{"a":`, 200_000),
		"many fields":            `{` + many(60_000) + `"topic":"x"}`,
		"one long name":          `{"` + strings.Repeat("a", 1<<20-100) + `":1}`,
		"many messages":          messages(30_000),
		"a topic of a megabyte":  `{"topic":"` + strings.Repeat("x", 1<<20-100) + `"}`,
		"escapes of a megabyte":  `{"topic":"` + strings.Repeat(`\u0041`, 170_000) + `"}`,
		"a megabyte of digits":   `{"maxResults":` + strings.Repeat("9", 1<<20-100) + `}`,
		"many items":             `{"topic":` + list("1", 500_000) + `}`,
		"many lists":             `{"topic":` + list("[]", 340_000) + `}`,
		"many objects":           `{"messages":` + list("{}", 340_000) + `}`,
		"many small fields":      `{"topic":{` + many(90_000) + `"x":1}}`,
		"many items in a text":   `{"messages":"` + list("1", 500_000) + `"}`,
		"10,001 values":          `{"topic":` + list("1", 9_999) + `}`,
		"10,000 values":          `{"topic":` + list("1", 9_998) + `}`,
	}
	for _, number := range []string{"1e400", "-1e400", "1e308", "9223372036854775808", "18446744073709551617", "20.5", "-1", "1e-400", "0x14", "NaN", "Infinity", `"１２"`, "1e1000000000"} {
		bodies["maxResults "+number] = `{"maxResults":` + number + `}`
	}
	w.post("/v1/make/estimate", "{}") // connects
	for _, path := range []string{"/v1/zapier/actions/research-keywords", "/v1/n8n/actions/chat-completion", "/v1/make/triggers/new-keyword/poll", "/v1/make/estimate"} {
		for name, body := range bodies {
			if strings.HasSuffix(path, "estimate") {
				body = `{"action":"research-keywords",` + strings.TrimPrefix(body, "{")
			}
			a, cost := w.cost(path, body)
			if e := a.failure(t); a.status != http.StatusBadRequest || e["code"] != "INVALID_INPUT" || len(a.body) > 4096 || cost > dear {
				t.Errorf("%s with %s: %d %.500s, for %d bytes", path, name, a.status, a.body, cost)
			}
			if values := strings.HasSuffix(name, ",000 values") || strings.HasSuffix(name, ",001 values"); values && !strings.HasSuffix(path, "estimate") && strings.Contains(string(a.body), "at most 10000 fields and items") != (name == "10,001 values") {
				t.Errorf("%s with %s: %s", path, name, a.body)
			}
			if strings.HasSuffix(name, " levels") && strings.Contains(string(a.body), "nested too deeply") != (name == "33 levels") {
				t.Errorf("%s with %s: %s", path, name, a.body)
			}
		}
	}
	for _, path := range []string{"/openai/v1/chat/completions", "/v1/zapier/soke/content/score"} {
		for _, name := range []string{"a list in lists", "an object in objects", "lists without an end", "objects without an end"} {
			if a := w.post(path, bodies[name]); a.status != http.StatusBadRequest {
				t.Errorf("%s with %s: %d %.500s", path, name, a.status, a.body)
			}
		}
	}
	parts := list(`{"type":"text"}`, 40)
	if a, cost := w.cost("/openai/v1/chat/completions", `{`+strings.Repeat(`"messages":`+list("{}", 9_000)+`,`, 30)+`"x":1}`); a.status != http.StatusBadRequest || a.failure(t)["param"] != "messages" || cost > dear {
		t.Errorf("OpenAI's chat with many lists of messages: %d %s, for %d bytes", a.status, a.body, cost)
	}
	for name, body := range map[string]string{
		"many messages":               bodies["many objects"],
		"many messages of a sort":     messages(30_000),
		"many parts":                  `{"messages":[{"role":"user","content":` + list("{}", 340_000) + `}]}`,
		"many parts of many messages": `{"messages":` + list(`{"role":"user","content":`+parts+`}`, 1_000) + `}`,
	} {
		a, cost := w.cost("/openai/v1/chat/completions", body)
		if e := a.failure(t); a.status != http.StatusBadRequest || e["type"] != "invalid_request_error" || !strings.Contains(string(a.body), "at most 10000 messages and parts") || cost > dear {
			t.Errorf("OpenAI's chat with %s: %d %.500s, for %d bytes", name, a.status, a.body, cost)
		}
	}
	if n := u.arrived.Load(); n != 0 {
		t.Errorf("%d calls reached Soke", n)
	}
}

// dear is more than a request of 1 MiB needs, in bytes allocated on both of its sides.
const dear = 16 << 20

// cost posts a body and returns what that allocated.
func (s *service) cost(path, body string) (answer, uint64) {
	s.t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a := s.post(path, body)
	runtime.ReadMemStats(&after)
	return a, after.TotalAlloc - before.TotalAlloc
}

func TestALargeBodyThatIsMeantPasses(t *testing.T) {
	w := startWatching(t, withUpstream(&anySoke{}))
	const chat, openAI = "/v1/n8n/actions/chat-completion", "/openai/v1/chat/completions"
	said := strings.Repeat("é", 5_000)
	tools := list(`{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"enum":`+list("1", 200)+`}}}}}`, 1_000)
	for name, c := range map[string]struct{ path, body string }{
		"a long prompt":           {chat, `{"prompt":"` + strings.Repeat("é", 32_000) + `"}`},
		"100 long messages":       {chat, `{"messages":` + list(`{"role":"user","content":"`+said+`"}`, 100) + `}`},
		"100 messages in a text":  {chat, fmt.Sprintf(`{"messages":%q}`, list(`{"role":"user","content":"x"}`, 100))},
		"a raw call of many":      {"/v1/make/soke/content/score", `{"a":` + list("1", 520_000) + `}`},
		"OpenAI's with its tools": {openAI, `{"messages":` + list(`{"role":"user","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]}`, 2_000) + `,"tools":` + tools + `}`},
	} {
		if a := w.post(c.path, c.body); a.status != http.StatusOK {
			t.Errorf("%s: %d %.500s", name, a.status, a.body)
		}
	}
}

// list is a list of n times the same.
func list(item string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
}

// many is that many fields of an object.
func many(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, `"f%d":1,`, i)
	}
	return all.String()
}

func TestNoSpellingOfAScheduleRunsMoreOftenThanTheOperatorAllows(t *testing.T) {
	u := &anySoke{}
	w := startWatching(t, withUpstream(u)) // 15 minutes
	for _, schedule := range []string{
		"@every 1s", "@every 14m59s", "@every 14m59.999s", "@every 0h1m", "@every 1ns", "@every 0s", "@every -1h", "@every 1us", "@every 899s",
		"* * * * *", "*/1 * * * *", "0/1 * * * *", "0-59 * * * *", "0-59/1 * * * *", "*/14 * * * *", "*/14 9 * * *", "0,14 * * * *", "59,0 * * * *", "0,59 * * * *",
		"5,10 9 1 1 *", "0-29/14 0 * * *", "? * * * *", "*/15,1 * * * *", "*/7 * * * 1", "45-59,0 * * * *",
		"TZ=UTC * * * * *", "CRON_TZ=UTC @every 1s", "@every 1s ", " @every 1s", "@EVERY 1s", "@every\t1s", "@minutely", "@reboot", "@secondly",
		"* * * * * *", "*/5 * * * * *", "0 * * * * *", "@every 15m\n@every 1s", "0 9 * * *\n* * * * *", "@every 1e9s",
	} {
		for _, path := range []string{"/v1/zapier/triggers/new-keyword/poll", "/v1/make/triggers/trend-change/subscriptions", "/v1/n8n/estimate"} {
			body := fmt.Sprintf(`{"topic":"x","schedule":%q`, schedule)
			switch {
			case strings.HasSuffix(path, "subscriptions"):
				body += `,"targetUrl":"http://127.0.0.1:1/"`
			case strings.HasSuffix(path, "estimate"):
				body += `,"trigger":"new-keyword"`
			}
			if a := w.post(path, body+"}"); a.status != http.StatusBadRequest || a.failure(t)["field"] != "schedule" {
				t.Errorf("%s with %q: %d %s", path, schedule, a.status, a.body)
			}
		}
	}
	w.pass(time.Hour)
	if n := u.arrived.Load(); n != 0 {
		t.Errorf("%d calls reached Soke", n)
	}
	for schedule, credits := range map[string]float64{"@every 15m": 5760, "*/15 * * * *": 5760, "@hourly": 1440, "@daily": 60} {
		a := w.post("/v1/n8n/estimate", fmt.Sprintf(`{"trigger":"new-keyword","topic":"x","schedule":%q}`, schedule))
		if got := a.object(t)["creditsPerMonth"]; got != credits {
			t.Errorf("%s is said to cost %v credits a month, want %v", schedule, got, credits)
		}
	}
	if n := u.arrived.Load(); n != 0 {
		t.Errorf("estimates made %d calls", n)
	}
}
