package sandbox_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// call is what a fact is shown with.
type call struct {
	method, path, body string
	head               []string
}

// TestEveryDocumentedFactIsShown goes through what Soke documents of single calls. Facts that take more
// than one have tests of their own: tokens, conversations, streams, jobs, limits.
func TestEveryDocumentedFactIsShown(t *testing.T) {
	active, second := key("active"), append(key("active"), "X-Soke-Account-Id", "acc_second")
	post := func(path, body string, head ...string) call { return call{"POST", path, body, head} }
	words := func(n int) string { return strings.Repeat("x", n) }
	for fact, c := range map[string]struct {
		call   call
		status int
		says   string // a regular expression
	}{
		"a login is answered with tokens":   {post("auth/login", `{"email":"demo@example.com","password":"sandbox"}`), 200, `"data":\{"accessToken":"[^"]+","expiresAt":"20[^"]+Z","refreshToken":"[^"]+"\}`},
		"a login needs no subscription":     {post("auth/login", `{"email":"demo@example.com","password":"sandbox"}`, key("expired")...), 200, `accessToken`},
		"a success is an envelope":          {post("research/keywords", keywords, active...), 200, `^\{"success":true,"data":\{.*\},"meta":\{"platform":"youtube","request_id":"[0-9a-f-]{36}","processing_time_ms":\d+\}\}$`},
		"an error is an envelope":           {post("research/keywords", `{"maxResults":0}`, active...), 400, `^\{"success":false,"error":\{"code":"BAD_REQUEST","message":"[^"]+","details":\{.*\}\},"meta":\{.*"request_id":"[0-9a-f-]{36}"`},
		"a topic is required":               {post("research/keywords", `{}`, second...), 400, `"TOPIC_REQUIRED"`},
		"without a topic it is the channel": {post("research/keywords", `{}`, active...), 200, `camera gear`},
		"keywords are required":             {post("research/content", `{}`, second...), 400, `"KEYWORDS_REQUIRED"`},
		"a subscription is required":        {post("research/keywords", keywords, key("expired")...), 403, `"SUBSCRIPTION_REQUIRED","message":"An active subscription is required to access this endpoint\."`},
		"other platforms are to come":       {post("research/keywords", `{"topic":"x","platform":"tiktok"}`, active...), 501, `"PLATFORM_NOT_IMPLEMENTED"`},
		"chats are of youtube too":          {post("chat/completions", `{"platform":"tiktok","messages":[{"role":"user","content":"x"}]}`, active...), 501, `"PLATFORM_NOT_IMPLEMENTED"`},
		"a youtube of one's own words":      {post("research/keywords", `{"topic":"x","platform":"youtube","region":"DE","niche":"n","maxResults":50,"recencyDays":3650}`, active...), 200, `"competitionScore"`},
		"the fewest results":                {post("research/keywords", `{"topic":"x","maxResults":1,"recencyDays":1}`, active...), 200, `"keywords":\[\{[^{}]*\}\]`},
		"results have a most":               {post("research/keywords", `{"maxResults":51}`, active...), 400, `"field":"maxResults"`},
		"days have a least":                 {post("research/keywords", `{"recencyDays":0}`, active...), 400, `"field":"recencyDays"`},
		"days have a most":                  {post("research/keywords", `{"recencyDays":3651}`, active...), 400, `"field":"recencyDays"`},
		"what a research finds":             {post("research/keywords", keywords, active...), 200, `"keywords":\[\{"keyword":"[^"]+","competitionScore":[01]?\.?\d+,"trendDirection":"(rising|falling|stable)",.*"longTail":\[.*"topVideos":\[\{`},
		"a chat has OpenAI's shape":         {post("chat/completions", chat, active...), 200, `^\{"choices":\[\{"finish_reason":"stop","index":0,"message":\{"content":"[^}]+","data":\{"services_used":\["\w+.*\]\},"role":"assistant"\}\}\],"created":\d+,"id":"chatcmpl-[^"]+","model":"soke-v1","object":"chat\.completion","usage":\{`},
		"a chat that fails is an envelope":  {post("chat/completions", `{}`, active...), 400, `"success":false.*"BAD_REQUEST".*"field":"messages"`},
		"roles are two":                     {post("chat/completions", `{"messages":[{"role":"system","content":"x"}]}`, active...), 400, `messages\[0\]\.role`},
		"the assistant may have spoken":     {post("chat/completions", `{"messages":[{"role":"assistant","content":"x"}]}`, active...), 200, `chatcmpl`},
		"content takes ten keywords":        {post("research/content", `{"keywords":[`+strings.Repeat(`"k",`, 9)+`"k"]}`, active...), 200, `"videos":\[\{`},
		"and no eleventh":                   {post("research/content", `{"keywords":[`+strings.Repeat(`"k",`, 10)+`"k"]}`, active...), 400, `"field":"keywords"`},
		"each of a hundred characters":      {post("research/content", `{"keywords":["`+words(100)+`"]}`, active...), 200, `videos`},
		"and not one more":                  {post("research/content", `{"keywords":["k","`+words(101)+`"]}`, active...), 400, `"field":"keywords\[1\]"`},
		"a title needs its draft":           {post("content/optimize-title", `{}`, active...), 400, `"field":"draftTitle"`},
		"titles":                            {post("content/optimize-title", `{"draftTitle":"D"}`, active...), 200, `"alternatives":\[\{"reasoning":"[^"]+","score":\d+,"title":"[^"]+"\}.*"originalTitle":"D"`},
		"a score needs content":             {post("content/score", `{}`, active...), 400, `"field":"content"`},
		"scores":                            {post("content/score", `{"content":"C"}`, active...), 200, `"breakdown":\{"keywordPlacement":\{"dimension":"[^"]+","suggestion":"[^"]+","value":\d+\}\},"content":"C","overallScore":\d+`},
		"a description needs a title":       {post("content/generate-description", `{}`, active...), 400, `"field":"title"`},
		"descriptions":                      {post("content/generate-description", `{"title":"T","keywords":["k"]}`, active...), 200, `"description":"T.*","keywordsIncluded":\["k"\],"sections":\[.*\],"wordCount":\d+`},
		"an analysis needs a channel":       {post("competitor/analyze", `{}`, active...), 400, `"field":"channelUrl"`},
		"a job that there is not":           {call{"GET", "jobs/" + nowhere, "", active}, 404, `"NOT_FOUND"`},
		"and a bad key":                     {call{"GET", "jobs/" + nowhere, "", key("revoked")}, 401, `"UNAUTHORIZED"`},
		"and no subscription":               {call{"GET", "jobs/" + nowhere, "", key("expired")}, 403, `"SUBSCRIPTION_REQUIRED"`},
		"credits run out":                   {post("research/keywords", keywords, key("nocredits")...), 402, `"INSUFFICIENT_CREDITS"`},
		"permissions may be missing":        {post("research/keywords", keywords, key("forbidden")...), 403, `"FORBIDDEN"`},
		"Soke itself may fail":              {post("research/keywords", keywords, key("broken")...), 500, `"INTERNAL_ERROR"`},
		"an endpoint that there is not":     {call{"GET", "nothing", "", active}, 404, `"NOT_FOUND"`},
	} {
		r := open(t).ask(c.call.method, c.call.path, c.call.body, c.call.head...)
		if r.status != c.status || !regexp.MustCompile(c.says).Match(r.raw) {
			t.Errorf("%s: %d %s\nwant %d %s", fact, r.status, r.raw, c.status, c.says)
		}
	}
}

