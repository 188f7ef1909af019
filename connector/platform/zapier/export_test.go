package zapier_test

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/platform/zapier"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

func export(t *testing.T, c platform.Catalogue) platform.Files {
	t.Helper()
	files, err := zapier.Dialect{}.Export(platform.Export{Catalogue: c, URL: "https://connector.example.org", Version: "3.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func catalogue() platform.Catalogue {
	return platform.Catalogue{Actions: actions.All(), Triggers: triggers.All()}
}

func TestTheAppHasOneFileForEachOperationAndTwoForEachTrigger(t *testing.T) {
	files := export(t, catalogue())
	for _, path := range []string{
		"index.js", "authentication.js", "package.json", "package-lock.json", ".gitignore", ".zapierapprc", "README.md", "LICENSE.md",
		"creates/research_keywords.js", "creates/chat_completion.js",
		"triggers/new_keyword.js", "triggers/new_keyword_instant.js", "triggers/research_completed_instant.js",
	} {
		if len(files[path]) == 0 {
			t.Errorf("there is no %s", path)
		}
	}
}

func TestTheAppKnowsItsVersionAndItsConnector(t *testing.T) {
	files := export(t, catalogue())
	if n := strings.Count(string(files["package.json"])+string(files["package-lock.json"]), `"version": "3.2.1"`); n != 3 {
		t.Errorf("the version stands in %d places, not 3", n)
	}
	if got := string(files["connector.json"]); !strings.Contains(got, "https://connector.example.org") {
		t.Errorf("connector.json is %s", got)
	}
}

func TestTheReadmeIsWrittenForThisExport(t *testing.T) {
	text := string(export(t, catalogue())["README.md"])
	for _, want := range []string{
		"env:set 3.2.1 SOKE_CONNECTOR_URL", "https://connector.example.org/v1/zapier/connection/rotate",
		"| Research Keywords | 2 a call |", "| Ask the Assistant | 5 a call |", "| New Keyword | 2 a research |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the README lacks %q", want)
		}
	}
	if place := regexp.MustCompile(`@[a-z]+|connector\.example\.com`).FindString(text); place != "" {
		t.Errorf("the README still has %q", place)
	}
}

func TestLabelsDoNotRepeatZapiersBadgeAndEndWithACapital(t *testing.T) {
	files := export(t, catalogue())
	for path, label := range map[string]string{
		"triggers/new_keyword_instant.js": `"label": "New Keyword"`, "triggers/new_keyword.js": `"label": "New Keyword (Polling)"`,
		"triggers/trend_change.js": `"label": "Occurred At"`,
	} {
		if !strings.Contains(string(files[path]), label) {
			t.Errorf("%s lacks %s", path, label)
		}
	}
}

// echoInput and echoOutput belong to an action that exists in this test only.
type echoInput struct {
	Words string `json:"words" title:"Words to say" help:"What to repeat." validate:"required"`
}

type echoOutput struct {
	Words string `json:"words" title:"Words"`
}

func TestANewActionAppearsWithNoOtherChange(t *testing.T) {
	before, c := export(t, catalogue()), catalogue()
	c.Actions = append(c.Actions, actions.New(actions.Action{
		Key: "echo-words", Title: "Echo Words", Description: "Repeats words.", Noun: "Echo", Credits: 1, Sample: echoOutput{"hello"},
	}, func(_ context.Context, _ *soke.Session, in echoInput) (echoOutput, error) { return echoOutput(in), nil }))
	after := export(t, c)
	added := slices.Sorted(maps.Keys(after))
	added = slices.DeleteFunc(added, func(path string) bool { _, old := before[path]; return old })
	if !slices.Equal(added, []string{"creates/echo_words.js"}) {
		t.Errorf("added %v", added)
	}
	if !strings.Contains(string(after["creates/index.js"]), "./echo_words") || !strings.Contains(string(after["creates/echo_words.js"]), `"Words to Say"`) {
		t.Errorf("the action is not described:\n%s", after["creates/echo_words.js"])
	}
}

func TestKeysAreWhatZapierTakesAndNoFieldIsAnotherOnesAlternative(t *testing.T) {
	form := regexp.MustCompile(`^[a-zA-Z]+[a-zA-Z0-9_]*$`)
	for path, content := range export(t, catalogue()) {
		if !strings.HasPrefix(path, "creates/") && !strings.HasPrefix(path, "triggers/") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^  "key": "(.*)",$`).FindAllSubmatch(content, -1) {
			if !form.Match(m[1]) {
				t.Errorf("%s: key %s", path, m[1])
			}
		}
		if strings.Contains(string(content), `"messages"`) {
			t.Errorf("%s offers two fields of which Zapier cannot say that one is enough", path)
		}
	}
}
