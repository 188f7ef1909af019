package n8n_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/platform/n8n"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

func export(t *testing.T, c platform.Catalogue) platform.Files {
	t.Helper()
	files, err := n8n.Dialect{}.Export(platform.Export{Catalogue: c, URL: "https://connector.example.org", Version: "3.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func catalogue() platform.Catalogue {
	return platform.Catalogue{Actions: actions.All(), Triggers: triggers.All()}
}

func TestEveryFileThatThePackageNamesIsThere(t *testing.T) {
	files := export(t, catalogue())
	var manifest struct {
		Version string
		N8n     struct{ Credentials, Nodes []string }
	}
	if err := json.Unmarshal(files["package.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Version != "3.2.1" {
		t.Errorf("version %s", manifest.Version)
	}
	for _, path := range append(append(manifest.N8n.Credentials, manifest.N8n.Nodes...), "README.md", "LICENSE.md", "dist/icons/soke.svg", "dist/icons/soke.dark.svg") {
		if len(files[path]) == 0 {
			t.Errorf("there is no %s", path)
		}
	}
	for path, content := range files {
		if strings.HasSuffix(path, ".json") && !json.Valid(content) {
			t.Errorf("%s is no JSON", path)
		}
	}
}

func TestSourcesAndWhatIsCompiledReadTheSameCatalogue(t *testing.T) {
	files := export(t, catalogue())
	if !bytes.Equal(files["nodes/shared/catalogue.json"], files["dist/nodes/shared/catalogue.json"]) {
		t.Error("they differ")
	}
}

func TestTheCompiledCatalogueIsWrittenAsTheCompilerDoes(t *testing.T) {
	content := export(t, catalogue())["dist/nodes/shared/catalogue.json"]
	var want bytes.Buffer
	if err := json.Indent(&want, content, "", "    "); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content, want.Bytes()) {
		t.Error("it is indented otherwise")
	}
}

func TestTheReadmeIsWrittenForThisExport(t *testing.T) {
	text := string(export(t, catalogue())["README.md"])
	for _, want := range []string{
		"https://connector.example.org/v1/n8n/connection/rotate", "https://connector.example.org/v1/n8n/soke/",
		"npm install --install-links", "publish.yml",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the README lacks %q", want)
		}
	}
	if strings.Contains(text, "@version") || strings.Contains(text, "connector.example.com") {
		t.Error("the README still has an open place")
	}
}

func TestWhatIsChosenSaysWhatItCosts(t *testing.T) {
	var data struct {
		Actions, Triggers []struct{ Key, Description string }
	}
	if err := json.Unmarshal(export(t, catalogue())["nodes/shared/catalogue.json"], &data); err != nil {
		t.Fatal(err)
	}
	prices := map[string]string{"research-keywords": "(2 credits)", "chat-completion": "(5 credits)", "new-keyword": "(2 credits a research)"}
	for _, described := range append(data.Actions, data.Triggers...) {
		if want := prices[described.Key]; !strings.HasSuffix(strings.TrimSuffix(described.Description, "."), want) {
			t.Errorf("%s: %q does not say %q", described.Key, described.Description, want)
		}
	}
}

func TestThePackageBringsTheWorkflowThatPublishesItWithProvenance(t *testing.T) {
	workflow := string(export(t, catalogue())[".github/workflows/publish.yml"])
	for _, want := range []string{"id-token: write", "npm run release", "tags:"} {
		if !strings.Contains(workflow, want) {
			t.Errorf("it lacks %q", want)
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
		Key: "echo-words", Title: "Echo Words", Description: "Repeats words.", Noun: "Word", Credits: 1, Sample: echoOutput{"hello"},
	}, func(_ context.Context, _ *soke.Session, in echoInput) (echoOutput, error) { return echoOutput(in), nil }))
	after := export(t, c)
	for path, content := range after {
		if !bytes.Equal(content, before[path]) && !strings.HasSuffix(path, "catalogue.json") {
			t.Errorf("%s has changed", path)
		}
	}
	var data struct {
		Actions []struct{ Key, Resource, Name, Action string }
	}
	if err := json.Unmarshal(after["dist/nodes/shared/catalogue.json"], &data); err != nil {
		t.Fatal(err)
	}
	got := data.Actions[len(data.Actions)-1]
	if got.Key != "echo-words" || got.Resource != "word" || got.Name != "Echo" || got.Action != "Echo words" {
		t.Errorf("the action is described as %+v", got)
	}
}

// simplifyInput has a field that the node has, too.
type simplifyInput struct {
	Simplify string `json:"simplify" title:"Simplify" help:"What to make simple."`
}

func TestAFieldNamedLikeOneOfTheNodesOwnIsRefused(t *testing.T) {
	c := catalogue()
	c.Actions = append(c.Actions, actions.New(actions.Action{
		Key: "simplify-words", Title: "Simplify Words", Description: "Makes words simple.", Noun: "Word", Credits: 1, Sample: echoOutput{"hello"},
	}, func(_ context.Context, _ *soke.Session, in simplifyInput) (echoOutput, error) {
		return echoOutput{in.Simplify}, nil
	}))
	_, err := n8n.Dialect{}.Export(platform.Export{Catalogue: c, URL: "https://connector.example.org", Version: "3.2.1"})
	if err == nil || !strings.Contains(err.Error(), `"simplify" of simplify-words`) {
		t.Errorf("the answer is %v", err)
	}
}

func TestNoExampleHasAPlaceForAKeyOutsideACredential(t *testing.T) {
	found := 0
	for path, content := range export(t, catalogue()) {
		if !strings.HasPrefix(path, "examples/") {
			continue
		}
		found++
		if bytes.Contains(content, []byte("sk_live")) {
			t.Errorf("%s holds a key", path)
		}
	}
	if found != 3 {
		t.Errorf("%d examples", found)
	}
}

func TestTheTestOfACredentialHasWordsForEveryCodeThatItCanMeet(t *testing.T) {
	var data struct {
		Failures []struct{ Code, Message string }
	}
	if err := json.Unmarshal(export(t, catalogue())["nodes/shared/catalogue.json"], &data); err != nil {
		t.Fatal(err)
	}
	for _, f := range data.Failures {
		if len(f.Message) < 20 || strings.Contains(f.Message, "(request") {
			t.Errorf("%s: %q", f.Code, f.Message)
		}
	}
	if len(data.Failures) < 10 {
		t.Errorf("only %d codes", len(data.Failures))
	}
}
