package soke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

const password = "correct horse battery"

// issuer is a Soke that signs in and refreshes, with tokens that are numbered.
type issuer struct {
	mu        sync.Mutex
	issued    int
	refreshes int
	calls     int
	now       time.Time
	accepted  func(n int) bool
	expires   func(now time.Time) any
	onRefresh func(w http.ResponseWriter, r *http.Request) bool // true if it answered
}

func newIssuer() *issuer {
	return &issuer{
		now:      time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		accepted: func(int) bool { return true },
		expires:  func(now time.Time) any { return now.Add(15 * time.Minute).Format(time.RFC3339) },
	}
}

func (i *issuer) clock() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

func (i *issuer) advance(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now = i.now.Add(d)
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Email, Password, RefreshToken string }
	_ = json.NewDecoder(r.Body).Decode(&asked)
	switch r.URL.Path {
	case "/api/v1/auth/login":
		if asked.Password != password {
			says(401, fmt.Sprintf(`{"success":false,"error":{"code":"UNAUTHORIZED","message":"No user with password %s","details":{"password":%q}}}`, asked.Password, asked.Password))(w, r)
			return
		}
		i.grant(w, r)
	case "/api/v1/auth/refresh":
		i.mu.Lock()
		i.refreshes++
		last := fmt.Sprintf("refresh-%d", i.issued)
		i.mu.Unlock()
		if i.onRefresh != nil && i.onRefresh(w, r) {
			return
		}
		if asked.RefreshToken != last {
			says(401, `{"success":false,"error":{"code":"UNAUTHORIZED","message":"bad `+asked.RefreshToken+`"}}`)(w, r)
			return
		}
		i.grant(w, r)
	default:
		i.mu.Lock()
		i.calls++
		i.mu.Unlock()
		n := 0
		_, _ = fmt.Sscanf(r.Header.Get("Authorization"), "Bearer access-%d", &n)
		if !i.accepted(n) {
			says(401, `{"success":false,"error":{"code":"UNAUTHORIZED"}}`)(w, r)
			return
		}
		says(200, success)(w, r)
	}
}

func (i *issuer) grant(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.issued++
	n, expires := i.issued, i.expires(i.now)
	i.mu.Unlock()
	data, _ := json.Marshal(map[string]any{"accessToken": fmt.Sprintf("access-%d", n), "refreshToken": fmt.Sprintf("refresh-%d", n), "expiresAt": expires})
	says(200, `{"success":true,"data":`+string(data)+`}`)(w, r)
}

func (i *issuer) counts() (refreshes, calls int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.refreshes, i.calls
}

func signIn(t *testing.T, i *issuer) (*caller, *soke.TokenSource) {
	t.Helper()
	url, _ := serve(t, i.ServeHTTP)
	c := newCaller(t, soke.Options{BaseURL: url, Now: i.clock})
	src, err := c.Login(t.Context(), "demo@example.com", password)
	if err != nil {
		t.Fatal(err)
	}
	return c, src
}

func TestASignedInSessionRefreshesItsTokenShortlyBeforeItsEnd(t *testing.T) {
	for name, expires := range map[string]func(now time.Time) any{
		"RFC 3339":       func(now time.Time) any { return now.Add(5 * time.Minute).Format(time.RFC3339Nano) },
		"Unix":           func(now time.Time) any { return now.Add(5 * time.Minute).Unix() },
		"Unix as a text": func(now time.Time) any { return fmt.Sprint(now.Add(5 * time.Minute).Unix()) },
		"milliseconds":   func(now time.Time) any { return now.Add(5 * time.Minute).UnixMilli() },
		"not said":       func(time.Time) any { return nil },
		"nonsense":       func(time.Time) any { return "soon" },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer()
			i.expires = expires
			c, src := signIn(t, i)
			session := c.SignedIn(src, "acc_main")
			for _, step := range []struct {
				later     time.Duration
				refreshes int
				token     string
			}{{0, 0, "access-1"}, {4*time.Minute + 29*time.Second, 0, "access-1"}, {2 * time.Second, 1, "access-2"}, {time.Hour, 2, "access-3"}} {
				i.advance(step.later)
				if _, err := session.Do(t.Context(), get("x")); err != nil {
					t.Fatal(err)
				}
				refreshes, _ := i.counts()
				if got := session.Credential(); refreshes != step.refreshes || got.Token.Reveal() != step.token || got.AccountID != "acc_main" {
					t.Errorf("%d refreshes, token %s after %v", refreshes, got.Token.Reveal(), step.later)
				}
			}
			if !session.Persists() {
				t.Error("a signed-in session does not persist")
			}
		})
	}
}

func TestARefusedTokenIsReplacedOnceAndTheCallRepeated(t *testing.T) {
	i := newIssuer()
	i.accepted = func(n int) bool { return n == 2 }
	c, src := signIn(t, i)
	if _, err := c.SignedIn(src, "").Do(t.Context(), post("x")); err != nil {
		t.Fatal(err)
	}
	if refreshes, calls := i.counts(); refreshes != 1 || calls != 2 {
		t.Errorf("%d refreshes and %d calls, want 1 and 2", refreshes, calls)
	}

	i.accepted = func(int) bool { return false }
	_, err := c.SignedIn(src, "").Do(t.Context(), post("x"))
	if e := failure(t, err); e.Code != soke.Unauthorized {
		t.Errorf("got %+v", e)
	}
	if refreshes, calls := i.counts(); refreshes != 2 || calls != 4 {
		t.Errorf("%d refreshes and %d calls, want one and two more", refreshes, calls)
	}
}