func TestEveryCallCostsWhatIsDocumented(t *testing.T) {
	b := open(t)
	left := 1_000_000
	for _, e := range endpoints {
		r := b.call(e, key("active")...)
		left -= e.credits
		if n := 1_000_000 - b.server.Charged(active); n != left {
			t.Fatalf("%s: %d credits are left, want %d", e.path, n, left)
		}
		said := r.header.Get("X-Soke-Credits-Remaining")
		if want := map[bool]string{true: strconv.Itoa(left)}[e.credits > 0]; said != want {
			t.Errorf("%s says %q credits are left, want %q", e.path, said, want)
		}
	}
}

func TestABodyWithoutTheDefaultsMeansTheDefaults(t *testing.T) {
	spelt := `{"topic":"home espresso","platform":"youtube","region":"US","maxResults":20,"recencyDays":365}`
	short, long := open(t), open(t)
	a, b := short.ask("POST", "research/keywords", keywords, key("active")...), long.ask("POST", "research/keywords", spelt, key("active")...)
	found, _ := a.part("data")["keywords"].([]any)
	if len(found) != 20 || !reflect.DeepEqual(a.part("data"), b.part("data")) {
		t.Errorf("%d keywords; %s\n%s", len(found), a.raw, b.raw)
	}
}

func TestNoBodyCanMakeTheSandboxFail(t *testing.T) {
	for _, body := range []string{``, `null`, `[]`, `"x"`, `{"topic":1}`, `{"messages":"x"}`, `{"keywords":null}`, strings.Repeat("[", 1e5), "{\"topic\":\"\xff\"}"} {
		b := open(t)
		for _, e := range endpoints[:13] {
			r := b.ask(e.method, e.path, body, key("active")...)
			if r.status >= 500 || !json.Valid(r.raw) || r.status != 200 && r.code() == "" {
				t.Errorf("%.20q on %s: %d %s", body, e.path, r.status, r.raw)
			}
		}
	}
	if r := open(t).ask("POST", "research/keywords", fmt.Sprintf(`{"topic":%q}`, strings.Repeat("x", 2<<20)), key("active")...); r.status != 400 {
		t.Errorf("two megabytes: %d", r.status)
	}
}
