package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestTheOperatorsCommandsTalkToTheRunningConnector(t *testing.T) {
	const poll = "/v1/zapier/triggers/new-keyword/poll"
	r := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	if status, body := r.post(poll, anyKey, `{"topic":"home espresso"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	posted := make(chan string, 10)
	in := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { posted <- r.Header.Get("Webhook-Id") }))
	t.Cleanup(in.Close)
	status, body := r.post("/v1/make/triggers/new-keyword/subscriptions", anyKey, `{"topic":"home espresso","test":true,"targetUrl":"`+in.URL+`"}`)
	var made struct{ ID string }
	if err := json.Unmarshal(body, &made); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s %v", status, body, err)
	}
	delivery := <-posted
	operator := func(args ...string) (string, int) {
		o := launch(t, []string{"SOKE_ADMIN=" + r.admin()}, args...)
		code := o.exit()
		return o.stdout.String() + o.log(), code
	}
	list, code := operator("watches")
	if code != exitOK || !strings.Contains(list, "home espresso") || strings.Contains(list, "sk_live") {
		t.Fatalf("watches: %d %s", code, list)
	}
	watch := strings.Fields(strings.Split(list, "\n")[1])[0]
	// The receiver has the delivery before the connector has settled it.
	var shown string
	waitUntil(t, 10*time.Second, func() bool {
		shown, code = operator("deliveries", "show", "--subscription", made.ID)
		return code != exitOK || strings.Contains(shown, delivery) && strings.Contains(shown, "delivered") && strings.Contains(shown, "200")
	}, func() string { return "deliveries show: " + shown })
	if code != exitOK {
		t.Fatalf("deliveries show: %d %s", code, shown)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"show":            {[]string{"watches", "show", "--watch", watch}, exitOK, "keywords, "},
		"explain":         {[]string{"watches", "explain", "--watch", watch, "--keyword", "Best HOME espresso"}, exitOK, "in the baseline"},
		"explain unknown": {[]string{"watches", "explain", "--watch", watch, "--keyword", "nothing like it"}, exitOK, "never been in a result"},
		"no such watch":   {[]string{"watches", "show", "--watch", "wch_none"}, exitFailure, "no such watch"},
		"no subscription": {[]string{"deliveries", "replay", "--subscription", "sub_none"}, exitFailure, "no such subscription"},
		"none to show":    {[]string{"deliveries", "show", "--subscription", "sub_none"}, exitFailure, "no such subscription"},
		"rotate":          {[]string{"master-key", "rotate"}, exitOK, "new master key"},
	} {
		if out, code := operator(c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
	if status, body := r.post(poll, anyKey, `{"topic":"home espresso"}`); status != http.StatusOK || !bytes.Contains(body, []byte("baseline")) {
		t.Errorf("after the rotation: %d %s", status, body)
	}
	if status, _, err := ask(http.MethodPost, r.admin()+"/admin/master-key/rotate", ""); err != nil || status != http.StatusForbidden {
		t.Errorf("a page in a browser could rotate the key: %d %v", status, err)
	}
	r.stop()
}
