package connector_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// anySoke is an upstream that accepts everything and counts what arrives.
type anySoke struct{ arrived atomic.Int64 }

func (u *anySoke) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.arrived.Add(1)
	if strings.HasSuffix(r.URL.Path, "/chat/completions") {
		_, _ = io.WriteString(w, `{"id":"c","model":"soke-v1","created":1,"stranger":1,"choices":[{"message":{"role":"assistant","content":"x","stranger":1},"finish_reason":"stop"}]}`)
		return
	}
	_, _ = io.WriteString(w, `{"success":true,"stranger":1,"data":{"keywords":[{"keyword":"x","competitionScore":0.5,"trendDirection":"stable"}],"stranger":1,"__proto__":{"a":1}},"meta":{"request_id":"soke-1","stranger":1}}`)
}

// concrete is an address of a documented path.
func concrete(path string) string {
	return strings.NewReplacer("{id}", "sub_x", "{path}", "jobs/x", "{", "", "}", "").Replace(path)
}

func TestNothingButWhatIsPublicIsAnsweredWithoutACredential(t *testing.T) {
	u := &anySoke{}
	w := startWatching(t, withUpstream(u))
	public := map[string]bool{"GET /healthz": true, "GET /readyz": true, "GET /openapi.json": true}
	for _, p := range platforms() {
		public["GET /v1/"+string(p.Name())+"/catalog"] = true
	}
	for o := range operations(t, w.service) {
		body := ""
		if o.method != http.MethodGet && o.method != http.MethodDelete {
			body = `{}`
		}
		a := w.call(o.method, concrete(o.path), body)
		name := o.method + " " + o.path
		switch {
		case public[name]:
			if a.status != http.StatusOK {
				t.Errorf("%s is public and answers %d", name, a.status)
			}
			delete(public, name)
		case strings.HasSuffix(o.path, "/connection/check"):
			if a.object(t)["ok"] != false {
				t.Errorf("%s: %s", name, a.body)
			}
		case a.status != http.StatusUnauthorized:
			t.Errorf("%s without a credential: %d %s", name, a.status, a.body)
		}
	}
	if len(public) > 0 {
		t.Errorf("not documented: %v", public)
	}
	if n := u.arrived.Load(); n != 0 {
		t.Errorf("%d calls reached Soke", n)
	}
}

func TestACredentialThatCannotBeOneIsRefusedWithoutACallToSoke(t *testing.T) {
	u := &anySoke{}
	s := start(t, withUpstream(u))
	const path = "/v1/n8n/connection"
	bad := []string{
		"sk_live_", "sk_live_1234567", "sk_live_" + strings.Repeat("a", 201), "sk_test_12345678", "SK_LIVE_12345678", "sk_live_1234567é",
		"sk_live_1234 5678", "sk_live_12345678,sk_live_12345678", `sk_live_12345678"`, "sk_live_12345678/..", "sk_live_12345678%00", "xsk_live_12345678", "' OR 1=1 --",
	}
	for _, key := range bad {
		for name, head := range map[string][]string{
			"as the key":                    {"X-Soke-Key", key},
			"as a bearer":                   {"Authorization", "Bearer " + key},
			"as the key, with a good token": {"X-Soke-Key", key, "Authorization", "Bearer a.b.c"},
		} {
			if name == "as a bearer" && !strings.HasPrefix(key, "sk_") && !strings.Contains(key, " ") {
				continue // it is taken for a Soke access token, and Soke judges it
			}
			if a := s.call(http.MethodGet, path, "", head...); a.status != http.StatusUnauthorized || strings.Contains(string(a.body), key) && len(key) > 10 {
				t.Errorf("%q %s: %d %s", key, name, a.status, a.body)
			}
		}
	}
	for _, authorization := range []string{"Basic " + activeKey, activeKey, "Bearer", "Bearer  ", "Bearer a b", "Token " + activeKey, "Bearer\u00a0" + activeKey, "Bearer " + strings.Repeat("a", 8193)} {
		if a := s.call(http.MethodGet, path, "", "Authorization", authorization); a.status != http.StatusUnauthorized {
			t.Errorf("%.40q: %d %s", authorization, a.status, a.body)
		}
	}
	if n := u.arrived.Load(); n != 0 {
		t.Errorf("%d calls reached Soke", n)
	}
	for _, head := range [][]string{
		{"X-Soke-Key", "sk_live_12345678"}, {"X-Soke-Key", "sk_live_" + strings.Repeat("a", 200)}, {"X-Soke-Key", " " + activeKey + " "},
		{"Authorization", "Bearer " + activeKey}, {"Authorization", "bEARER  " + activeKey}, {"Authorization", "Bearer a.b.c"},
	} {
		if a := s.call(http.MethodGet, path, "", head...); a.status != http.StatusOK {
			t.Errorf("%.60q: %d %s", head, a.status, a.body)
		}
	}
}

