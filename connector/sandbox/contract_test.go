package sandbox_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
)

// box is a sandbox over TCP with a clock of the test's own.
type box struct {
	t      *testing.T
	server *sandbox.Server
	http   *httptest.Server
	mu     sync.Mutex
	now    time.Time
}

func open(t *testing.T) *box {
	t.Helper()
	b := &box{t: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	b.server = sandbox.New(sandbox.Options{SlowFor: 20 * time.Millisecond, Now: func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now
	}})
	b.http = httptest.NewServer(b.server)
	t.Cleanup(b.http.Close)
	return b
}

func (b *box) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// reply is an answer read whole.
type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (r reply) code() string {
	failure, _ := r.body["error"].(map[string]any)
	code, _ := failure["code"].(string)
	return code
}

// ask sends a request; head is pairs of header names and values.
func (b *box) ask(method, path, body string, head ...string) reply {
	b.t.Helper()
	r, err := b.try(method, path, body, head...)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *box) try(method, path, body string, head ...string) (reply, error) {
	request, err := http.NewRequest(method, b.http.URL+"/api/v1/"+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(head); i += 2 {
		request.Header.Set(head[i], head[i+1])
	}
	answer, err := b.http.Client().Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	r := reply{status: answer.StatusCode, header: answer.Header}
	if r.raw, err = io.ReadAll(answer.Body); err != nil {
		return r, err
	}
	_ = json.Unmarshal(r.raw, &r.body)
	return r, nil
}

const (
	keywords = `{"topic":"home espresso"}`
	chat     = `{"messages":[{"role":"user","content":"hello"}]}`
)

func key(name string) []string { return []string{"X-Soke-Key", "sk_live_sandbox_" + name} }

func TestEveryKeyBehavesAsTheContractsTableSays(t *testing.T) {
	endpoints := map[string][2]string{
		"research/keywords": {"POST", keywords}, "chat/completions": {"POST", chat},
		"jobs/00000000-0000-0000-0000-000000000000": {"GET", ""},
	}
	for name, want := range map[string]struct {
		status int
		code   string
	}{
		"expired": {403, "SUBSCRIPTION_REQUIRED"}, "revoked": {401, "UNAUTHORIZED"},
		"forbidden": {403, "FORBIDDEN"}, "broken": {500, "INTERNAL_ERROR"},
	} {
		for path, call := range endpoints {
			r := open(t).ask(call[0], path, call[1], key(name)...)
			if r.status != want.status || r.code() != want.code {
				t.Errorf("%s on %s: %d %s, want %d %s", name, path, r.status, r.code(), want.status, want.code)
			}
		}
	}
	b := open(t)
	if r := b.ask("POST", "research/keywords", keywords, key("nocredits")...); r.status != 402 || r.code() != "INSUFFICIENT_CREDITS" {
		t.Errorf("without credits: %d %s", r.status, r.code())
	}
	for _, name := range []string{"active", "slow", "whatever_else"} {
		if r := b.ask("POST", "research/keywords", keywords, key(name)...); r.status != 200 {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
}

func TestTheGarbledKeySendsWhatBrokenGatewaysSendInTurn(t *testing.T) {
	b := open(t)
	for round := range 2 {
		if r := b.ask("POST", "research/keywords", keywords, key("garbled")...); r.status != 502 || !bytes.Contains(r.raw, []byte("<html")) {
			t.Errorf("round %d: not HTML 502 but %d %s", round, r.status, r.raw)
		}
		if r := b.ask("POST", "research/keywords", keywords, key("garbled")...); r.status != 200 || len(r.raw) != 0 {
			t.Errorf("round %d: not an empty 200 but %d %s", round, r.status, r.raw)
		}
		if r := b.ask("POST", "research/keywords", keywords, key("garbled")...); json.Valid(r.raw) {
			t.Errorf("round %d: not truncated: %s", round, r.raw)
		}
		if _, err := b.try("POST", "research/keywords", keywords, key("garbled")...); err == nil {
			t.Errorf("round %d: the connection was not reset", round)
		}
	}
}

func TestTenRequestsAMinuteAndNotOneMore(t *testing.T) {
	b := open(t)
	for i := range 10 {
		r := b.ask("POST", "research/keywords", keywords, key("limited")...)
		if got := r.header.Get("X-Soke-Remaining"); r.status != 200 || got != fmt.Sprint(9-i) {
			t.Fatalf("request %d: %d, %s remaining", i, r.status, got)
		}
	}
	b.pass(20 * time.Second)
	r := b.ask("POST", "research/keywords", keywords, key("limited")...)
	if r.status != 429 || r.code() != "RATE_LIMIT_EXCEEDED" || r.header.Get("Retry-After") != "40" {
		t.Errorf("the eleventh: %d %s, Retry-After %s", r.status, r.code(), r.header.Get("Retry-After"))
	}
	b.pass(40 * time.Second)
	if r := b.ask("POST", "research/keywords", keywords, key("limited")...); r.status != 200 {
		t.Errorf("a minute later: %d", r.status)
	}
}

func TestCreditsCountExactlyUnderConcurrency(t *testing.T) {
	b := open(t)
	b.server.SetCredits("sk_live_sandbox_active", 101)
	var wait sync.WaitGroup
	var mu sync.Mutex
	paid, refused := 0, 0
	for range 200 {
		wait.Go(func() {
			r, err := b.try("POST", "research/keywords", keywords, key("active")...)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case r.status == 200:
				paid++
			case r.status == 402:
				refused++
			}
		})
	}
	wait.Wait()
	if paid != 50 || refused != 150 || b.server.Charged("sk_live_sandbox_active") != 100 {
		t.Errorf("%d paid, %d refused, %d credits charged", paid, refused, b.server.Charged("sk_live_sandbox_active"))
	}
}

func TestLookingUpAJobThatDoesNotExistProvesAKeyForNothing(t *testing.T) {
	b := open(t)
	r := b.ask("GET", "jobs/00000000-0000-0000-0000-000000000000", "", key("active")...)
	if r.status != 404 || r.code() != "NOT_FOUND" || b.server.Charged("sk_live_sandbox_active") != 0 {
		t.Errorf("%d %s", r.status, r.raw)
	}
}

func TestAccountsAreTwoAndAnyOtherIsNotFound(t *testing.T) {
	b := open(t)
	for account, want := range map[string]int{"acc_main": 200, "acc_second": 200, "acc_third": 404} {
		r := b.ask("POST", "research/keywords", keywords, append(key("active"), "X-Soke-Account-Id", account)...)
		if r.status != want {
			t.Errorf("%s: %d, want %d", account, r.status, want)
		}
	}
}

func TestTheSameResearchByTheSameAccountEvolvesAndAnotherAccountHasItsOwn(t *testing.T) {
	b := open(t)
	first := b.ask("POST", "research/keywords", keywords, key("active")...)
	second := b.ask("POST", "research/keywords", keywords, key("active")...)
	other := b.ask("POST", "research/keywords", keywords, append(key("active"), "X-Soke-Account-Id", "acc_second")...)
	again := open(t).ask("POST", "research/keywords", keywords, key("active")...)
	list := func(r reply) string {
		data, _ := json.Marshal(r.body["data"].(map[string]any)["keywords"])
		return string(data)
	}
	if list(first) == list(second) {
		t.Error("the second research found what the first one did")
	}
	if list(first) == list(other) {
		t.Error("two accounts share their states")
	}
	if list(first) != list(again) {
		t.Error("the first state is not the same in every sandbox")
	}
}

func TestEveryAnswerHasItsRequestIDAndItsLimits(t *testing.T) {
	b := open(t)
	seen := map[string]bool{}
	for _, r := range []reply{
		b.ask("POST", "research/keywords", keywords, key("active")...),
		b.ask("POST", "research/keywords", keywords, key("expired")...),
		b.ask("GET", "nothing/here", "", key("active")...),
	} {
		meta, _ := r.body["meta"].(map[string]any)
		id, _ := meta["request_id"].(string)
		if id == "" || seen[id] {
			t.Errorf("request id %q in %s", id, r.raw)
		}
		seen[id] = true
	}
	r := b.ask("POST", "research/keywords", keywords, key("active")...)
	for _, name := range []string{"X-Soke-Limit", "X-Soke-Remaining", "X-Soke-Reset", "X-Soke-Credits-Remaining"} {
		if r.header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestBadParametersAreRefusedInSokesWords(t *testing.T) {
	b := open(t)
	for body, want := range map[string]string{
		`{"topic":"x","maxResults":51}`:    "BAD_REQUEST",
		`{"topic":"x","recencyDays":0.5}`:  "BAD_REQUEST",
		`{"topic":"x","platform":"vimeo"}`: "PLATFORM_NOT_IMPLEMENTED",
		`not JSON`:                         "BAD_REQUEST",
	} {
		if r := b.ask("POST", "research/keywords", body, key("active")...); r.code() != want {
			t.Errorf("%s: %d %s, want %s", body, r.status, r.code(), want)
		}
	}
	if b.server.Charged("sk_live_sandbox_active") != 0 {
		t.Error("a refused call was charged")
	}
}

// signIn returns the tokens of the one user who can sign in.
func (b *box) signIn() (access, refresh string) {
	b.t.Helper()
	r := b.ask("POST", "auth/login", `{"email":"demo@example.com","password":"sandbox"}`)
	data, _ := r.body["data"].(map[string]any)
	access, _ = data["accessToken"].(string)
	refresh, _ = data["refreshToken"].(string)
	if r.status != 200 || strings.Count(access, ".") != 2 {
		b.t.Fatalf("login: %d %s", r.status, r.raw)
	}
	return access, refresh
}

func TestASignInLastsUntilItsTokenExpiresAndARefreshRenewsIt(t *testing.T) {
	b := open(t)
	if r := b.ask("POST", "auth/login", `{"email":"demo@example.com","password":"wrong"}`); r.status != 401 {
		t.Errorf("a wrong password: %d", r.status)
	}
	access, refresh := b.signIn()
	if r := b.ask("POST", "chat/completions", chat, "Authorization", "Bearer "+access); r.status != 200 {
		t.Fatalf("with a token: %d %s", r.status, r.raw)
	}
	b.pass(16 * time.Minute)
	if r := b.ask("POST", "chat/completions", chat, "Authorization", "Bearer "+access); r.status != 401 {
		t.Errorf("with an expired token: %d", r.status)
	}
	r := b.ask("POST", "auth/refresh", fmt.Sprintf(`{"refreshToken":%q}`, refresh))
	renewed, _ := r.body["data"].(map[string]any)["accessToken"].(string)
	if r := b.ask("POST", "chat/completions", chat, "Authorization", "Bearer "+renewed); r.status != 200 {
		t.Errorf("with a renewed token: %d %s", r.status, r.raw)
	}
	if r := b.ask("POST", "auth/refresh", fmt.Sprintf(`{"refreshToken":%q}`, access)); r.status != 401 {
		t.Errorf("an access token refreshes: %d", r.status)
	}
	forged := access[:strings.LastIndex(access, ".")+1] + "AAAA"
	if r := b.ask("POST", "chat/completions", chat, "Authorization", "Bearer "+forged); r.status != 401 {
		t.Errorf("a forged token: %d", r.status)
	}
}

func TestConversationsAreKeptForASignInAndNeverForAKey(t *testing.T) {
	b := open(t)
	access, _ := b.signIn()
	first := b.ask("POST", "chat/completions", chat, "Authorization", "Bearer "+access)
	conversation, _ := first.body["conversationId"].(string)
	if conversation == "" {
		t.Fatalf("no conversation in %s", first.raw)
	}
	more := fmt.Sprintf(`{"conversationId":%q,"messages":[{"role":"user","content":"and then?"}]}`, conversation)
	if r := b.ask("POST", "chat/completions", more, "Authorization", "Bearer "+access); r.status != 200 || !bytes.Contains(r.raw, []byte("message 3")) {
		t.Errorf("the conversation was not resumed: %d %s", r.status, r.raw)
	}
	if r := b.ask("POST", "chat/completions", more, key("active")...); r.status == 200 {
		t.Errorf("a key resumed a conversation: %s", r.raw)
	}
	if r := b.ask("POST", "chat/completions", chat, key("active")...); bytes.Contains(r.raw, []byte("conversationId")) {
		t.Errorf("a key has a conversation: %s", r.raw)
	}
}

func TestAStreamIsChunksAndThenDone(t *testing.T) {
	b := open(t)
	request, err := http.NewRequest("POST", b.http.URL+"/api/v1/chat/completions", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"hello"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Soke-Key", "sk_live_sandbox_active")
	answer, err := b.http.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if got := answer.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("content type %s", got)
	}
	var data []string
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if event, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			data = append(data, event)
		}
	}
	if len(data) < 3 || data[len(data)-1] != "[DONE]" {
		t.Fatalf("the stream is %q", data)
	}
	for _, chunk := range data[:len(data)-1] {
		var c struct{ Object string }
		if err := json.Unmarshal([]byte(chunk), &c); err != nil || c.Object != "chat.completion.chunk" {
			t.Errorf("chunk %s", chunk)
		}
	}
}

func TestAJobComesFurtherWithEveryLookUpAndIsItsOwnersAlone(t *testing.T) {
	b := open(t)
	r := b.ask("GET", "trends/scan", "", key("active")...)
	id, _ := r.body["data"].(map[string]any)["jobId"].(string)
	if r.status != 200 && r.status != 202 || id == "" {
		t.Fatalf("%d %s", r.status, r.raw)
	}
	var states []string
	for range 3 {
		found := b.ask("GET", "jobs/"+id, "", key("active")...)
		status, _ := found.body["data"].(map[string]any)["status"].(string)
		states = append(states, status)
	}
	if fmt.Sprint(states) != "[queued processing completed]" {
		t.Errorf("it went %v", states)
	}
	if r := b.ask("GET", "jobs/"+id, "", key("somebody_else")...); r.status != 404 {
		t.Errorf("somebody else sees the job: %d", r.status)
	}
}

func TestAClientThatLeavesEndsASlowAnswer(t *testing.T) {
	server := sandbox.New(sandbox.Options{SlowFor: time.Hour})
	front := httptest.NewServer(server)
	client := http.Client{Timeout: 50 * time.Millisecond}
	request, err := http.NewRequest("POST", front.URL+"/api/v1/research/keywords", strings.NewReader(keywords))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Soke-Key", "sk_live_sandbox_slow")
	if _, err := client.Do(request); err == nil {
		t.Fatal("it answered")
	} else if timeout := (interface{ Timeout() bool })(nil); !errors.As(err, &timeout) {
		t.Fatal(err)
	}
	front.Close() // waits for what is still answered
	if server.Charged("sk_live_sandbox_slow") != 0 {
		t.Error("an answer that nobody got was charged")
	}
}
