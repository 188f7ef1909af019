package connector_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/sandbox"
)

// FuzzAction posts anything to the actions: the answer is the action's output, or a refusal in the
// platform's shape, and never a fault of the connector's own.
func FuzzAction(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"topic":"home espresso","maxResults":"5"}`, `{"prompt":"Ideas?"}`, `{"messages":"[{\"role\":\"user\",\"content\":\"Hi\"}]"}`,
		`{"topic":null,"region":"us","recencyDays":1e3}`, `{"topic":"a","topic":"b"}`, `[]`, `{`, ``, `null`, `{"maxResults":1e999}`, `{"topic":"\ud800"}`,
		"\ufeff{}", `{"topics":"x"}`, `{"messages":[{"role":"user","content":["x"]}]}`, "{\"topic\":\"\xff\"}", `{"topic":{"a":1}}`, `{"":0}`,
		`{"platform":"tiktok"}`, strings.Repeat(`{"a":`, 200), `{"conversationId":"c","prompt":"x"}`,
	} {
		for which := range uint8(6) {
			f.Add(body, which)
		}
	}
	s := start(f, withUpstream(sandbox.New(sandbox.Options{RequestsPerMinute: -1})))
	f.Fuzz(func(t *testing.T, body string, which uint8) {
		names := platforms()
		name := names[int(which)%len(names)].Name()
		action := []string{"research-keywords", "chat-completion"}[int(which)/len(names)%2]
		req := httptest.NewRequest(http.MethodPost, "/v1/"+string(name)+"/actions/"+action, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Soke-Key", activeKey)
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, req)
		if w.Code == http.StatusOK {
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("%q: the output is no JSON: %s", body, w.Body)
			}
			return
		}
		decoder := json.NewDecoder(w.Body)
		decoder.DisallowUnknownFields()
		var said platform.Body
		if err := decoder.Decode(&said); err != nil {
			t.Fatalf("%q: %d in another shape: %v", body, w.Code, err)
		}
		refused := w.Code < http.StatusInternalServerError || said.Error.Code == "PLATFORM_NOT_IMPLEMENTED"
		if !refused || said.Error.Code == "" || said.Error.Message == "" || said.Meta.Platform == nil || *said.Meta.Platform != name {
			t.Errorf("%q: %d %+v", body, w.Code, said)
		}
	})
}
