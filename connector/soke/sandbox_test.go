package soke_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
)

func sandboxed(t testing.TB, o sandbox.Options) (*sandbox.Server, *caller) {
	t.Helper()
	s := sandbox.New(o)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, newCaller(t, soke.Options{BaseURL: server.URL, Now: o.Now})
}

func keyed(t testing.TB, c *caller, key, account string) *soke.Session {
	t.Helper()
	k, err := soke.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return c.Session(soke.Credential{Key: k, AccountID: account})
}

func TestTheSandboxSpeaksWhatTheClientReads(t *testing.T) {
	const key = "sk_live_sandbox_active"
	s, c := sandboxed(t, sandbox.Options{})
	session := keyed(t, c, key, "")

	found, err := session.ResearchKeywords(t.Context(), soke.KeywordsRequest{Topic: "home espresso", MaxResults: 7})
	if err != nil || len(found.Keywords) != 7 || found.RequestID == "" || *found.Limits.CreditsRemaining != 999_998 {
		t.Errorf("research: %+v, %v", found, err)
	}
	for _, k := range found.Keywords {
		if k.Keyword == "" || k.CompetitionScore == nil || k.TrendDirection == "" {
			t.Errorf("keyword: %+v", k)
		}
	}
	said, err := session.ChatCompletion(t.Context(), soke.ChatRequest{Messages: []soke.Message{{Role: "user", Content: "Hello"}}})
	if err != nil || said.Content == "" || len(said.ServicesUsed) == 0 || said.RequestID == "" || said.RequestID != session.Meta().RequestID {
		t.Errorf("chat: %+v, %v", said, err)
	}
	spent := s.Charged(key)
	if spent != 7 {
		t.Errorf("%d credits were charged, want 7", spent)
	}
	if _, err := session.Check(t.Context()); err != nil || s.Charged(key) != spent {
		t.Errorf("check: %v, %d credits", err, s.Charged(key)-spent)
	}
	st, err := session.Stream(t.Context(), soke.Call{Operation: "chat", Method: "POST", Path: "chat/completions", Body: []byte(`{"messages":[{"role":"user","content":"Hello"}],"stream":true}`)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	got, err := events(t, st)
	if err != nil || len(got) < 3 || !strings.Contains(got[0], `"assistant"`) {
		t.Errorf("stream: %d events, %v", len(got), err)
	}
}

func TestEveryKeyOfTheSandboxFailsAsItsName(t *testing.T) {
	_, c := sandboxed(t, sandbox.Options{})
	for key, want := range map[string]soke.Code{
		"expired": soke.SubscriptionRequired, "revoked": soke.Unauthorized, "nocredits": soke.InsufficientCredits,
		"forbidden": soke.Forbidden, "broken": soke.InternalError,
	} {
		_, err := keyed(t, c, "sk_live_sandbox_"+key, "").ResearchKeywords(t.Context(), soke.KeywordsRequest{Topic: "tea"})
		if e := failure(t, err); e.Code != want || e.RequestID == "" || e.Status < 400 {
			t.Errorf("%s: got %+v", key, e)
		}
	}
	garbled := keyed(t, c, "sk_live_sandbox_garbled", "")
	for range 4 {
		_, err := garbled.ResearchKeywords(t.Context(), soke.KeywordsRequest{Topic: "tea"})
		if e := failure(t, err); e.Code != soke.UpstreamUnavailable || e.NotSent {
			t.Errorf("garbled: got %+v", e)
		}
	}
	_, err := keyed(t, c, "sk_live_sandbox_active", "acc_unknown").Check(t.Context())
	if e := failure(t, err); e.Code != soke.NotFound || e.Field != "accountId" {
		t.Errorf("unknown account: got %+v", e)
	}
}

func TestALoginAtTheSandboxOutlivesItsTokens(t *testing.T) {
	i := newIssuer() // for its clock
	_, c := sandboxed(t, sandbox.Options{Now: i.clock})
	src, err := c.Login(t.Context(), "demo@example.com", "sandbox")
	if err != nil {
		t.Fatal(err)
	}
	session := c.SignedIn(src, "acc_second")
	conversation := ""
	for _, later := range []time.Duration{0, 10 * time.Minute, 24 * time.Hour} {
		i.advance(later)
		said, err := session.ChatCompletion(t.Context(), soke.ChatRequest{
			Messages: []soke.Message{{Role: "user", Content: "Hello"}}, ConversationID: conversation,
		})
		if err != nil || said.ConversationID == "" || conversation != "" && said.ConversationID != conversation {
			t.Fatalf("after %v: %+v, %v", later, said, err)
		}
		conversation = said.ConversationID
	}
}

func BenchmarkResearchKeywords(b *testing.B) {
	_, c := sandboxed(b, sandbox.Options{RequestsPerMinute: -1})
	session := keyed(b, c, "sk_live_bench_0001", "")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := session.ResearchKeywords(b.Context(), soke.KeywordsRequest{Topic: "tea", MaxResults: 50}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeKeywords(b *testing.B) {
	list := []byte(`[` + strings.Repeat(`{"keyword":"home espresso","competitionScore":0.42,"trendDirection":"rising","searchVolume":1200,"longTail":["a","b"]},`, 49) +
		`{"keyword":"home espresso","competitionScore":0.42,"trendDirection":"rising"}]`)
	b.ReportAllocs()
	b.SetBytes(int64(len(list)))
	for b.Loop() {
		var found []soke.Keyword
		if err := json.Unmarshal(list, &found); err != nil || len(found) != 50 {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeKeywords(b *testing.B) {
	var k soke.Keyword
	if err := json.Unmarshal([]byte(`{"keyword":"home espresso","competitionScore":0.42,"trendDirection":"rising","searchVolume":1200,"longTail":["a","b"]}`), &k); err != nil {
		b.Fatal(err)
	}
	found := slices.Repeat([]soke.Keyword{k}, 50)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(found); err != nil {
			b.Fatal(err)
		}
	}
}