// forms is every kind of operation that reads a form, with the least that it accepts.
var forms = map[string]string{
	"/v1/make/actions/research-keywords":               `"topic":"x"`,
	"/v1/zapier/actions/chat-completion":               `"prompt":"x"`,
	"/v1/zapier/triggers/new-keyword/poll":             espresso,
	"/v1/n8n/triggers/trend-change/poll":               espresso,
	"/v1/make/triggers/competition-drop/poll":          espresso,
	"/v1/n8n/triggers/new-keyword/subscriptions":       espresso + `,"targetUrl":"http://127.0.0.1:1/"`,
	"/v1/make/triggers/competition-drop/subscriptions": espresso + `,"targetUrl":"http://127.0.0.1:1/"`,
	"/v1/n8n/estimate":                                 `"trigger":"new-keyword",` + espresso,
	"/v1/zapier/estimate":                              `"action":"research-keywords","topic":"x"`,
	"/v1/zapier/connection/rotate":                     `"previousKey":"` + otherKey + `"`,
}

func TestAFieldThatNoFormHasIsRefusedByItsNameAndChangesNothing(t *testing.T) {
	u := &anySoke{}
	w := startWatching(t, withUpstream(u))
	for path, form := range forms {
		for _, field := range []string{
			"id", "watchId", "feedId", "accountId", "key", "apiKey", "X-Soke-Key", "state", "reason", "credits", "creditsPerRun", "isAdmin", "role", "unsubscribeToken",
			"signingSecret", "nextRunAt", "minInterval", "__proto__", "constructor", "prototype", "toString", "$where", "topic.x", "topic[0]",
			"Topic", "TOPIC", "topic\u200b", "ｔopic", "PreviousKey", "TargetUrl", "targetURL", "maxresults",
		} {
			a := w.post(path, fmt.Sprintf(`{%s,%q:{"a":1}}`, form, field))
			if e := a.failure(t); a.status != http.StatusBadRequest || e["code"] != "INVALID_INPUT" || e["field"] == "" {
				t.Errorf("%s with %q: %d %s", path, field, a.status, a.body)
			}
		}
		first, _, _ := strings.Cut(form, ",")
		for name, body := range map[string]string{
			"a field twice":              "{" + form + "," + first + "}",
			"a field twice, once hidden": fmt.Sprintf(`{%s,"\u%04x%s}`, form, first[1], first[2:]),
			"a list in place of a form":  "[{" + form + "}]",
			"two forms":                  "{" + form + "}{" + form + "}",
			"a text behind the form":     "{" + form + "}x",
			"null":                       "null",
			"half a character":           `{"\ud800":1,` + form + "}",
			"not UTF-8":                  "{" + form + ",\"\xff\":1}",
		} {
			if a := w.post(path, body); a.status != http.StatusBadRequest || a.failure(t)["code"] != "INVALID_INPUT" {
				t.Errorf("%s with %s (%s): %d %s", path, name, body, a.status, a.body)
			}
		}
	}
	if n := u.arrived.Load(); n != 0 {
		t.Errorf("%d calls reached Soke", n)
	}
	if a := w.call(http.MethodGet, "/v1/n8n/triggers/new-keyword/subscriptions?targetUrl=http://127.0.0.1:1/", "", "X-Soke-Key", activeKey); a.status != http.StatusNotFound {
		t.Errorf("a refused form made a subscription: %s", a.body)
	}
	for path, form := range forms {
		if a := w.post(path, "{"+form+"}"); a.status >= 400 {
			t.Errorf("%s does not even take %s: %d %s", path, form, a.status, a.body)
		}
	}
}

func TestAFieldThatIsThereTwiceIsNamedByItsLabel(t *testing.T) {
	w := startWatching(t)
	for path, says := range map[string]string{
		"/v1/zapier/actions/research-keywords":         "Topic: it is there twice",
		"/v1/n8n/triggers/new-keyword/poll":            "Topic: it is there twice",
		"/v1/make/triggers/trend-change/subscriptions": "Topic: it is there twice",
	} {
		a := w.post(path, `{"topic":"a","topic":"b"}`)
		if message, _ := a.failure(t)["message"].(string); a.status != http.StatusBadRequest || !strings.Contains(message, says) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestAnAnswerHasTheFieldsOfItsSchemaAndNoOther(t *testing.T) {
	w := startWatching(t, withUpstream(&anySoke{}))
	in := receive(t)
	const head = "id type occurredAt watchId runId baseline topic region "
	event := head + "keyword competitionScore trendDirection previousCompetitionScore previousTrendDirection rank details"
	for _, c := range []struct {
		path, body, within string
		fields             string
	}{
		{"/v1/make/actions/research-keywords", `{"topic":"x"}`, "", "topic platform keywords count requestId creditsRemaining"},
		{"/v1/n8n/actions/chat-completion", `{"prompt":"x"}`, "", "content role model servicesUsed data finishReason id created requestId creditsRemaining"},
		{"/v1/n8n/triggers/new-keyword/poll", "{" + espresso + "}", "", "events cursor hasMore"},
		{"/v1/n8n/triggers/new-keyword/poll", "{" + espresso + "}", "events", event},
		{"/v1/make/triggers/research-completed/poll", "{" + espresso + "}", "events", head + "keywords count newCount"},
		{"/v1/make/triggers/new-keyword/subscriptions", "{" + espresso + `,"targetUrl":"` + in.URL + `"}`, "", "id watchId nextRunAt creditsPerMonth signingSecret unsubscribeToken"},
	} {
		a := w.post(c.path, c.body)
		object := a.object(t)
		if c.within != "" {
			object = object[c.within].([]any)[0].(map[string]any)
		}
		want := strings.Fields(c.fields)
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, want) {
			t.Errorf("%s %s has %v, want %v", c.path, c.within, got, want)
		}
	}
}
