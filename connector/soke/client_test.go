package soke_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/connector/soke"
)

func TestOnlyAnAddressThatKeepsKeysSafeIsTaken(t *testing.T) {
	for url, problem := range map[string]string{
		"":                                "",
		"https://api.usesoke.ai":          "",
		"https://api.usesoke.ai/":         "",
		"https://proxy.example/soke":      "",
		"http://localhost:9090":           "",
		"http://127.0.0.1:9090":           "",
		"http://[::1]:9090":               "",
		"http://api.usesoke.ai":           "use https",
		"http://10.0.0.1":                 "use https",
		"http://127.0.0.1.example.com":    "use https",
		"http://localhost.example.com":    "use https",
		"ftp://api.usesoke.ai":            "https://",
		"api.usesoke.ai":                  "must look like",
		"https://":                        "must look like",
		"https://:443":                    "must look like",
		"https://u:p4ss@api.usesoke.ai":   "must look like",
		"https://api.usesoke.ai?key=p4ss": "must look like",
		"https://api.usesoke.ai#p4ss":     "must look like",
		"https://api.usesoke.ai:port":     "must look like",
	} {
		client, err := soke.New(soke.Options{BaseURL: url})
		switch {
		case problem == "" && err != nil:
			t.Errorf("%q: %v", url, err)
		case problem != "" && (err == nil || !strings.Contains(err.Error(), problem)):
			t.Errorf("%q: got %v, want %q", url, err, problem)
		case err != nil && strings.Contains(err.Error(), "p4ss"):
			t.Errorf("%q: a secret shows in %v", url, err)
		case err == nil:
			client.Close()
		}
	}
}

func TestACallArrivesAsItWasMade(t *testing.T) {
	for _, base := range []string{"", "/", "/api/v1", "/api/v1/", "/below"} {
		t.Run("base "+base, func(t *testing.T) {
			url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				want := "/api/v1/research/keywords"
				if base == "/below" {
					want = base + want
				}
				for name, pair := range map[string][2]string{
					"path":       {r.URL.Path, want},
					"query":      {r.URL.RawQuery, "a=1&b=x+%26y"},
					"key":        {r.Header.Get("X-Soke-Key"), secretKey},
					"account":    {r.Header.Get("X-Soke-Account-Id"), "acc_main"},
					"type":       {r.Header.Get("Content-Type"), "application/json"},
					"user agent": {r.Header.Get("User-Agent"), "soke-connector/test"},
					"bearer":     {r.Header.Get("Authorization"), ""},
				} {
					if pair[0] != pair[1] {
						t.Errorf("%s is %q, want %q", name, pair[0], pair[1])
					}
				}
				says(200, success)(w, r)
			})
			c := newCaller(t, soke.Options{BaseURL: url + base, UserAgent: "soke-connector/test"})
			call := post("research/keywords")
			call.Query = map[string][]string{"b": {"x &y"}, "a": {"1"}}
			answer, err := c.Session(credential(t)).Do(t.Context(), call)
			if err != nil || string(answer.Body) != success || string(answer.Data()) != `{"n":1}` || answer.RequestID != "req-1" || answer.Status != 200 {
				t.Errorf("got %+v, %v", answer, err)
			}
			attempts, _ := c.seen()
			if len(attempts) != 1 || attempts[0].Operation != "raw" || attempts[0].Status != 200 || attempts[0].Code != "" || attempts[0].Duration <= 0 {
				t.Errorf("observed %+v", attempts)
			}
		})
	}
}

func TestATokenGoesAsABearer(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secretToken || r.Header.Get("X-Soke-Key") != "" {
			t.Error("the token did not arrive")
		}
		says(200, success)(w, r)
	})
	token, err := soke.ParseToken(secretToken)
	if err != nil {
		t.Fatal(err)
	}
	session := newCaller(t, soke.Options{BaseURL: url}).Session(soke.Credential{Token: token})
	if _, err := session.Do(t.Context(), get("x")); err != nil {
		t.Error(err)
	}
	if !session.Persists() || session.Credential().Token != token {
		t.Error("the session forgot its token")
	}
}

func TestACallThatCannotBeBuiltIsAFaultOfTheConnectorWithoutItsText(t *testing.T) {
	c := newCaller(t, soke.Options{BaseURL: "http://127.0.0.1:1"})
	_, err := c.Session(credential(t)).Do(t.Context(), soke.Call{Method: "NO METHOD", Path: "x"})
	if e := failure(t, err); e.Code != soke.ConnectorError || !e.NotSent {
		t.Errorf("got %+v", e)
	}
}
