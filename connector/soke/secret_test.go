package soke_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/connector/soke"
)

const secretToken = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlQ0FOQVJZ"

// withSecrets holds secrets in every place that an encoder or fmt may look at.
type withSecrets struct {
	Key     soke.Key
	Pointer *soke.Key
	Token   soke.Token
	Cred    soke.Credential
	Any     any
	List    []soke.Key
	Map     map[string]soke.Token
	hidden  soke.Key
	inside  soke.Credential
	session *soke.Session
}

func secrets(t testing.TB) withSecrets {
	t.Helper()
	cred := credential(t)
	token, err := soke.ParseToken(secretToken)
	if err != nil {
		t.Fatal(err)
	}
	cred.Token = token
	c := newCaller(t, soke.Options{})
	return withSecrets{
		Key: cred.Key, Pointer: &cred.Key, Token: token, Cred: cred, Any: cred, List: []soke.Key{cred.Key},
		Map: map[string]soke.Token{"t": token}, hidden: cred.Key, inside: cred, session: c.Session(cred),
	}
}

// shows reports whether a text holds a secret, plain or in hex.
func shows(text string) bool {
	text = strings.ToLower(text)
	for _, secret := range []string{secretKey[len("sk_live_") : len(secretKey)-4], secretToken[10:]} {
		if strings.Contains(text, strings.ToLower(secret)) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			return true
		}
	}
	return false
}

func TestNoVerbLoggerOrEncoderShowsASecret(t *testing.T) {
	s := secrets(t)
	values := []any{s.Key, &s.Key, s.Token, &s.Token, s.Cred, &s.Cred, s, &s, s.session, []any{s}}
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%o", "%b", "%U", "%e", "%p", "%w"} {
			if text := fmt.Sprintf(verb, value); shows(text) {
				t.Errorf("%s of %T shows a secret", verb, value)
			}
		}
		if text := fmt.Sprint(value) + fmt.Sprintln(value) + fmt.Errorf("%w", fmt.Errorf("%v", value)).Error(); shows(text) {
			t.Errorf("%T shows a secret", value)
		}
		var log bytes.Buffer
		for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))} {
			logger.Info("m", "value", value, slog.Group("g", "value", value))
		}
		if shows(log.String()) {
			t.Errorf("a log of %T shows a secret", value)
		}
	}
	for _, value := range []any{s.Key, s.Token, s.Cred, s, map[soke.Key]int{s.Key: 1}, map[soke.Token]int{s.Token: 1}} {
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%T: %v", value, err)
		}
		if shows(string(encoded)) {
			t.Errorf("JSON of %T shows a secret", value)
		}
	}
}

func TestAKeyIsToldByItsLastFourCharacters(t *testing.T) {
	key := credential(t).Key
	if key.String() != "sk_live_…WXYZ" || key.LastFour() != "WXYZ" || key.Reveal() != secretKey || key.IsZero() {
		t.Errorf("got %s, %s, zero %t", key.String(), key.LastFour(), key.IsZero())
	}
	if again := credential(t).Key; again != key {
		t.Error("two parses of a key differ")
	}
	var none soke.Key
	if none.String() != "" || none.LastFour() != "" || none.Reveal() != "" || !none.IsZero() || fmt.Sprint(none) != "" {
		t.Error("the zero key is not empty")
	}
	var noToken soke.Token
	if noToken.String() != "" || noToken.Reveal() != "" || !noToken.IsZero() {
		t.Error("the zero token is not empty")
	}
}

func TestOnlyWhatCanBeATokenOrAnAccountIsTaken(t *testing.T) {
	for s, ok := range map[string]bool{
		secretToken: true, "opaque~token+/=": true, strings.Repeat("a", 8192): true,
		"": false, strings.Repeat("a", 8193): false, "a b": false, "a\r\nX: y": false, "ä": false, "a\n": false,
	} {
		if _, err := soke.ParseToken(s); (err == nil) != ok {
			t.Errorf("token %.20q: %v", s, err)
		}
	}
	for s, ok := range map[string]bool{
		"": true, "acc_main": true, "UC-x.y:z": true, strings.Repeat("a", 128): true,
		strings.Repeat("a", 129): false, "a b": false, "a/b": false, "a\n": false, "é": false,
	} {
		if _, err := soke.ParseAccountID(s); (err == nil) != ok {
			t.Errorf("account %.20q: %v", s, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{secretKey, "", "sk_live_", "sk_live_1234567", "sk_live_12345678", "sk_live_" + strings.Repeat("a", 201), "sk_live_1234567\n8", "sk_test_12345678", " " + secretKey} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := soke.ParseKey(s)
		if err != nil {
			if key != (soke.Key{}) || len(s) > 0 && err.Error() != soke.ErrKeyForm.Error() {
				t.Errorf("a refusal brought %v, %v", key, err)
			}
			return
		}
		rest := strings.TrimPrefix(s, "sk_live_")
		if key.Reveal() != s || len(rest) < 8 || len(rest) > 200 || len(rest) == len(s) {
			t.Errorf("%q was taken", s)
		}
		if strings.Trim(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			t.Errorf("%q holds what no header may", s)
		}
		if masked := "sk_live_…" + s[len(s)-4:]; fmt.Sprintf("%+v %q %x %s", key, key, key, key) != strings.Join([]string{masked, masked, masked, masked}, " ") {
			t.Error("a key shows")
		}
	})
}
