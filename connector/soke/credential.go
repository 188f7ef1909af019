package soke

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"unique"
)

// ErrAccountForm says that a text cannot be an account ID. It never quotes the text.
var ErrAccountForm = errors.New("an account ID is 1 to 128 letters, digits, _ . : or -, and no key")

var accountForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

// ParseAccountID returns s if it can be the ID of a connected account. An empty s is
// the user's default account. Account IDs are kept and shown in clear, so a key is none.
func ParseAccountID(s string) (string, error) {
	if s != "" && (!accountForm.MatchString(s) || HoldsSecret(s)) {
		return "", ErrAccountForm
	}
	return s, nil
}

// ErrTokenForm says that a text cannot be a bearer token.
var ErrTokenForm = errors.New("a bearer token is at most 8192 visible characters without spaces")

// regexp repeats a thousand times at most, so the length is looked at apart.
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`)

const maxToken = 8192

// Token is a Soke access token (JWT). Like Key it prints masked.
type Token struct{ secret unique.Handle[string] }

// ParseToken returns the token in s, or ErrTokenForm. It does not look inside: a token is
// Soke's to judge.
func ParseToken(s string) (Token, error) {
	if len(s) > maxToken || !tokenForm.MatchString(s) {
		return Token{}, ErrTokenForm
	}
	return Token{secret: unique.Make(s)}, nil
}

// Reveal returns the secret itself, for the wire to Soke and for keyed hashes.
func (t Token) Reveal() string {
	if t.IsZero() {
		return ""
	}
	return t.secret.Value()
}

// IsZero reports whether t holds no token.
func (t Token) IsZero() bool { return t == Token{} }

// String returns a fixed mask.
func (t Token) String() string {
	if t.IsZero() {
		return ""
	}
	return "jwt…"
}

// Format keeps every fmt verb masked.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// LogValue keeps structured logs masked.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText keeps encoders masked.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Credential is what a caller authorises a Soke call with: an API key, or the access
// token of a signed-in user, and the connected account to act for ("" is the default one).
type Credential struct {
	Key       Key
	Token     Token
	AccountID string
}

// Persists reports whether Soke keeps conversations for this credential: it does for
// tokens and never for keys.
func (c Credential) Persists() bool { return !c.Token.IsZero() }
