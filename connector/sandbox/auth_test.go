package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestOnlyTheDemoUserCanSignIn(t *testing.T) {
	b := open(t)
	for body, want := range map[string]int{
		`{"email":"demo@example.com","password":"sandbox"}`:  200,
		`{"email":"demo@example.com","password":"Sandbox"}`:  401,
		`{"email":"other@example.com","password":"sandbox"}`: 401,
		`{}`:  401,
		`[]`:  400,
		`{"a`: 400,
	} {
		if r := b.ask("POST", "auth/login", body); r.status != want {
			t.Errorf("%s: %d, want %d", body, r.status, want)
		}
	}
}

func TestASignInEndsAtTheSecondThatItAnnounced(t *testing.T) {
	b := open(t)
	r := b.ask("POST", "auth/login", `{"email":"demo@example.com","password":"sandbox"}`)
	expires, err := time.Parse(time.RFC3339, r.text("expiresAt"))
	if life := expires.Sub(b.now); err != nil || life <= 0 || life > time.Hour {
		t.Fatalf("expiresAt is %q", r.text("expiresAt"))
	}
	head := bearer(r.text("accessToken"))
	b.pass(expires.Sub(b.now) - time.Second)
	if r := b.call(endpoints[0], head...); r.status != 200 {
		t.Errorf("a second before: %d", r.status)
	}
	b.pass(time.Second)
	if r := b.call(endpoints[0], head...); r.status != 401 || r.code() != "UNAUTHORIZED" {
		t.Errorf("at its end: %d", r.status)
	}
}

func TestARefreshRenewsASignInForThirtyDays(t *testing.T) {
	b := open(t)
	access, refresh := b.signIn()
	ask := func(token string) reply {
		return b.ask("POST", "auth/refresh", fmt.Sprintf(`{"refreshToken":%q}`, token))
	}
	b.pass(29 * 24 * time.Hour)
	r := ask(refresh)
	if r.status != 200 || r.text("accessToken") == access {
		t.Fatalf("%d %s", r.status, r.raw)
	}
	if used := b.call(endpoints[1], bearer(r.text("accessToken"))...); used.status != 200 {
		t.Errorf("the renewed token: %d", used.status)
	}
	if again := ask(r.text("accessToken")); again.status != 401 {
		t.Errorf("an access token refreshes: %d", again.status)
	}
	if used := b.call(endpoints[1], bearer(r.text("refreshToken"))...); used.status != 401 {
		t.Errorf("a refresh token is taken for an access token: %d", used.status)
	}
	b.pass(2 * 24 * time.Hour)
	if late := ask(refresh); late.status != 401 {
		t.Errorf("a refresh token of 31 days: %d", late.status)
	}
}

func TestTokensAreHS256AndNoOtherIsTaken(t *testing.T) {
	b := open(t)
	access, _ := b.signIn()
	var claims jwt.MapClaims = map[string]any{}
	parsed, _, err := jwt.NewParser().ParseUnverified(access, claims)
	if err != nil || parsed.Method != jwt.SigningMethodHS256 {
		t.Fatalf("signed with %v: %v", parsed, err)
	}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	guessed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(access, ".")
	elsewhere, _ := open(t).signIn()
	for name, token := range map[string]string{
		"unsigned": unsigned, "signed with a guess": guessed, "another sandbox's": elsewhere,
		"another signature": parts[0] + "." + parts[1] + ".AAAA", "another content": parts[0] + "." + strings.Split(elsewhere, ".")[1] + "." + parts[2],
	} {
		if r := b.call(endpoints[0], bearer(token)...); r.status != 401 {
			t.Errorf("%s: %d", name, r.status)
		}
	}
	if r := b.call(endpoints[0], bearer(access)...); r.status != 200 {
		t.Errorf("the token itself: %d", r.status)
	}
}
