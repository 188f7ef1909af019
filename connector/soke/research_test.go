package soke_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/connector/soke"
)

func TestAResearchAsksOnlyForWhatWasGiven(t *testing.T) {
	for want, request := range map[string]soke.KeywordsRequest{
		`{}`: {},
		`{"topic":"tea","platform":"youtube","niche":"n","region":"DE","maxResults":5,"recencyDays":30}`: {"tea", "youtube", "n", "DE", 5, 30},
	} {
		url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if string(body) != want || r.Method != http.MethodPost || r.URL.Path != "/api/v1/research/keywords" {
				t.Errorf("asked %s %s %s", r.Method, r.URL.Path, body)
			}
			says(200, `{"success":true,"data":{}}`)(w, r)
		})
		c := newCaller(t, soke.Options{BaseURL: url})
		if _, err := c.Session(credential(t)).ResearchKeywords(t.Context(), request); err != nil {
			t.Error(err)
		}
		if attempts, _ := c.seen(); len(attempts) != 1 || attempts[0].Operation != "research-keywords" {
			t.Errorf("observed %+v", attempts)
		}
	}
}

func research(t testing.TB, data string) *soke.Keywords {
	t.Helper()
	url, _ := serve(t, says(200, `{"success":true,"data":`+data+`,"meta":{"request_id":"r-1"}}`, "X-Soke-Credits-Remaining", "498"))
	found, err := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t)).ResearchKeywords(t.Context(), soke.KeywordsRequest{})
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return found
}

func TestAKeywordKeepsWhatSokeSentAndHasTheDocumentedFields(t *testing.T) {
	for sent, want := range map[string]string{
		`{"keyword":"a","competitionScore":0.30,"trendDirection":"rising"}`:                  `{"keyword":"a","competitionScore":0.30,"trendDirection":"rising"}`,
		`{"z":12345678901234567890.10,"keyword":"a","trendDirection":null,"longTail":["b"]}`: `{"competitionScore":null,"z":12345678901234567890.10,"keyword":"a","trendDirection":null,"longTail":["b"]}`,
		`{ "term" : " a " , "competition_score":"0.5","trend_direction":"falling" }`:         `{"keyword":"a","competitionScore":0.5,"trendDirection":"falling","term":" a ","competition_score":"0.5","trend_direction":"falling"}`,
		`"a"`:              `{"keyword":"a","competitionScore":null,"trendDirection":null}`,
		`" a \u0041"`:      `{"keyword":"a A","competitionScore":null,"trendDirection":null}`,
		`2026`:             `{"keyword":"2026","competitionScore":null,"trendDirection":null}`,
		`{"keyword":2026}`: `{"competitionScore":null,"trendDirection":null,"keyword":2026}`,
		`{"keyword":"a","competitionScore":{"v":1},"trendDirection":["up"]}`: `{"keyword":"a","competitionScore":{"v":1},"trendDirection":["up"]}`,
		`{"text":"a","competition":"NaN"}`:                                   `{"keyword":"a","competitionScore":null,"trendDirection":null,"text":"a","competition":"NaN"}`,
		`{"keyword":"<&>"}`:                                                  `{"competitionScore":null,"trendDirection":null,"keyword":"\u003c\u0026\u003e"}`,
	} {
		found := research(t, `{"keywords":[`+sent+`]}`)
		if len(found.Keywords) != 1 {
			t.Errorf("%s was dropped", sent)
			continue
		}
		got, err := json.Marshal(found.Keywords[0])
		if err != nil || string(got) != want {
			t.Errorf("%s came out as\n%s, want\n%s (%v)", sent, got, want, err)
		}
	}
}

func TestAKeywordsFieldsAreReadUnderEveryName(t *testing.T) {
	half := 0.5
	for sent, want := range map[string]soke.Keyword{
		`{"keyword":"a","competitionScore":0.5,"trendDirection":"rising"}`:     {Keyword: "a", CompetitionScore: &half, TrendDirection: "rising"},
		`{"keyword":"a","competition_score":" 0.5 ","trend_direction":"flat"}`: {Keyword: "a", CompetitionScore: &half, TrendDirection: "flat"},
		`{"keyword":null,"term":"a","competition":5e-1,"trend":"x"}`:           {Keyword: "a", CompetitionScore: &half, TrendDirection: "x"},
		`{"keyword":"a","competitionScore":"high","trendDirection":null}`:      {Keyword: "a"},
		`{"keyword":"a","competitionScore":1e400,"trendDirection":true}`:       {Keyword: "a"},
	} {
		found := research(t, `{"keywords":[`+sent+`]}`).Keywords
		if len(found) != 1 || found[0].Keyword != want.Keyword || found[0].TrendDirection != want.TrendDirection {
			t.Errorf("%s: got %+v", sent, found)
			continue
		}
		switch score := found[0].CompetitionScore; {
		case (score == nil) != (want.CompetitionScore == nil), score != nil && *score != half:
			t.Errorf("%s: score is %v", sent, score)
		}
	}
}

