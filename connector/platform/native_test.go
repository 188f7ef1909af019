package platform_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/platform/make"
	"github.com/usesoke/soke-connector/connector/platform/n8n"
	"github.com/usesoke/soke-connector/connector/platform/zapier"
	"github.com/usesoke/soke-connector/connector/soke"
)

var update = flag.Bool("update", false, "write the goldens anew")

// contract is what users of each platform have been promised: code, status, Zapier's class, Make's
// class.
var contract = []struct {
	name         string
	err          *soke.Error
	status       int
	zapier, make string
}{
	{"SUBSCRIPTION_REQUIRED", &soke.Error{Code: "SUBSCRIPTION_REQUIRED", Status: 403}, 403, "Error", "InvalidConfigurationError"},
	{"UNAUTHORIZED", &soke.Error{Code: "UNAUTHORIZED"}, 401, "ExpiredAuthError", "InvalidAccessTokenError"},
	{"FORBIDDEN", &soke.Error{Code: "FORBIDDEN", Status: 403, Message: "No."}, 403, "Error", "InvalidConfigurationError"},
	{"INSUFFICIENT_CREDITS", &soke.Error{Code: "INSUFFICIENT_CREDITS", Details: map[string]any{"remaining": 1.0}}, 402, "Error", "RuntimeError"},
	{"RATE_LIMIT_EXCEEDED", &soke.Error{Code: "RATE_LIMIT_EXCEEDED", RetryAfter: 1500 * time.Millisecond}, 429, "ThrottledError", "RateLimitError"},
	{"INVALID_INPUT", &soke.Error{Code: "INVALID_INPUT", Field: "maxResults", Label: "Maximum results", Message: "Maximum results: 51 is too high; accepted: a whole number from 1 to 50"}, 400, "Error", "DataError"},
	{"BAD_REQUEST", &soke.Error{Code: "BAD_REQUEST", Status: 400, Message: "niche is too long."}, 400, "Error", "DataError"},
	{"TOPIC_REQUIRED", &soke.Error{Code: "TOPIC_REQUIRED"}, 400, "Error", "DataError"},
	{"KEYWORDS_REQUIRED", &soke.Error{Code: "KEYWORDS_REQUIRED"}, 400, "Error", "DataError"},
	{"IDEMPOTENCY_MISMATCH", &soke.Error{Code: "IDEMPOTENCY_MISMATCH"}, 409, "Error", "DataError"},
	{"NOT_FOUND", &soke.Error{Code: "NOT_FOUND"}, 404, "Error", "DataError"},
	{"METHOD_NOT_ALLOWED", &soke.Error{Code: "METHOD_NOT_ALLOWED"}, 405, "Error", "DataError"},
	{"PAYLOAD_TOO_LARGE", &soke.Error{Code: "PAYLOAD_TOO_LARGE"}, 413, "Error", "DataError"},
	{"UNSUPPORTED_MEDIA_TYPE", &soke.Error{Code: "UNSUPPORTED_MEDIA_TYPE"}, 415, "Error", "DataError"},
	{"PLATFORM_NOT_IMPLEMENTED", &soke.Error{Code: "PLATFORM_NOT_IMPLEMENTED"}, 501, "Error", "DataError"},
	{"INTERNAL_ERROR", &soke.Error{Code: "INTERNAL_ERROR"}, 500, "Error", "ConnectionError"},
	{"UPSTREAM_UNAVAILABLE", &soke.Error{Code: "UPSTREAM_UNAVAILABLE"}, 502, "Error", "ConnectionError"},
	{"UPSTREAM_UNAVAILABLE.not-sent", &soke.Error{Code: "UPSTREAM_UNAVAILABLE", NotSent: true}, 502, "ThrottledError", "ConnectionError"},
	{"UPSTREAM_TIMEOUT", &soke.Error{Code: "UPSTREAM_TIMEOUT"}, 504, "Error", "ConnectionError"},
	{"CONNECTOR_ERROR", &soke.Error{Code: "CONNECTOR_ERROR", Err: errors.New("secret text")}, 500, "Error", "ConnectionError"},
	{"CONNECTOR_ERROR.storage", &soke.Error{Code: "CONNECTOR_ERROR", Status: 503}, 503, "ThrottledError", "ConnectionError"},
	{"NEW_CODE", &soke.Error{Code: "NEW_CODE", Status: 422, Message: "New."}, 422, "Error", "DataError"},
	{"NEW_FAULT", &soke.Error{Code: "NEW_FAULT", Status: 507}, 507, "Error", "ConnectionError"},
}

func TestEveryCodeIsNativeOnEveryPlatform(t *testing.T) {
	call := platform.Call{Credits: 2, RequestID: "req-1"}
	for _, d := range []platform.Dialect{zapier.Dialect{}, n8n.Dialect{}, make.Dialect{}} {
		for _, c := range contract {
			status, header, body := platform.Answer(d.Name(), platform.Describe(c.err, call), call)
			e := body.Error
			want := map[platform.Name]string{platform.Zapier: c.zapier, platform.N8n: "NodeApiError", platform.Make: c.make}[d.Name()]
			if status != c.status || e.Type != want {
				t.Errorf("%s on %s: %d %s, want %d %s", c.name, d.Name(), status, e.Type, c.status, want)
			}
			if e.RetryAfter != nil && header.Get("Retry-After") == "" {
				t.Errorf("%s on %s has no Retry-After", c.name, d.Name())
			}
			got, err := json.MarshalIndent(body, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("../../testdata/errors", string(d.Name()), c.name+".json")
			if *update {
				_ = os.MkdirAll(filepath.Dir(path), 0o755)
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if golden, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(golden)) != string(got) {
				t.Errorf("%s differs from what users read now (%v):\n%s", path, err, got)
			}
		}
	}
}

func TestAMessageIsAlwaysShortCleanAndEndsWithItsRequestID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[A-Za-z0-9._-]{1,128}`).Draw(t, "id")
		text := rapid.String().Draw(t, "message") + "sk_live_canary_0123456789"
		f := platform.Describe(&soke.Error{
			Code:   soke.Code(rapid.SampledFrom([]string{"BAD_REQUEST", "NOT_FOUND", "INVALID_INPUT", "FORBIDDEN", "X"}).Draw(t, "code")),
			Status: rapid.IntRange(0, 700).Draw(t, "status"), Message: text,
		}, platform.Call{RequestID: id})
		switch {
		case utf8.RuneCountInString(f.Message) > 250, !utf8.ValidString(f.Message), !strings.HasSuffix(f.Message, " (request "+id+")"),
			strings.Contains(f.Message, "canary"), f.Title == "", utf8.RuneCountInString(f.Title) > 80, f.Status < 400:
			t.Fatalf("%d %q %q", f.Status, f.Title, f.Message)
		}
	})
}