func TestAKeyThatIsRefusedIsNotTriedAgain(t *testing.T) {
	url, arrived := serve(t, says(401, `{"success":false,"error":{"code":"UNAUTHORIZED"}}`))
	_, err := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t)).Do(t.Context(), post("x"))
	if failure(t, err).Code != soke.Unauthorized || arrived.Load() != 1 {
		t.Errorf("got %v after %d requests", err, arrived.Load())
	}
}

func TestCallersWhoNeedANewTokenShareOneRefresh(t *testing.T) {
	const callers = 50
	for name, need := range map[string]func(*issuer){
		"for its age":    func(i *issuer) { i.advance(time.Hour) },
		"for a refusal":  func(i *issuer) { i.accepted = func(n int) bool { return n > 1 } },
		"for both":       func(i *issuer) { i.advance(time.Hour); i.accepted = func(n int) bool { return n > 1 } },
		"after a stream": func(i *issuer) { i.advance(20 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer()
			c, src := signIn(t, i)
			need(i)
			session := c.SignedIn(src, "")
			var failed atomic.Int64
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					if _, err := session.Do(t.Context(), post("x")); err != nil {
						failed.Add(1)
					}
				})
			}
			all.Wait()
			if refreshes, _ := i.counts(); refreshes != 1 || failed.Load() != 0 {
				t.Errorf("%d refreshes, %d of %d calls failed", refreshes, failed.Load(), callers)
			}
		})
	}
}

func TestARefreshOutlivesTheCallerWhoBeganIt(t *testing.T) {
	i := newIssuer()
	begun, goOn := make(chan struct{}), make(chan struct{})
	i.onRefresh = func(http.ResponseWriter, *http.Request) bool {
		close(begun)
		<-goOn
		return false
	}
	c, src := signIn(t, i)
	i.advance(time.Hour)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := c.SignedIn(src, "").Do(ctx, post("x"))
		left <- err
	}()
	<-begun
	leave()
	if e := failure(t, <-left); !errors.Is(e, context.Canceled) || !e.NotSent {
		t.Errorf("got %+v", e)
	}
	close(goOn)
	if _, err := c.SignedIn(src, "").Do(t.Context(), post("x")); err != nil {
		t.Error(err)
	}
	if refreshes, calls := i.counts(); refreshes != 1 || calls != 1 {
		t.Errorf("%d refreshes and %d calls, want 1 and 1", refreshes, calls)
	}
}

func TestARefreshThatFailsIsTheCallsFailureAndSendsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   soke.Code
	}{
		"revoked":     {says(401, `{"success":false,"error":{"code":"UNAUTHORIZED","message":"bad refresh-1"},"meta":{"request_id":"r-9"}}`), soke.Unauthorized},
		"unavailable": {says(502, "<html>", "X-Request-Id", "r-9"), soke.UpstreamUnavailable},
		"no token":    {says(200, `{"success":true,"data":{"accessToken":7},"meta":{"request_id":"r-9"}}`), soke.UpstreamUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer()
			i.onRefresh = func(w http.ResponseWriter, r *http.Request) bool { c.answer(w, r); return true }
			caller, src := signIn(t, i)
			i.advance(time.Hour)
			session := caller.SignedIn(src, "")
			_, err := session.Do(t.Context(), post("x"))
			e := failure(t, err)
			if e.Code != c.code || e.RequestID != "r-9" || session.Meta().RequestID != "r-9" {
				t.Errorf("got %+v, remembered %+v", e, session.Meta())
			}
			if strings.Contains(e.Error(), "refresh-1") {
				t.Errorf("a token shows in %v", e)
			}
			if refreshes, calls := i.counts(); refreshes != 1 || calls != 0 {
				t.Errorf("%d refreshes and %d calls, want 1 and none", refreshes, calls)
			}
		})
	}
}

func TestALoginThatFailsDoesNotShowThePassword(t *testing.T) {
	url, arrived := serve(t, newIssuer().ServeHTTP)
	_, err := newCaller(t, soke.Options{BaseURL: url}).Login(t.Context(), "demo@example.com", "wrong horse")
	e := failure(t, err)
	if e.Code != soke.Unauthorized || e.Status != 401 || arrived.Load() != 1 {
		t.Errorf("got %+v after %d requests", e, arrived.Load())
	}
	if strings.Contains(fmt.Sprintf("%+v %v", *e, e.Details), "wrong horse") {
		t.Error("the password shows")
	}
}

func TestATokenSourceDoesNotShowItsTokens(t *testing.T) {
	_, src := signIn(t, newIssuer())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if text := fmt.Sprintf(verb, src); strings.Contains(text, "access-1") || strings.Contains(text, "refresh-1") || strings.Contains(text, fmt.Sprintf("%x", "access-1")) {
			t.Errorf("%s shows a token", verb)
		}
	}
}