func TestNoAssumedFieldOfAResearchCanFailIt(t *testing.T) {
	for data, want := range map[string]int{
		`null`: 0, `{}`: 0, `[]`: 0, `7`: 0, `"x"`: 0, `{"keywords":null}`: 0, `{"keywords":{}}`: 0, `{"keywords":"a"}`: 0,
		`{"keywords":[null,true,[],{},"",{"keyword":""},{"keyword":["a"]}," ","a"]}`: 1,
		`["a","b"]`: 2, `{"topic":7,"platform":{},"keywords":["a"],"videos":"none"}`: 1,
	} {
		if found := research(t, data); len(found.Keywords) != want || found.TopVideos != nil || found.RequestID != "r-1" || *found.Limits.CreditsRemaining != 498 {
			t.Errorf("%s: got %+v", data, found)
		}
	}
}

func TestTopVideosAreFoundUnderEveryName(t *testing.T) {
	for _, name := range []string{"topVideos", "topCompetingVideos", "top_videos", "videos"} {
		found := research(t, `{"topic":"tea","platform":"youtube","`+name+`":[{"title":"a","views":12345678901234567890},"b"]}`)
		if len(found.TopVideos) != 2 || string(found.TopVideos[0]) != `{"title":"a","views":12345678901234567890}` || found.Topic != "tea" || found.Platform != "youtube" {
			t.Errorf("%s: got %s", name, found.TopVideos)
		}
	}
	if found := research(t, `{"topVideos":[]}`); found.TopVideos == nil {
		t.Error("an empty list is taken for none sent")
	}
}

func TestAResearchIsCutWhereItIsMoreThanAnybodyCanHaveAskedFor(t *testing.T) {
	list := func(item string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	object := func(size int) string {
		return `{"keyword":"tea","x":"` + strings.Repeat("x", size-len(`{"keyword":"tea","x":""}`)) + `"}`
	}
	text := func(size int) string { return `{"keyword":"` + strings.Repeat("x", size) + `"}` }
	for name, c := range map[string]struct {
		data             string
		keywords, videos int
	}{
		"millions":             {`{"keywords":` + list("1", 3_000_000) + `,"videos":` + list("1", 900_000) + `}`, 1000, 1000},
		"a thousand and one":   {`{"keywords":` + list(`"a"`, 1001) + `}`, 1000, 0},
		"blanks, and then one": {`[` + strings.Repeat(`"",`, 5000) + `"a"]`, 1, 0},
		"objects at the bound": {`{"keywords":[` + object(64<<10) + "," + object(64<<10+1) + `],"videos":[` + object(64<<10) + "," + object(64<<10+1) + `]}`, 1, 1},
		"texts at the bound":   {`[` + text(1<<10) + "," + text(1<<10+1) + `,"` + strings.Repeat("x", 1<<10+1) + `"]`, 1, 0},
	} {
		if found := research(t, c.data); len(found.Keywords) != c.keywords || len(found.TopVideos) != c.videos {
			t.Errorf("%s: %d keywords and %d videos", name, len(found.Keywords), len(found.TopVideos))
		}
	}
}

func TestAResearchWithoutAnEnvelopeIsUnavailable(t *testing.T) {
	for _, answer := range []http.HandlerFunc{
		says(200, `{"object":"list","data":{}}`),
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	} {
		url, _ := serve(t, answer)
		_, err := newCaller(t, soke.Options{BaseURL: url}).Session(credential(t)).ResearchKeywords(t.Context(), soke.KeywordsRequest{})
		if e := failure(t, err); e.Code != soke.UpstreamUnavailable || e.NotSent {
			t.Errorf("got %+v", e)
		}
	}
}

func FuzzKeyword(f *testing.F) {
	for _, s := range []string{`"a"`, `{"keyword":"a"}`, `{"Keyword":"a","keyword":1}`, `{}`, `{"term":"<","competition":"1"}`, ` { } `, `null`, `[{"keyword":"a"}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, again soke.Keyword
		if json.Unmarshal(b, &first) != nil {
			if json.Valid(b) {
				t.Errorf("%q was refused", b)
			}
			return
		}
		encoded, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%q does not encode: %v", b, err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(encoded, &fields); err != nil {
			t.Fatalf("%q came out as %q", b, encoded)
		}
		for _, name := range []string{"keyword", "competitionScore", "trendDirection"} {
			if _, ok := fields[name]; !ok {
				t.Errorf("%q lacks %s: %s", b, name, encoded)
			}
		}
		var sent map[string]json.RawMessage
		_ = json.Unmarshal(b, &sent) // bare texts have no fields
		for name, value := range sent {
			if want, _ := json.Marshal(value); string(fields[name]) != string(want) {
				t.Errorf("%q: %s came out as %s", b, name, fields[name])
			}
		}
		if err := json.Unmarshal(encoded, &again); err != nil {
			t.Fatal(err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(twice) != string(encoded) {
			t.Errorf("%q changes from %q to %q, %v", b, encoded, twice, err)
		}
	})
}
