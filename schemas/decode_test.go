package schemas_test

import (
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/schemas"
)

const defaults = `{"region":"US","maxResults":20,"recencyDays":365}`

func TestFormsMaySpellTheSameInputInManyWays(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{}`, defaults},
		{"\ufeff{}", defaults},
		{` { } ` + "\n", defaults},
		{`{"topic":"","niche":null,"region":"  ","maxResults":" ","recencyDays":null}`, defaults},
		{`{"topic":"\u00a0\t\n"}`, defaults},
		{`{"maxResults":5}`, `{"region":"US","maxResults":5,"recencyDays":365}`},
		{`{"maxResults":"5"}`, `{"region":"US","maxResults":5,"recencyDays":365}`},
		{`{"maxResults":" 5 "}`, `{"region":"US","maxResults":5,"recencyDays":365}`},
		{`{"maxResults":"5.0"}`, `{"region":"US","maxResults":5,"recencyDays":365}`},
		{`{"maxResults":"+5","recencyDays":"5."}`, `{"region":"US","maxResults":5,"recencyDays":5}`},
		{`{"maxResults":"+.5e1","recencyDays":"0005.e0"}`, `{"region":"US","maxResults":5,"recencyDays":5}`},
		{`{"maxResults":20.0,"recencyDays":2e1}`, `{"region":"US","maxResults":20,"recencyDays":20}`},
		{`{"maxResults":0.05e3,"recencyDays":1000e-1}`, `{"region":"US","maxResults":50,"recencyDays":100}`},
		{`{"topic":"  home espresso \n"}`, `{"topic":"home espresso","region":"US","maxResults":20,"recencyDays":365}`},
		{`{"topic":5.50}`, `{"topic":"5.50","region":"US","maxResults":20,"recencyDays":365}`},
		{`{"topic":true}`, `{"topic":"true","region":"US","maxResults":20,"recencyDays":365}`},
		{`{"topic":"\ud83d\ude00 \\ud800"}`, `{"topic":"😀 \\ud800","region":"US","maxResults":20,"recencyDays":365}`},
		{`{"region":" de "}`, `{"region":"DE","maxResults":20,"recencyDays":365}`},
	} {
		if got := encoded[research](t, c.body); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
		}
	}
}

func TestWhatIsNoPlainDecimalIsNoNumber(t *testing.T) {
	for _, text := range []string{".", "+", "-", "+.", "e1", ".e1", "1e", "1e+", "--1", "+-1", "1.2.3", "1,5", "1 0", "0x10", "0x1p-2", "0b1", "1_0", "inf", "-Infinity", "NaN", "１", "½"} {
		for _, field := range []string{"maxResults", "recencyDays"} {
			_, err := decode[research](t, `{"`+field+`":"`+text+`"}`)
			if e := fieldError(t, err); e.Field != field || !strings.HasSuffix(e.Problem, " is not a whole number") {
				t.Errorf("%s: %v", text, err)
			}
		}
		_, err := decode[everything](t, `{"name":"Ann","share":"`+text+`"}`)
		if e := fieldError(t, err); e.Field != "share" || !strings.HasSuffix(e.Problem, " is not a number") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEveryKindReadsWhatFormsSend(t *testing.T) {
	rest := func(s string) string {
		return `{"name":"Ann",` + strings.Replace(s, "LIVE", `"live":false,"order":"newest"`, 1) + `}`
	}
	for _, c := range []struct{ field, want string }{
		{`"live":"Yes"`, rest(`"live":true,"order":"newest","tags":["a","b"]`)},
		{`"live":" ON "`, rest(`"live":true,"order":"newest","tags":["a","b"]`)},
		{`"live":1`, rest(`"live":true,"order":"newest","tags":["a","b"]`)},
		{`"live":"0","loud":"no"`, rest(`"live":false,"loud":false,"order":"newest","tags":["a","b"]`)},
		{`"loud":""`, rest(`LIVE,"tags":["a","b"]`)},
		{`"size":null,"share":""`, rest(`LIVE,"tags":["a","b"]`)},
		{`"size":"9","share":"-0"`, rest(`"size":9,"share":0,LIVE,"tags":["a","b"]`)},
		{`"share":-0.0`, rest(`"share":0,LIVE,"tags":["a","b"]`)},
		{`"share":"-2.5e-1"`, rest(`"share":-0.25,LIVE,"tags":["a","b"]`)},
		{`"share":".1"`, rest(`"share":0.1,LIVE,"tags":["a","b"]`)},
		{`"share":" +0.1 "`, rest(`"share":0.1,LIVE,"tags":["a","b"]`)},
		{`"share":"-.5"`, rest(`"share":-0.5,LIVE,"tags":["a","b"]`)},
		{`"share":"1."`, rest(`"share":1,LIVE,"tags":["a","b"]`)},
		{`"order":" OLDEST"`, rest(`"live":false,"order":"oldest","tags":["a","b"]`)},
		{`"tags":["x"," ",null," y "]`, rest(`LIVE,"tags":["x","y"]`)},
		{`"tags":" x ,, y\r\nz,"`, rest(`LIVE,"tags":["x","y","z"]`)},
		{`"tags":[1,true]`, rest(`LIVE,"tags":["1","true"]`)},
		{`"tags":2026`, rest(`LIVE,"tags":["2026"]`)},
		{`"tags":[]`, rest(`LIVE,"tags":["a","b"]`)},
		{`"tags":" , "`, rest(`LIVE,"tags":["a","b"]`)},
		{`"note":" a\r\n\tb "`, rest(`"note":"a\r\n\tb",LIVE,"tags":["a","b"]`)},
		{`"window":{"from":"2026-11-02T10:00:00+01:00"}`, rest(`LIVE,"tags":["a","b"],"window":{"from":"2026-11-02T09:00:00Z","days":7}`)},
		{`"window":"{\"from\":\"2026-11-02T09:00:00Z\",\"days\":\"3\"}"`, rest(`LIVE,"tags":["a","b"],"window":{"from":"2026-11-02T09:00:00Z","days":3}`)},
		{`"extra":{"n":12345678901234567890.10}`, rest(`LIVE,"tags":["a","b"],"extra":{"n":12345678901234567890.10}`)},
		{`"anything":{"b":1,"a":[null]}`, rest(`LIVE,"tags":["a","b"],"anything":{"b":1,"a":[null]}`)},
		{`"anything":""`, rest(`LIVE,"tags":["a","b"]`)},
		{`"several":[1,"a",{"b":2}]`, rest(`LIVE,"tags":["a","b"],"several":[1,"a",{"b":2}]`)},
		{`"since":"2026-11-02T09:00:00.5Z"`, rest(`LIVE,"tags":["a","b"],"since":"2026-11-02T09:00:00.5Z"`)},
		{`"password":"aaaabbbb"`, rest(`LIVE,"tags":["a","b"],"password":"aaaabbbb"`)},
	} {
		if got := encoded[everything](t, `{"name":"Ann",`+c.field+`}`); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.field, got, c.want)
		}
	}
}

func TestAListOfObjectsMayBeOneObjectOrText(t *testing.T) {
	const want = `{"messages":[{"role":"user","content":"Hi\nthere"}]}`
	for _, body := range []string{
		`{"messages":[{"role":"user","content":"Hi\nthere"}]}`,
		`{"messages":{"role":" USER","content":"Hi\nthere "}}`,
		`{"prompt":"","messages":"[{\"role\":\"user\",\"content\":\"Hi\\nthere\"}]"}`,
		`{"prompt":null,"messages":" {\"role\":\"user\",\"content\":\"Hi\\nthere\"} "}`,
	} {
		if got := encoded[chat](t, body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	for _, body := range []string{`{"prompt":"a","messages":[]}`, `{"prompt":"a","messages":"[]"}`} {
		if got := encoded[chat](t, body); got != `{"prompt":"a"}` {
			t.Errorf("%s gave %s", body, got)
		}
	}
}

func TestADefaultIsNotSharedBetweenInputs(t *testing.T) {
	first, err := decode[everything](t, `{"name":"Ann"}`)
	if err != nil {
		t.Fatal(err)
	}
	first.Tags[0] = "changed"
	if got := encoded[everything](t, `{"name":"Ann"}`); !strings.Contains(got, `"tags":["a","b"]`) {
		t.Errorf("another input's default became %s", got)
	}
}

func TestTakeLeavesTheRestAndRemembersItsNames(t *testing.T) {
	type around struct {
		Limit     int    `json:"limit" title:"Limit" default:"100" validate:"min=1,max=100"`
		TargetURL string `json:"targetUrl,omitempty" title:"Target URL" validate:"required"`
	}
	o, err := schemas.ParseObject([]byte(`{"targetUrl":"https://example.com/","topic":"a","limit":"7","threshold":0.5}`))
	if err != nil {
		t.Fatal(err)
	}
	head, err := schemas.Take[around](o)
	if err != nil || head != (around{7, "https://example.com/"}) {
		t.Fatalf("took %+v, %v", head, err)
	}
	if o.Len() != 2 {
		t.Errorf("%d fields are left, want 2", o.Len())
	}
	in, err := schemas.Decode[drop](o)
	if err != nil || in.Topic != "a" || in.Threshold != 0.5 || in.Region != "US" {
		t.Errorf("the rest is %+v, %v", in, err)
	}

	o, err = schemas.ParseObject([]byte(`{"targetUrl":"https://example.com/","limits":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = schemas.Take[around](o); err != nil {
		t.Fatal(err)
	}
	_, err = schemas.Decode[drop](o)
	if e := fieldError(t, err); e.Field != "limits" || !strings.Contains(e.Accepted, `"limit"`) {
		t.Errorf("the hint does not know what was taken: %v", e)
	}

	o, err = schemas.ParseObject([]byte(`{"topic":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = schemas.Take[around](o)
	if e := fieldError(t, err); e.Error() != "Target URL: it is missing; accepted: text" {
		t.Errorf("a missing target reads %q", e)
	}
}

func TestARefusalNamesFieldProblemAndWhatIsAccepted(t *testing.T) {
	long := strings.Repeat("é", 201)
	for _, c := range []struct{ body, field, want string }{
		{`{"maxResults":"abc"}`, "maxResults", `Maximum results: "abc" is not a whole number; accepted: a whole number from 1 to 50`},
		{`{"maxResults":51}`, "maxResults", `Maximum results: 51 is more than 50; accepted: a whole number from 1 to 50`},
		{`{"maxResults":0}`, "maxResults", `Maximum results: 0 is less than 1; accepted: a whole number from 1 to 50`},
		{`{"maxResults":5.5}`, "maxResults", `Maximum results: 5.5 is not a whole number; accepted: a whole number from 1 to 50`},
		{`{"maxResults":5.00000000000000000001}`, "maxResults", `Maximum results: 5.00000000000000000001 is not a whole number; accepted: a whole number from 1 to 50`},
		{`{"maxResults":1e400}`, "maxResults", `Maximum results: 1e400 is out of range; accepted: a whole number from 1 to 50`},
		{`{"maxResults":1e-99999999999}`, "maxResults", `Maximum results: 1e-99999999999 is not a whole number; accepted: a whole number from 1 to 50`},
		{`{"maxResults":9223372036854775808}`, "maxResults", `Maximum results: 9223372036854775808 is out of range; accepted: a whole number from 1 to 50`},
		{`{"maxResults":"NaN"}`, "maxResults", `Maximum results: "NaN" is not a whole number; accepted: a whole number from 1 to 50`},
		{`{"maxResults":"0x10"}`, "maxResults", `Maximum results: "0x10" is not a whole number; accepted: a whole number from 1 to 50`},
		{`{"maxResults":"1_0"}`, "maxResults", `Maximum results: "1_0" is not a whole number; accepted: a whole number from 1 to 50`},
		{`{"maxResults":[5]}`, "maxResults", `Maximum results: a list is not a whole number; accepted: a whole number from 1 to 50`},
		{`{"maxResults":true}`, "maxResults", `Maximum results: true is not a whole number; accepted: a whole number from 1 to 50`},
		{`{"threshold":"Inf"}`, "threshold", `Threshold: "Inf" is not a number; accepted: a number from 0 to 1`},
		{`{"threshold":-1e999}`, "threshold", `Threshold: -1e999 is out of range; accepted: a number from 0 to 1`},
		{`{"threshold":1.5}`, "threshold", `Threshold: 1.5 is more than 1; accepted: a number from 0 to 1`},
		{`{"region":"Mars"}`, "region", `Region: "MARS" is not a country code; accepted: a two-letter country code such as US`},
		{`{"region":"ZZ"}`, "region", `Region: "ZZ" is not a country code; accepted: a two-letter country code such as US`},
		{`{"topic":{"a":1}}`, "topic", `Topic: an object is not text; accepted: text of at most 200 characters`},
		{`{"topic":"` + long + `"}`, "topic", `Topic: "` + long[:2*40] + `…" is longer than 200 characters; accepted: text of at most 200 characters`},
		{`{"topic":"a\u0000b"}`, "topic", `Topic: it holds the control character U+0000; accepted: text of at most 200 characters`},
		{`{"topic":"a\nb"}`, "topic", `Topic: it holds the control character U+000A; accepted: text of at most 200 characters`},
		{`{"topic":"a\u007fb"}`, "topic", `Topic: it holds the control character U+007F; accepted: text of at most 200 characters`},
		{`{"topic":"a\u0085b"}`, "topic", `Topic: it holds the control character U+0085; accepted: text of at most 200 characters`},
		{`{"topic":"a\ufffeb"}`, "topic", `Topic: it holds the control character U+FFFE; accepted: text of at most 200 characters`},
		{`{"topic":"a\ud800b"}`, "topic", `topic: it holds half of a character, a lone surrogate; accepted: whole characters`},
		{`{"topic":"\udc00\ud800"}`, "topic", `topic: it holds half of a character, a lone surrogate; accepted: whole characters`},
		{`{"topics":"x"}`, "topics", `"topics": there is no field of this name; accepted: the nearest is "topic"`},
		{`{"max_results":1}`, "max_results", `"max_results": there is no field of this name; accepted: the nearest is "maxResults"`},
		{`{"Topic":1}`, "Topic", `"Topic": there is no field of this name; accepted: the nearest is "topic"`},
		{`{"colour":1}`, "colour", `"colour": there is no field of this name; accepted: known are topic, niche, region, maxResults, recencyDays, threshold`},
		{`{"":1}`, "", `"": there is no field of this name; accepted: known are topic, niche, region, maxResults, recencyDays, threshold`},
		{`{"topic":"a","topic":"b"}`, "topic", `topic: it is there twice; accepted: every name once`},
		{`{"topic":"a","t\u006fpic":"b"}`, "topic", `topic: it is there twice; accepted: every name once`},
	} {
		_, err := decode[drop](t, c.body)
		e := fieldError(t, err)
		if e.Field != c.field || e.Error() != c.want {
			t.Errorf("%.80s\n got %s: %s\nwant %s: %s", c.body, e.Field, e, c.field, c.want)
		}
	}
}

func TestARefusalReachesIntoListsAndObjects(t *testing.T) {
	for _, c := range []struct{ body, field, want string }{
		{`{"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}]}`, "messages[1].role", `Messages, item 2, Role: "system" is not one of the choices; accepted: user or assistant`},
		{`{"messages":[{"role":"user"}]}`, "messages[0].content", `Messages, item 1, Content: it is missing; accepted: text of at most 40 characters`},
		{`{"messages":[{"role":"user","content":["a"]}]}`, "messages[0].content", `Messages, item 1, Content: a list is not text; accepted: text of at most 40 characters`},
		{`{"messages":[{"roll":"user"}]}`, "messages[0].roll", `Messages, item 1, "roll": there is no field of this name; accepted: the nearest is "role"`},
		{`{"messages":[5]}`, "messages[0]", `Messages, item 1: 5 is not an object; accepted: an object`},
		{`{"messages":[null]}`, "messages[0]", `Messages, item 1: it is empty; accepted: an object`},
		{`{"messages":5}`, "messages", `Messages: 5 is not a list of objects; accepted: a list of 1 to 3 objects`},
		{`{"messages":"hello"}`, "messages", `Messages: it is not JSON from byte 1 on; accepted: a list of 1 to 3 objects`},
		{`{"messages":"[{\"role\":1,\"role\":2}]"}`, "messages[0].role", `Messages, item 1, role: it is there twice; accepted: every name once`},
		{`{"messages":[{"role":"user","role":"user"}]}`, "messages[0].role", `messages, item 1, role: it is there twice; accepted: every name once`},
		{`{"messages":[{"role":"user","content":"a"},{"role":"user","content":"a"},{"role":"user","content":"a"},{"role":"user","content":"a"}]}`, "messages", `Messages: it has 4 items, more than 3; accepted: a list of 1 to 3 objects`},
		{`{"prompt":"a","messages":[{"role":"user","content":"a"}]}`, "prompt", `Prompt: it cannot be used together with Messages; accepted: a value here or in Messages, not in both`},
		{`{}`, "prompt", `Prompt: it is missing, and so is Messages; accepted: a value here or in Messages`},
	} {
		_, err := decode[chat](t, c.body)
		e := fieldError(t, err)
		if e.Field != c.field || e.Error() != c.want {
			t.Errorf("%s\n got %s: %s\nwant %s: %s", c.body, e.Field, e, c.field, c.want)
		}
	}
	for _, c := range []struct{ field, path, want string }{
		{`"name":""`, "name", `Name: it is missing; accepted: text of 2 to 10 characters`},
		{`"name":"a"`, "name", `Name: "a" is shorter than 2 characters; accepted: text of 2 to 10 characters`},
		{`"name":"Ann","live":"maybe"`, "live", `Live: "maybe" is neither true nor false; accepted: true or false`},
		{`"name":"Ann","live":2`, "live", `Live: 2 is neither true nor false; accepted: true or false`},
		{`"name":"Ann","stars":4`, "stars", `Stars: 4 is not one of the choices; accepted: 1, 3 or 5`},
		{`"name":"Ann","tags":["a","toolong"]`, "tags[1]", `Tags, item 2: "toolong" is longer than 5 characters; accepted: text of at most 5 characters`},
		{`"name":"Ann","tags":["a",{}]`, "tags[1]", `Tags, item 2: an object is not text; accepted: text of at most 5 characters`},
		{`"name":"Ann","tags":"a,b\u0007"`, "tags[1]", `Tags, item 2: it holds the control character U+0007; accepted: text of at most 5 characters`},
		{`"name":"Ann","tags":"a,b,c,d"`, "tags", `Tags: it has 4 items, more than 3; accepted: a list of at most 3 items`},
		{`"name":"Ann","tags":{}`, "tags", `Tags: an object is not a list; accepted: a list of at most 3 items`},
		{`"name":"Ann","window":{"days":3}`, "window.from", `Window, From: it is missing; accepted: a time such as 2026-11-02T09:00:00Z`},
		{`"name":"Ann","window":{"from":"yesterday"}`, "window.from", `Window, From: "yesterday" is not a time with date and zone; accepted: a time such as 2026-11-02T09:00:00Z`},
		{`"name":"Ann","window":{"from":"2026-11-02T09:00:00Z","days":32}`, "window.days", `Window, Days: 32 is more than 31; accepted: a whole number from 1 to 31`},
		{`"name":"Ann","window":[]`, "window", `Window: a list is not an object; accepted: an object`},
		{`"name":"Ann","extra":5`, "extra", `Extra: 5 is not an object; accepted: an object`},
		{`"name":"Ann","several":"a,b"`, "several", `Several: "a,b" is not a list; accepted: a list`},
		{`"name":"Ann","since":5`, "since", `Since: 5 is not a time; accepted: a time such as 2026-11-02T09:00:00Z`},
		{`"name":"Ann","password":"hunter2"`, "password", `Password: the value is shorter than 8 characters; accepted: text of exactly 8 characters`},
		{`"name":"Ann","password":["hunter2"]`, "password", `Password: the value is not text; accepted: text of exactly 8 characters`},
		{`"name":"Ann","colour":"red"`, "colour", `Colour: "red" does not pass the rule hexcolor; accepted: text`},
		{`"name":"Ann","share":"0,5"`, "share", `Share: "0,5" is not a number; accepted: a number from -1 to 1`},
	} {
		_, err := decode[everything](t, `{`+c.field+`}`)
		e := fieldError(t, err)
		if e.Field != c.path || e.Error() != c.want {
			t.Errorf("%s\n got %s: %s\nwant %s: %s", c.field, e.Field, e, c.path, c.want)
		}
	}
}
