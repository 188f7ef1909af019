package sandbox_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestTenRequestsAMinuteAndNotOneMore(t *testing.T) {
	b := open(t)
	reset := fmt.Sprint(b.now.Add(time.Minute).Unix())
	for i := range 10 {
		e := endpoints[i%len(endpoints)] // whatever is asked counts
		r := b.call(e, key("limited")...)
		h := r.header
		if r.status != e.status || h.Get("X-Soke-Limit") != "10" || h.Get("X-Soke-Remaining") != fmt.Sprint(9-i) || h.Get("X-Soke-Reset") != reset {
			t.Fatalf("request %d: %d %v", i, r.status, h)
		}
	}
	for _, c := range []struct {
		wait  time.Duration
		after string
	}{{0, "60"}, {20 * time.Second, "40"}, {39500 * time.Millisecond, "1"}} {
		b.pass(c.wait)
		r := b.call(endpoints[0], key("limited")...)
		details, _ := r.part("error")["details"].(map[string]any)
		if r.status != 429 || r.code() != "RATE_LIMIT_EXCEEDED" || r.header.Get("Retry-After") != c.after || fmt.Sprint(details["retryAfter"]) != c.after {
			t.Errorf("too early: %d %s, Retry-After %q, want %s", r.status, r.raw, r.header.Get("Retry-After"), c.after)
		}
	}
	b.pass(500 * time.Millisecond)
	if r := b.call(endpoints[0], key("limited")...); r.status != 200 || r.header.Get("X-Soke-Remaining") != "9" {
		t.Errorf("when the wait is over: %d, %s left", r.status, r.header.Get("X-Soke-Remaining"))
	}
	if n := b.server.CallCount("research/keywords"); n != 5 {
		t.Errorf("%d calls of research/keywords were counted, want 5", n)
	}
}

func TestCreditsCountExactlyUnderConcurrency(t *testing.T) {
	b := open(t)
	const calls, enough = 200, 50
	b.server.SetCredits(active, 2*enough+1)
	var (
		wait    sync.WaitGroup
		mu      sync.Mutex
		paid    = map[int]bool{} // by the credits that each answer said are left
		left    = map[int]bool{} // by the requests that each answer said are left
		refused int
	)
	for range calls {
		wait.Go(func() {
			r, err := b.try("POST", "research/keywords", keywords, key("active")...)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			requests, _ := strconv.Atoi(r.header.Get("X-Soke-Remaining"))
			left[requests] = true
			credits, err := strconv.Atoi(r.header.Get("X-Soke-Credits-Remaining"))
			switch {
			case r.status == 200 && err == nil:
				paid[credits] = true
			case r.status == 402 && credits == 1:
				refused++
			default:
				t.Errorf("%d with %q credits left", r.status, r.header.Get("X-Soke-Credits-Remaining"))
			}
		})
	}
	wait.Wait()
	if len(paid) != enough || refused != calls-enough || b.server.Charged(active) != 2*enough {
		t.Errorf("%d paid, %d refused, %d credits charged", len(paid), refused, b.server.Charged(active))
	}
	if len(left) != calls || !left[10_000-calls] {
		t.Errorf("the answers tell %d different numbers of requests left, want %d", len(left), calls)
	}
}

func TestOnlyWhatSucceedsIsCharged(t *testing.T) {
	b := open(t)
	for _, c := range []struct{ path, body string }{
		{"research/keywords", `{"topic":"x","maxResults":51}`}, {"research/keywords", `{"topic":"x","platform":"vimeo"}`},
		{"chat/completions", `{}`}, {"content/score", `{}`}, {"competitor/analyze", `{}`}, {"transcription", `{}`}, {"nothing/here", `{}`},
	} {
		if r := b.ask("POST", c.path, c.body, key("active")...); r.status < 400 {
			t.Errorf("%s %s: %d", c.path, c.body, r.status)
		}
	}
	if n := b.server.Charged(active); n != 0 {
		t.Errorf("failures cost %d credits", n)
	}
}

func TestEveryAnswerHasAnIDAndLimitsOfItsOwn(t *testing.T) {
	b := open(t)
	access, refresh := b.signIn()
	seen := map[string]bool{}
	answers := map[string]reply{
		"success":      b.call(endpoints[0], key("active")...),
		"chat":         b.call(endpoints[1], bearer(access)...),
		"expired":      b.call(endpoints[0], key("expired")...),
		"revoked":      b.call(endpoints[0], key("revoked")...),
		"no account":   b.call(endpoints[0], append(key("active"), "X-Soke-Account-Id", "acc_none")...),
		"no key":       b.call(endpoints[0]),
		"no endpoint":  b.ask("GET", "nothing/here", "", key("active")...),
		"wrong method": b.ask("DELETE", "research/keywords", "", key("active")...),
		"outside":      b.ask("GET", "../../elsewhere", ""),
		"refresh":      b.ask("POST", "auth/refresh", fmt.Sprintf(`{"refreshToken":%q}`, refresh)),
		"bad sign-in":  b.ask("POST", "auth/login", `{}`),
	}
	for name, r := range answers {
		id, _ := r.part("meta")["request_id"].(string)
		if name == "chat" {
			id = r.header.Get("X-Request-Id") // OpenAI's shape has no meta
		}
		if id == "" || seen[id] || r.header.Get("X-Request-Id") != id {
			t.Errorf("%s: request id %q in %s", name, id, r.raw)
		}
		seen[id] = true
		for _, header := range []string{"X-Soke-Limit", "X-Soke-Remaining", "X-Soke-Reset"} {
			if _, err := strconv.Atoi(r.header.Get(header)); err != nil {
				t.Errorf("%s: %s is %q", name, header, r.header.Get(header))
			}
		}
	}
}
