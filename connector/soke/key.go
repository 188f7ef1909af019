package soke

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"unique"
)

// keyPrefix opens every API key that Soke issues.
const keyPrefix = "sk_live_"

// ErrKeyForm says that a text cannot be an API key. It never quotes the text.
var ErrKeyForm = errors.New("an API key is sk_live_ followed by 8 to 200 letters, digits, _ or -")

var keyForm = regexp.MustCompile(`^sk_live_[A-Za-z0-9_-]{8,200}$`)

// Key is a Soke API key. It prints masked, whatever verb, logger or encoder
// meets it; only Reveal gives the secret away. Keys can be compared.
//
// The secret stands behind a handle because fmt calls no method on an unexported
// field: a struct that holds a Key in one prints an address, not the secret.
type Key struct{ secret unique.Handle[string] }

// ParseKey returns the key in s, or ErrKeyForm.
func ParseKey(s string) (Key, error) {
	if !keyForm.MatchString(s) {
		return Key{}, ErrKeyForm
	}
	return Key{secret: unique.Make(s)}, nil
}

// Reveal returns the secret itself: for the wire to Soke, for encryption and for
// keyed hashes, and for nothing else.
func (k Key) Reveal() string {
	if k.IsZero() {
		return ""
	}
	return k.secret.Value()
}

// IsZero reports whether k holds no key.
func (k Key) IsZero() bool { return k == Key{} }

// LastFour returns the last four characters, by which people tell keys apart.
func (k Key) LastFour() string {
	if k.IsZero() {
		return ""
	}
	secret := k.Reveal()
	return secret[len(secret)-4:]
}

// String returns the masked form, sk_live_…abcd.
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	return keyPrefix + "…" + k.LastFour()
}

// Format keeps every fmt verb masked, %#v and %x included.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue keeps structured logs masked.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText keeps encoders masked. A masked key does not parse back, on purpose.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
