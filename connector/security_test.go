package connector_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/triggers"
)

// SECURITY.md names the tests of this file and of the other *_security_test.go files.

const otherKey = "sk_live_somebody_else"

// operation is one operation of the OpenAPI document.
type operation struct{ method, path string }

// operations is every operation that the service documents, with whether it finds stored things:
// it has an id in its path, or asks for something by its query.
func operations(t *testing.T, s *service) map[operation]bool {
	t.Helper()
	type described struct {
		Parameters []struct{ In, Name string }
	}
	var doc struct {
		Paths map[string]map[string]described
	}
	if err := json.Unmarshal(s.call(http.MethodGet, "/openapi.json", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[operation]bool{}
	for path, methods := range doc.Paths {
		for method, described := range methods {
			finds := false
			for _, p := range described.Parameters {
				finds = finds || p.In == "query" || p.In == "path" && p.Name != "path"
			}
			all[operation{strings.ToUpper(method), path}] = finds || strings.Contains(strings.ReplaceAll(path, "{path}", ""), "{")
		}
	}
	if len(all) < 50 {
		t.Fatalf("only %d operations are documented", len(all))
	}
	return all
}

// subscribed is one tenant's subscription.
type subscribed struct{ key, id, target, token string }

// stranger asks for a subscription as a stranger would, by an id and a target; the two come from the
// same subscription.
type stranger struct {
	// never is what is answered where there never was one.
	never int
	ask   func(w *watching, path, key string, s subscribed) answer
}

// strangers has an entry for every operation that finds stored things. Ending what is not there is
// a success, which tells an id that nobody can guess from one that never was.
var strangers = map[string]stranger{
	"GET /subscriptions/{id}": {http.StatusNotFound, func(w *watching, path, key string, s subscribed) answer {
		return w.call(http.MethodGet, path+"/subscriptions/"+s.id, "", "X-Soke-Key", key, "X-Request-Id", "same")
	}},
	"GET /subscriptions": {http.StatusNotFound, func(w *watching, path, key string, s subscribed) answer {
		return w.call(http.MethodGet, path+"/subscriptions?targetUrl="+s.target, "", "X-Soke-Key", key, "X-Request-Id", "same")
	}},
	"DELETE /subscriptions/{id}": {http.StatusOK, func(w *watching, path, key string, s subscribed) answer {
		return w.call(http.MethodDelete, path+"/subscriptions/"+s.id, "", "X-Soke-Key", key, "X-Unsubscribe-Token", "unsub_guessed", "X-Request-Id", "same")
	}},
}

func TestEveryOperationThatFindsStoredThingsIsTriedByAStranger(t *testing.T) {
	w := startWatching(t)
	tried := map[string]bool{}
	for o, finds := range operations(t, w.service) {
		if !finds {
			continue
		}
		name := o.path
		for _, p := range platforms() {
			for _, trigger := range triggers.All() {
				name = strings.TrimPrefix(name, "/v1/"+string(p.Name())+"/triggers/"+trigger.Key)
			}
		}
		if _, ok := strangers[o.method+" "+name]; !ok {
			t.Errorf("%s %s finds stored things, and no stranger has tried it: add it to the table", o.method, o.path)
		}
		tried[o.method+" "+name] = true
	}
	for name := range strangers {
		if !tried[name] {
			t.Errorf("%s is not in the OpenAPI document", name)
		}
	}
}

func TestWhatBelongsToAnotherKeyIsAnsweredAsWhatNeverWas(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	for _, p := range platforms() {
		path := "/v1/" + string(p.Name()) + "/triggers/new-keyword"
		var tenants []subscribed
		for i, key := range []string{activeKey, otherKey} {
			target := fmt.Sprintf("%s/%s/%d", in.URL, p.Name(), i)
			made := w.subscribe(string(p.Name()), "new-keyword", espresso, target, "X-Soke-Key", key)
			tenants = append(tenants, subscribed{key, made["id"].(string), target, made["unsubscribeToken"].(string)})
		}
		never := subscribed{id: "sub_000000000000000000000000", target: in.URL + "/never"}
		for i, mine := range tenants {
			theirs := tenants[1-i]
			for _, name := range slices.Sorted(maps.Keys(strangers)) {
				s := strangers[name]
				found, missing := s.ask(w, path, mine.key, theirs), s.ask(w, path, mine.key, never)
				if found.status != http.StatusNotFound || missing.status != s.never {
					t.Errorf("%s %s: %d for another's, %d for what never was", p.Name(), name, found.status, missing.status)
				}
				if s.never == http.StatusNotFound && !bytes.Equal(found.body, missing.body) {
					t.Errorf("%s %s tells another's from what never was:\n%s\n%s", p.Name(), name, found.body, missing.body)
				}
			}
			// Neither another platform, nor another tenant's token, nor the token of another subscription opens it.
			for _, q := range platforms() {
				other := "/v1/" + string(q.Name()) + "/triggers/new-keyword/subscriptions"
				if q.Name() == p.Name() {
					continue
				}
				for _, path := range []string{other + "/" + theirs.id, other + "?targetUrl=" + theirs.target} {
					if a := w.call(http.MethodGet, path, "", "X-Soke-Key", theirs.key); a.status != http.StatusNotFound {
						t.Errorf("%s shows what is %s's: GET %s answers its owner %d", q.Name(), p.Name(), path, a.status)
					}
				}
				w.call(http.MethodDelete, other+"/"+theirs.id, "", "X-Soke-Key", theirs.key)
			}
			if a := w.call(http.MethodDelete, path+"/subscriptions/"+theirs.id, "", "X-Unsubscribe-Token", mine.token); a.status != http.StatusNotFound {
				t.Errorf("%s: the token of another subscription is answered with %d", p.Name(), a.status)
			}
			a := w.call(http.MethodGet, path+"/subscriptions/"+theirs.id, "", "X-Soke-Key", theirs.key)
			if a.status != http.StatusOK || a.object(t)["state"] != "active" {
				t.Errorf("%s: after all that the owner gets %d %s", p.Name(), a.status, a.body)
			}
		}
	}
}

func TestIDsAndTokensOfSubscriptionsCannotBeGuessed(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	seen := map[string]bool{}
	for i := range 40 {
		made := w.subscribe("zapier", "new-keyword", espresso, fmt.Sprintf("%s/%d", in.URL, i))
		for field, random := range map[string]int{"id": 24, "unsubscribeToken": 32} { // five bits each
			_, text, _ := strings.Cut(made[field].(string), "_")
			if len(text) != random {
				t.Fatalf("%s %q has %d characters, want %d", field, text, len(text), random)
			}
			for _, half := range []string{text[:len(text)/2], text[len(text)/2:]} {
				if seen[half] {
					t.Errorf("two of them share %q", half)
				}
				seen[half] = true
			}
		}
	}
}

// watched is one caller's watch.
type watched struct {
	name   string
	head   []string
	ids    []string
	watch  string
	cursor string
}

func TestAPollShowsTheWatchOfItsOwnKeyAndAccountOnly(t *testing.T) {
	w := startWatching(t)
	callers := []*watched{
		{name: "a key", head: []string{"X-Soke-Key", activeKey}},
		{name: "another key", head: []string{"X-Soke-Key", otherKey}},
		{name: "another account of the first key", head: []string{"X-Soke-Key", activeKey, "X-Soke-Account-Id", "acc_second"}},
	}
	const path = "/v1/n8n/triggers/new-keyword/poll"
	for _, c := range callers {
		events := w.events("n8n", "new-keyword", "{"+espresso+"}", c.head...)
		c.ids, c.watch = ids(events), events[0]["watchId"].(string)
		c.cursor = w.post(path, "{"+espresso+"}", c.head...).object(t)["cursor"].(string)
	}
	made := w.post(path, "{"+espresso+`,"cursor":"AAAAAAAAAAAAAAAAAAAAAA"}`, "X-Request-Id", "same")
	if made.status != http.StatusBadRequest {
		t.Fatalf("a cursor that was made up: %d %s", made.status, made.body)
	}
	for i, c := range callers {
		for j, other := range callers {
			if i == j {
				continue
			}
			if c.watch == other.watch || slices.ContainsFunc(c.ids, func(id string) bool { return slices.Contains(other.ids, id) }) {
				t.Errorf("%s and %s share a watch or an event", c.name, other.name)
			}
			head := append([]string{"X-Request-Id", "same"}, c.head...)
			a := w.post(path, fmt.Sprintf(`{%s,"cursor":%q}`, espresso, other.cursor), head...)
			if a.status != made.status || !bytes.Equal(a.body, made.body) {
				t.Errorf("%s with the cursor of %s: %d %s", c.name, other.name, a.status, a.body)
			}
		}
		estimate := w.post("/v1/n8n/estimate", `{"trigger":"new-keyword",`+espresso+`}`, c.head...).object(t)
		if estimate["sharedWith"] != 1.0 {
			t.Errorf("%s shares its watch with %v uses, and has one", c.name, estimate["sharedWith"])
		}
	}
}

func TestAnIdempotencyKeyFindsTheAnswerOfItsOwnKeyAndAccountOnly(t *testing.T) {
	s := start(t)
	const path = "/v1/make/actions/research-keywords"
	callers := [][]string{
		{"X-Soke-Key", activeKey}, {"X-Soke-Key", otherKey}, {"X-Soke-Key", activeKey, "X-Soke-Account-Id", "acc_second"},
	}
	for i, head := range callers {
		head = append([]string{"Idempotency-Key", "one"}, head...)
		body := fmt.Sprintf(`{"topic":"number %d"}`, i)
		first, again := s.post(path, body, head...), s.post(path, body, head...)
		if first.status != http.StatusOK || first.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("caller %d found an answer, or met another's input: %d %s", i, first.status, first.body)
		}
		if again.header.Get("Idempotent-Replayed") != "true" || !bytes.Equal(again.body, first.body) {
			t.Errorf("caller %d does not find its own answer: %d %s", i, again.status, again.body)
		}
	}
	if mine, other := s.sandbox.Charged(activeKey), s.sandbox.Charged(otherKey); mine != 4 || other != 2 {
		t.Errorf("%d and %d credits", mine, other)
	}
}

func TestOnlyWhoHoldsBothKeysMovesWatches(t *testing.T) {
	w := startWatching(t)
	in := receive(t)
	made := w.subscribe("make", "new-keyword", espresso, in.URL)
	const path = "/v1/make/connection/rotate"
	for name, c := range map[string]struct {
		key, previous string
		status        int
	}{
		"a key that Soke refuses":           {"sk_live_sandbox_revoked", activeKey, http.StatusUnauthorized},
		"a key whose subscription is over":  {expiredKey, activeKey, http.StatusForbidden},
		"a guessed previous key":            {otherKey, "sk_live_sandbox_activf", http.StatusOK},
		"the masked form of a previous key": {otherKey, "sk_live_…tive", http.StatusBadRequest},
		"the subscription's id":             {otherKey, made["id"].(string), http.StatusBadRequest},
		"nothing":                           {otherKey, "", http.StatusBadRequest},
	} {
		a := w.post(path, fmt.Sprintf(`{"previousKey":%q}`, c.previous), "X-Soke-Key", c.key)
		if a.status != c.status || a.status == http.StatusOK && a.object(t)["watches"] != 0.0 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := w.call(http.MethodPost, path, `{"previousKey":"`+activeKey+`"}`, "Authorization", "Bearer a.b.c"); a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "API key (sk_live_") {
		t.Errorf("a sign-in moved watches: %d %s", a.status, a.body)
	}
	a := w.call(http.MethodGet, "/v1/make/triggers/new-keyword/subscriptions/"+made["id"].(string), "", "X-Soke-Key", activeKey)
	if a.status != http.StatusOK || a.object(t)["watchId"] != made["watchId"] {
		t.Errorf("the owner's subscription: %d %s", a.status, a.body)
	}
}

// quoted is a text in JSON.
func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
