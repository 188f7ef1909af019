package triggers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

// detected returns what each trigger reports of researches in the sandbox, baselines left out.
func detected(t *testing.T) map[string][]triggers.Event {
	t.Helper()
	upstream := httptest.NewServer(sandbox.New(sandbox.Options{}))
	defer upstream.Close()
	client, err := soke.New(soke.Options{BaseURL: upstream.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	key, err := soke.ParseKey("sk_live_sandbox_active")
	if err != nil {
		t.Fatal(err)
	}
	session := client.Session(soke.Credential{Key: key})
	m := newMemory(t)
	openAll(m)
	found := map[string][]triggers.Event{}
	for n := range 4 {
		research, err := session.ResearchKeywords(t.Context(), soke.KeywordsRequest{Topic: "home espresso", Platform: "youtube", Region: "US", MaxResults: 20, RecencyDays: 365})
		if err != nil {
			t.Fatal(err)
		}
		for i, events := range m.research(research.Keywords) {
			if n > 0 {
				found[m.feeds[i].Trigger] = append(found[m.feeds[i].Trigger], events...)
			}
		}
	}
	return found
}

func compiled(t *testing.T, form *schemas.Form) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(form.Schema)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:///event.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///event.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func value(t *testing.T, body []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// shape describes a value by the names and types in it. Lists are described by their first item.
func shape(path string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		out := []string{path + " object"}
		for name, field := range v {
			out = append(out, shape(path+"."+name, field)...)
		}
		slices.Sort(out)
		return out
	case []any:
		out := []string{path + " list"}
		if len(v) > 0 {
			out = append(out, shape(path+"[]", v[0])...)
		}
		return out
	case json.Number:
		return []string{path + " number"}
	case nil:
		return []string{path + " null"}
	default:
		return []string{fmt.Sprintf("%s %T", path, v)}
	}
}

func TestEverySampleAndEveryEventFitsTheOutputOfItsTrigger(t *testing.T) {
	found := detected(t)
	for _, trigger := range triggers.All() {
		schema := compiled(t, trigger.Output)
		if n := len(trigger.Sample); n < 1 || n > 3 {
			t.Errorf("%s has %d samples", trigger.Key, n)
		}
		for _, sample := range trigger.Sample {
			body, err := json.Marshal(sample)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value(t, body)); err != nil {
				t.Errorf("%s: a sample does not fit: %v\n%s", trigger.Key, err, body)
			}
		}
		if len(found[trigger.Key]) == 0 {
			t.Fatalf("%s found nothing in the sandbox", trigger.Key)
		}
		for _, f := range found[trigger.Key] {
			if err := schema.Validate(value(t, f.Body)); err != nil {
				t.Errorf("%s: an event does not fit: %v\n%s", trigger.Key, err, f.Body)
			}
		}
	}
}

func TestASampleHasTheShapeOfARealEvent(t *testing.T) {
	found := detected(t)
	for _, trigger := range triggers.All() {
		var real [][]string
		for _, f := range found[trigger.Key] {
			real = append(real, shape("", value(t, f.Body)))
		}
		for _, sample := range trigger.Sample {
			body, err := json.Marshal(sample)
			if err != nil {
				t.Fatal(err)
			}
			got := shape("", value(t, body))
			if !slices.ContainsFunc(real, func(r []string) bool { return slices.Equal(r, got) }) {
				t.Errorf("%s: the sample has\n%s\nand events have\n%s", trigger.Key, strings.Join(got, "\n"), strings.Join(real[0], "\n"))
			}
		}
	}
}

func TestSamplesAreToldApartAndLookLikeOneAnothersKin(t *testing.T) {
	ids := map[string]bool{}
	for _, trigger := range triggers.All() {
		for _, sample := range trigger.Sample {
			body, err := json.Marshal(sample)
			if err != nil {
				t.Fatal(err)
			}
			var e event
			if err := json.Unmarshal(body, &e); err != nil {
				t.Fatal(err)
			}
			if ids[e.ID] {
				t.Errorf("%s has the id of another sample: %s", trigger.Key, e.ID)
			}
			ids[e.ID] = true
			like := triggers.EventID(e.OccurredAt, "fee_1", "a", "b")
			if e.Type != trigger.Key || len(e.ID) != len(like) || e.ID[:14] != like[:14] {
				t.Errorf("%s: no event has the type %q and the id %q; they look like %s", trigger.Key, e.Type, e.ID, like)
			}
			run := triggers.RunID(e.WatchID, e.OccurredAt)
			if e.RunID != run {
				t.Errorf("%s: the run is %s, and the watch's run at that time %s", trigger.Key, e.RunID, run)
			}
			if watch := triggers.WatchID("", "", nil, schedule(t, "@daily", "UTC")); len(e.WatchID) != len(watch) || strings.Trim(e.WatchID[4:], "0123456789abcdefghijklmnopqrstuv") != "" {
				t.Errorf("%s: the watch is %s, and real ones are like %s", trigger.Key, e.WatchID, watch)
			}
			if e.Baseline {
				t.Errorf("%s: the sample is a baseline, which is never pushed", trigger.Key)
			}
		}
	}
}
