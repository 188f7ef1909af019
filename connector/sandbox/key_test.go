package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

func TestEveryKeyIsTreatedAsTheContractSaysOnEveryEndpoint(t *testing.T) {
	for name, want := range map[string]struct {
		status int
		code   string
	}{
		"active": {}, "limited": {}, "slow": {}, "someone-else_42": {}, // these work
		"expired":   {403, "SUBSCRIPTION_REQUIRED"},
		"revoked":   {401, "UNAUTHORIZED"},
		"nocredits": {402, "INSUFFICIENT_CREDITS"},
		"forbidden": {403, "FORBIDDEN"},
		"broken":    {500, "INTERNAL_ERROR"},
	} {
		b := open(t)
		for _, e := range endpoints {
			status, code := want.status, want.code
			free := name == "nocredits" && e.credits == 0
			if status == 0 || free {
				status, code = e.status, map[int]string{404: "NOT_FOUND"}[e.status]
			}
			if r := b.call(e, key(name)...); r.status != status || r.code() != code {
				t.Errorf("%s on %s: %d %s, want %d %s", name, e.path, r.status, r.raw, status, code)
			}
			b.pass(time.Minute) // so that nobody's limit is reached
		}
	}
}

func TestNoCredentialOrAWrongOneIsUnauthorisedOnEveryEndpoint(t *testing.T) {
	b := open(t)
	for _, head := range [][]string{
		nil, {"X-Soke-Key", "sk_live_short"}, {"X-Soke-Key", "sk_test_sandbox_active"},
		{"X-Soke-Key", "sk_live_" + strings.Repeat("x", 201)}, {"X-Soke-Key", "sk_live_sandbox active"},
		{"Authorization", "Bearer not.a.token"}, {"Authorization", "Basic ZGVtbzpzYW5kYm94"},
	} {
		for _, e := range endpoints {
			if r := b.call(e, head...); r.status != 401 || r.code() != "UNAUTHORIZED" {
				t.Errorf("%v on %s: %d %s", head, e.path, r.status, r.raw)
			}
		}
	}
}

func TestTheGarbledKeySendsWhatBrokenGatewaysSendInTurn(t *testing.T) {
	b := open(t)
	for i, e := range append(endpoints, endpoints[0]) { // sixteen: four rounds
		r, err := b.try(e.method, e.path, e.body, key("garbled")...)
		var right bool
		switch i % 4 {
		case 0:
			right = err == nil && r.status == 502 && strings.HasPrefix(r.header.Get("Content-Type"), "text/html") && bytes.Contains(r.raw, []byte("<html"))
		case 1:
			right = err == nil && r.status == 200 && len(r.raw) == 0
		case 2:
			right = err == nil && r.status == 200 && r.raw[0] == '{' && !json.Valid(r.raw)
		case 3:
			right = err != nil
		}
		if !right {
			t.Errorf("answer %d, on %s: %d %q %v", i, e.path, r.status, r.raw, err)
		}
	}
	if n := b.server.Charged("sk_live_sandbox_garbled"); n != 0 {
		t.Errorf("garbage cost %d credits", n)
	}
}

func TestTheSlowKeyIsAnsweredAfter35Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		w := httptest.NewRecorder()
		sandbox.New(sandbox.Options{}).ServeHTTP(w, request(t.Context(), keywords, "sk_live_sandbox_slow"))
		if took := time.Since(begun); w.Code != 200 || took != 35*time.Second {
			t.Errorf("%d after %s", w.Code, took)
		}
	})
}

func TestAClientThatLeavesEndsASlowAnswerAndPaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := sandbox.New(sandbox.Options{})
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		begun := time.Now()
		w := httptest.NewRecorder()
		server.ServeHTTP(w, request(ctx, keywords, "sk_live_sandbox_slow"))
		if took := time.Since(begun); took != time.Second || w.Body.Len() > 0 {
			t.Errorf("it went on for %s: %s", took, w.Body)
		}
		if n := server.Charged("sk_live_sandbox_slow"); n != 0 {
			t.Errorf("an answer that nobody got cost %d credits", n)
		}
	})
}

// request is a research or a chat that reaches the sandbox without a network.
func request(ctx context.Context, body, key string) *http.Request {
	path := "/api/v1/research/keywords"
	if strings.Contains(body, "messages") {
		path = "/api/v1/chat/completions"
	}
	r := httptest.NewRequestWithContext(ctx, "POST", path, strings.NewReader(body))
	r.Header.Set("X-Soke-Key", key)
	return r
}

func TestAnyOtherKeyIsAUserOfItsOwn(t *testing.T) {
	b := open(t)
	first := b.call(endpoints[0], key("one-user")...)
	b.server.SetCredits("sk_live_sandbox_one-user", 0)
	other := b.call(endpoints[0], key("another-user")...)
	if first.status != 200 || other.status != 200 || other.header.Get("X-Soke-Remaining") != "9999" {
		t.Errorf("%d, then another: %d, %s requests left", first.status, other.status, other.header.Get("X-Soke-Remaining"))
	}
	if list(first) != list(other) {
		t.Error("the first research of a topic is not the same for both")
	}
}

// list is the keywords of a research, to be compared.
func list(r reply) string { return fmt.Sprint(r.part("data")["keywords"]) }

func TestAccountsAreTwoAndAnyOtherIsNotFound(t *testing.T) {
	b := open(t)
	for account, want := range map[string]int{"acc_main": 200, "acc_second": 200, "acc_third": 404, "ACC_MAIN": 404} {
		for _, e := range endpoints[:13] {
			r := b.call(e, append(key("active"), "X-Soke-Account-Id", account)...)
			if r.status != want || want == 404 && r.code() != "NOT_FOUND" {
				t.Errorf("%s on %s: %d, want %d", account, e.path, r.status, want)
			}
		}
	}
}

func TestAResearchEvolvesForEachAccountAlone(t *testing.T) {
	b := open(t)
	second := append(key("active"), "X-Soke-Account-Id", "acc_second")
	first := list(b.call(endpoints[0], key("active")...))
	other := list(b.call(endpoints[0], second...))
	next := list(b.call(endpoints[0], append(key("active"), "X-Soke-Account-Id", "acc_main")...))
	otherNext := list(b.call(endpoints[0], second...))
	if first == next || other == otherNext {
		t.Error("the second research found what the first one had found")
	}
	if first == other {
		t.Error("two accounts have the same states")
	}
	again := open(t)
	if list(again.call(endpoints[0], key("active")...)) != first || list(again.call(endpoints[0], key("active")...)) != next {
		t.Error("another sandbox has other states")
	}
}
