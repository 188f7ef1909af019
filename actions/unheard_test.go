package actions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"testing"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
)

// novel is a Soke that does not say what is documented: a sandbox behind a proxy that changes what
// it sends and keeps the latest body.
func novel(t *testing.T, documented, said string) (*soke.Client, *[]byte) {
	t.Helper()
	server := httptest.NewServer(sandbox.New(sandbox.Options{}))
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	sent := new([]byte)
	return connectTo(t, &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			*sent = bytes.ReplaceAll(body, []byte(documented), []byte(said))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(*sent)), int64(len(*sent))
			r.Header.Del("Content-Length")
			return err
		},
	}), sent
}

const unheardOf = `"cpc":1.10,"big":12345678901234567890,"nested":{"z":1,"a":[null,1e2,"ü"]},`

func TestWhateverElseSokeSaysOfAKeywordGoesOutUnchanged(t *testing.T) {
	client, sent := novel(t, `"searchVolume"`, unheardOf+`"searchVolume"`)
	out, err := output(t, client.Session(credential(t, activeKey)), "research-keywords", `{"topic":"home espresso","maxResults":3}`)
	if err != nil {
		t.Fatal(err)
	}
	type list struct{ Keywords, TopVideos []json.RawMessage }
	var came, went list
	var envelope struct{ Data *list }
	envelope.Data = &came
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(*sent, &envelope), json.Unmarshal(b, &went)); err != nil {
		t.Fatal(err)
	}
	if len(came.Keywords) != 3 || !bytes.Contains(came.Keywords[0], []byte(unheardOf)) || !reflect.DeepEqual(came, went) {
		t.Errorf("sent\n%s\nand went out as\n%s", *sent, b)
	}
}

func TestWhateverElseSokeSaysOfAnAnswerGoesOutUnchanged(t *testing.T) {
	client, sent := novel(t, `"services_used"`, unheardOf+`"services_used"`)
	out, err := output(t, client.Session(credential(t, activeKey)), "chat-completion", `{"prompt":"hi"}`)
	if err != nil {
		t.Fatal(err)
	}
	chat, ok := out.(actions.ChatOutput)
	if !ok || !bytes.HasPrefix(chat.Data, []byte("{"+unheardOf)) || !bytes.Contains(*sent, chat.Data) || len(chat.ServicesUsed) == 0 {
		t.Errorf("sent\n%s\nand went out as\n%+v", *sent, out)
	}
}

func TestWhatSokeDoesNotSayIsEmptyInTheOutput(t *testing.T) {
	for _, c := range []struct{ key, documented, said, want string }{
		{"chat-completion", `"data":`, `"date":`, `"servicesUsed":[],"data":{}`},
		{"chat-completion", `"services_used":[`, `"services_used":null,"x":[`, `"servicesUsed":[]`},
		{"research-keywords", `"keywords":[`, `"keywords":[],"x":[`, `"keywords":[],"count":0`},
		{"research-keywords", `"competitionScore":`, `"x":`, `"competitionScore":null`},
	} {
		client, _ := novel(t, c.documented, c.said)
		out, err := output(t, client.Session(credential(t, activeKey)), c.key, example(t, named(t, c.key)))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(out); err != nil || !bytes.Contains(b, []byte(c.want)) {
			t.Errorf("without %s: %s %v", c.documented, b, err)
		}
		if err := compiled(t, named(t, c.key)).Validate(plain(t, out)); err != nil {
			t.Errorf("without %s: %v", c.documented, err)
		}
	}
}
