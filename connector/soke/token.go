package soke

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// tokenSkew is how long before its end a token is replaced, so that none ends on its way.
const tokenSkew = 30 * time.Second

// tokenLife is how long a token is taken to last where Soke does not say: they are short-lived.
const tokenLife = 5 * time.Minute

// TokenSource holds a signed-in user's tokens and keeps them fresh, with one refresh at a time
// however many callers wait for it.
type TokenSource struct {
	client *Client
	flight singleflight.Group

	mu      sync.Mutex
	access  Token
	renewal Token
	expires time.Time
}

// Login signs a user in. Its errors are *Error.
func (c *Client) Login(ctx context.Context, email, password string) (*TokenSource, error) {
	src := &TokenSource{client: c}
	asked := struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	}{email, password}
	if err := src.ask(ctx, "auth/login", asked, password); err != nil {
		return nil, err
	}
	return src, nil
}

// SignedIn returns a session with a login's tokens.
func (c *Client) SignedIn(src *TokenSource, accountID string) *Session {
	return &Session{client: c, cred: Credential{AccountID: accountID}, source: src}
}

func (src *TokenSource) held() Token {
	src.mu.Lock()
	defer src.mu.Unlock()
	return src.access
}

// good reports whether the token that is held will do: it lasts a while yet and is not the one that
// Soke refused.
func (src *TokenSource) good(refused Token) bool {
	src.mu.Lock()
	defer src.mu.Unlock()
	return src.access != refused && src.client.now().Add(tokenSkew).Before(src.expires)
}

// fresh returns a token that will do. refused is the token that Soke has refused, if any.
func (src *TokenSource) fresh(ctx context.Context, refused Token) (Token, error) {
	if src.good(refused) {
		return src.held(), nil
	}
	// The refresh is for all who wait for it, so it outlives the caller who began it.
	shared := context.WithoutCancel(ctx)
	done := src.flight.DoChan("", func() (any, error) {
		if src.good(refused) {
			return nil, nil
		}
		return nil, src.refresh(shared)
	})
	select {
	case result := <-done:
		if failure := (*Error)(nil); errors.As(result.Err, &failure) {
			own := *failure // the others who waited have theirs
			return Token{}, &own
		}
		return src.held(), nil
	case <-ctx.Done():
		failure := lost(ctx, ctx.Err(), false)
		failure.NotSent = true // the call that the token is for
		return Token{}, failure
	}
}

func (src *TokenSource) refresh(ctx context.Context) error {
	src.mu.Lock()
	renewal := src.renewal.Reveal()
	src.mu.Unlock()
	asked := struct {
		RefreshToken string `json:"refreshToken"`
	}{renewal}
	return src.ask(ctx, "auth/refresh", asked, renewal)
}

// ask signs in or refreshes, and takes over the tokens that come back. secret is what was sent, and must not come back in an error.
func (src *TokenSource) ask(ctx context.Context, path string, asked any, secret string) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return &Error{Code: ConnectorError, NotSent: true, Err: err}
	}
	answer, err := src.client.Session(Credential{}).Do(ctx, Call{
		Operation: "auth", Method: http.MethodPost, Path: path, Body: body,
	})
	if failure := (*Error)(nil); errors.As(err, &failure) {
		failure.Details = nil
		if secret != "" {
			failure.Message = strings.ReplaceAll(failure.Message, secret, hidden)
		}
		return failure
	}
	var sent struct {
		AccessToken  string          `json:"accessToken"`
		RefreshToken string          `json:"refreshToken"`
		ExpiresAt    json.RawMessage `json:"expiresAt"`
	}
	_ = json.Unmarshal(answer.Data(), &sent) // what is missing shows below
	access, err := ParseToken(sent.AccessToken)
	if err != nil {
		return &Error{Code: UpstreamUnavailable, RequestID: answer.RequestID, Limits: answer.Limits, Err: errors.New("signing in brought no token")}
	}
	src.mu.Lock()
	defer src.mu.Unlock()
	src.access, src.expires = access, expiry(sent.ExpiresAt, src.client.now())
	if renewal, err := ParseToken(sent.RefreshToken); err == nil {
		src.renewal = renewal
	}
	return nil
}

// expiry reads when a token ends: RFC 3339, or Unix time in seconds or milliseconds.
func expiry(raw json.RawMessage, now time.Time) time.Time {
	text := strings.Trim(string(raw), `"`)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	unix, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || unix <= 0:
		return now.Add(tokenLife)
	case unix > 1e11:
		return time.UnixMilli(unix)
	}
	return time.Unix(unix, 0)
}
