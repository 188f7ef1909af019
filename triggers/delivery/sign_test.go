package delivery_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

func key(t *testing.T, s string) soke.Key {
	t.Helper()
	k, err := soke.ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t *testing.T, secrets []string, id string, at time.Time, body []byte) http.Header {
	t.Helper()
	header, err := delivery.Sign(secrets, id, at, body)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

// verify judges with the reference library, as a receiver would.
func verify(t *testing.T, secret string, body []byte, header http.Header) error {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return webhook.Verify(body, header)
}

// The expected text was computed apart from this code, with Python's hmac and base64.
func TestSigningSecretIsDerivedAsTheContractSays(t *testing.T) {
	got := delivery.SigningSecret(key(t, "sk_live_sandbox_active"), "sub_0123456789")
	if want := "whsec_6j2MelwLh8Qa7eZ4tRj+Kp7OzQaScLfB90gjvfFQYWc="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(got, "whsec_")); err != nil || len(raw) != 32 {
		t.Errorf("the secret holds %d bytes (%v), want 32", len(raw), err)
	}
}

func TestSigningSecretsDifferByKeyAndBySubscription(t *testing.T) {
	one := key(t, "sk_live_aaaaaaaa")
	seen := map[string]bool{
		delivery.SigningSecret(one, "sub_1"):                           true,
		delivery.SigningSecret(one, "sub_2"):                           true,
		delivery.SigningSecret(key(t, "sk_live_aaaaaaab"), "sub_1"):    true,
		delivery.SigningSecret(key(t, "sk_live_AAAAAAAA"), "sub_1"):    true,
		delivery.SigningSecret(key(t, "sk_live_aaaaaaaas"), "ub_1"):    true,
		delivery.SigningSecret(key(t, "sk_live_aaaaaaaa_"), "sub_1\n"): true,
	}
	if len(seen) != 6 {
		t.Errorf("got %d different secrets, want 6", len(seen))
	}
}

// The vector is the one of the Standard Webhooks reference libraries.
func TestSignAgreesWithTheVectorOfStandardWebhooks(t *testing.T) {
	header := sign(t, []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek",
		time.Unix(1614265330, 999_999_999), []byte(`{"test": 2432232314}`))
	for name, want := range map[string]string{
		"webhook-id":        "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"webhook-timestamp": "1614265330",
		"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if len(header) != 3 {
		t.Errorf("got %d headers, want 3", len(header))
	}
}

func TestBothSecretsVerifyDuringARotation(t *testing.T) {
	fresh := delivery.SigningSecret(key(t, "sk_live_new_key_1"), "sub_1")
	former := delivery.SigningSecret(key(t, "sk_live_old_key_1"), "sub_1")
	stranger := delivery.SigningSecret(key(t, "sk_live_someone_"), "sub_1")
	body := []byte(`{"type":"new-keyword","events":[]}`)
	header := sign(t, []string{fresh, former}, "msg_1", time.Now(), body)

	if err := verify(t, fresh, body, header); err != nil {
		t.Errorf("the new secret: %v", err)
	}
	if err := verify(t, former, body, header); err != nil {
		t.Errorf("the old secret: %v", err)
	}
	if err := verify(t, stranger, body, header); !errors.Is(err, standardwebhooks.ErrNoMatchingSignature) {
		t.Errorf("a stranger's secret: got %v, want no matching signature", err)
	}
}

func TestTamperingIsNoticed(t *testing.T) {
	secret := delivery.SigningSecret(key(t, "sk_live_sandbox_active"), "sub_1")
	body := []byte(`{"type":"new-keyword","events":[{"id":"evt_1"}]}`)
	now := time.Now()
	for name, tamper := range map[string]func(http.Header, []byte) []byte{
		"body": func(_ http.Header, b []byte) []byte { return append(b, ' ') },
		"id": func(h http.Header, b []byte) []byte {
			h.Set("webhook-id", "msg_2")
			return b
		},
		"timestamp": func(h http.Header, b []byte) []byte {
			h.Set("webhook-timestamp", fmt.Sprint(now.Unix()+1))
			return b
		},
		"replay after ten minutes": func(h http.Header, b []byte) []byte {
			late := sign(t, []string{secret}, "msg_1", now.Add(-10*time.Minute), b)
			h.Set("webhook-timestamp", late.Get("webhook-timestamp"))
			h.Set("webhook-signature", late.Get("webhook-signature"))
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			header := sign(t, []string{secret}, "msg_1", now, body)
			if err := verify(t, secret, body, header); err != nil {
				t.Fatalf("untouched: %v", err)
			}
			touched := tamper(header, append([]byte(nil), body...))
			if err := verify(t, secret, touched, header); err == nil {
				t.Error("the reference library accepted it")
			}
		})
	}
}

func TestSignRefusesWhatNobodyCouldVerify(t *testing.T) {
	good := delivery.SigningSecret(key(t, "sk_live_sandbox_active"), "sub_1")
	for name, secrets := range map[string][]string{
		"no secret":      nil,
		"no prefix":      {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
		"not base64":     {"whsec_hidden-secret!"},
		"empty":          {"whsec_"},
		"one bad of two": {good, "whsec_hidden-secret!"},
	} {
		header, err := delivery.Sign(secrets, "msg_1", time.Unix(1, 0), nil)
		if !errors.Is(err, delivery.ErrSecretForm) || header != nil {
			t.Errorf("%s: got %v, %v, want ErrSecretForm alone", name, header, err)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: the error quotes the secret", name)
		}
	}
}
