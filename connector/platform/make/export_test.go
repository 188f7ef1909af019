package make_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/platform/make"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

const address = "https://soke.example.org"

func catalogue() platform.Catalogue {
	return platform.Catalogue{Actions: actions.All(), Triggers: triggers.All()}
}

func export(t *testing.T, c platform.Catalogue) platform.Files {
	t.Helper()
	files, err := make.Dialect{}.Export(platform.Export{Catalogue: c, URL: address, Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read[T any](t *testing.T, files platform.Files, path string) T {
	t.Helper()
	content, ok := files[path]
	if !ok {
		t.Fatalf("there is no %s", path)
	}
	var v T
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

type component struct {
	Label, Description, Connection, ModuleType, Webhook string
	CodeFiles                                           map[string]string
}

type manifest struct {
	GeneralCodeFiles map[string]string
	Components       map[string]map[string]component
	Origins          []any
}

func TestEveryFileBelongsToTheAppAndEveryPlaceIsFilled(t *testing.T) {
	files := export(t, catalogue())
	app := read[manifest](t, files, "makecomapp.json")
	listed := slices.Collect(maps.Values(app.GeneralCodeFiles))
	for kind, components := range app.Components {
		for id, c := range components {
			for _, path := range c.CodeFiles {
				if !strings.HasPrefix(path, kind+"s/") {
					t.Errorf("%s %s has the file %s", kind, id, path)
				}
				listed = append(listed, path)
			}
		}
	}
	slices.Sort(listed)
	own := []string{"makecomapp.json", "LICENSE.md"} // of the folder, not of the app
	if want := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(p string) bool { return slices.Contains(own, p) }); !slices.Equal(listed, want) {
		t.Errorf("makecomapp.json lists\n%v, the package has\n%v", listed, want)
	}
	if app.Origins == nil || len(app.Origins) > 0 {
		t.Errorf("origins are %v, want an empty list", app.Origins)
	}
	open := regexp.MustCompile(`connector\.example\.com|"@(?:key|list|fields|errors|message)|[/.]@[a-z]|@(?:version|modules)\b|sk_live_[A-Za-z0-9]`)
	for path, content := range files {
		if place := open.Find(content); place != nil {
			t.Errorf("%s still has %q", path, place)
		}
		if strings.HasSuffix(path, ".json") && !json.Valid(content) {
			t.Errorf("%s is not JSON", path)
		}
	}
}

func TestTheSourcesOfThePackageAreJSONThatAnEditorCanRead(t *testing.T) {
	err := filepath.WalkDir("package", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && !json.Valid(content) {
			t.Errorf("%s is not JSON", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheFolderSaysItsLicence(t *testing.T) {
	if license := string(export(t, catalogue())["LICENSE.md"]); !strings.HasPrefix(strings.TrimSpace(license), "Apache License") {
		t.Errorf("LICENSE.md begins with %.40q", license)
	}
}

func TestTheReadmeTellsWhatToDoWithANewKeyAndWhereTheIconGoes(t *testing.T) {
	text := string(export(t, catalogue())["README.md"])
	for _, want := range []string{"curl -X POST " + address + "/v1/make/connection/rotate", "512 × 512"} {
		if !strings.Contains(text, want) {
			t.Errorf("the README lacks %q", want)
		}
	}
}

func TestALimitOfASearchIsAtLeastOne(t *testing.T) {
	form := read[[]struct {
		Name     string
		Validate struct{ Min *float64 }
	}](t, export(t, catalogue()), "modules/search-keywords/search-keywords.mappable-params.iml.json")
	for _, p := range form {
		if p.Name == "limit" && p.Validate.Min != nil && *p.Validate.Min == 1 {
			return
		}
	}
	t.Errorf("the form is %+v", form)
}

func TestKeysAndTokensAreHiddenFromMakesLogs(t *testing.T) {
	type step struct {
		Headers  map[string]string
		Response struct{ Data map[string]string }
		Log      struct{ Sanitize []string }
	}
	for path, content := range export(t, catalogue()) {
		var s step
		if !strings.HasSuffix(path, ".iml.json") || content[0] != '{' || json.Unmarshal(content, &s) != nil {
			continue
		}
		for name, value := range s.Headers {
			if strings.Contains(value, "apiKey") || strings.Contains(value, "Token") {
				want(t, path, s.Log.Sanitize, "request.headers."+name)
			}
		}
		if len(s.Response.Data) > 0 {
			want(t, path, s.Log.Sanitize, "response.body.unsubscribeToken")
			want(t, path, s.Log.Sanitize, "response.body.signingSecret")
		}
	}
}

func want(t *testing.T, path string, have []string, item string) {
	t.Helper()
	if !slices.Contains(have, item) {
		t.Errorf("%s does not sanitise %s", path, item)
	}
}

type gadgetInput struct {
	Name  string   `json:"name" title:"Name" help:"What it is called." example:"widget" validate:"required,max=20"`
	Size  float64  `json:"size,omitempty" title:"Size" help:"How big it is." default:"1.5" validate:"min=0,max=9"`
	Loud  bool     `json:"loud,omitempty" title:"Loud" help:"Whether it makes noise." default:"false"`
	Tags  []string `json:"tags,omitempty" title:"Tags" help:"Words for it." validate:"omitempty,max=3"`
	Notes string   `json:"notes,omitempty" title:"Notes" help:"Anything else." form:"multiline,advanced"`
	Mode  string   `json:"mode,omitempty" title:"Mode" help:"How it runs." default:"slow" validate:"oneof=slow very_fast"`
	Part  []struct {
		Weight int `json:"weight" title:"Weight" help:"In grams." validate:"required,min=1"`
	} `json:"part,omitempty" title:"Parts" help:"What it is made of." validate:"omitempty,dive"`
}

type gadgetOutput struct {
	Gadgets []struct {
		ID string `json:"id" title:"ID"`
	} `json:"gadgets" title:"Gadgets"`
	Count int `json:"count" title:"Count"`
}

// gadget is an action that nobody but this test has heard of.
func gadget() actions.Action {
	return actions.New(actions.Action{
		Key: "make-gadget", Title: "Make a Gadget With AI", Description: "Makes a gadget.", Noun: "Gadget", Credits: 1,
		Sample: map[string]any{"gadgets": []any{map[string]any{"id": "g_1", "madeOf": map[string]any{"steel": 0.5}}}, "count": 1},
	}, func(context.Context, *soke.Session, gadgetInput) (gadgetOutput, error) { return gadgetOutput{}, nil })
}

func TestANewActionIsInThePackageWithoutAnyOtherChange(t *testing.T) {
	c := catalogue()
	c.Actions = append(c.Actions, gadget())
	files := export(t, c)
	app := read[manifest](t, files, "makecomapp.json")
	for id, want := range map[string]component{
		"makeGadget":    {Label: "Make a gadget with AI", Description: "Makes a gadget.", Connection: "sokeKey", ModuleType: "action"},
		"searchGadgets": {Label: "Search gadgets", Description: "Makes a gadget. Returns them one by one.", Connection: "sokeKey", ModuleType: "search"},
	} {
		got := app.Components["module"][id]
		got.CodeFiles = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", id, got, want)
		}
	}
	golden(t, "gadget", gathered(files, "modules/make-gadget/", "modules/search-gadgets/"))
	if readme := string(files["README.md"]); !strings.Contains(readme, "| Gadgets | Search gadgets | Search | 1 |") {
		t.Error("the README does not list the search")
	}
	groups := read[[]struct {
		Label   string
		Modules []string
	}](t, files, "modules/groups.json")
	i := slices.IndexFunc(groups, func(g struct {
		Label   string
		Modules []string
	}) bool {
		return g.Label == "Gadgets"
	})
	if i < 0 || !slices.Equal(groups[i].Modules, []string{"makeGadget", "searchGadgets"}) {
		t.Errorf("the groups are %v", groups)
	}
	if err := conforms(t, files); err != nil {
		t.Error(err)
	}
}

func TestTriggersAreNamedByWhatTheyWatch(t *testing.T) {
	app := read[manifest](t, export(t, catalogue()), "makecomapp.json")
	for id, label := range map[string]string{
		"watchNewKeyword": "Watch new keywords", "pollNewKeyword": "Watch new keywords (polling)",
		"watchResearchCompleted": "Watch completed research", "pollTrendChange": "Watch trend changes (polling)",
		"watchCompetitionDrop": "Watch competition drops", "chatCompletion": "Ask the assistant",
	} {
		if got := app.Components["module"][id].Label; got != label {
			t.Errorf("%s is called %q, want %q", id, got, label)
		}
	}
}

func TestWhatMakeCannotNameIsAnError(t *testing.T) {
	twice := catalogue()
	twice.Actions = append(twice.Actions, gadget(), gadget())
	unnamed := catalogue()
	odd := gadget()
	odd.Key = "9-lives"
	unnamed.Actions = append(unnamed.Actions, odd)
	reserved := catalogue()
	universal := gadget()
	universal.Key = "make-an-api-call"
	reserved.Actions = append(reserved.Actions, universal)
	for _, c := range []platform.Catalogue{twice, unnamed, reserved} {
		if files, err := (make.Dialect{}).Export(platform.Export{Catalogue: c, URL: address, Version: "1.2.3"}); err == nil || files != nil {
			t.Errorf("the export of %d actions is %v, %v; want an error", len(c.Actions), len(files), err)
		}
	}
}

func TestAnEmptyCatalogueIsStillAnApp(t *testing.T) {
	files := export(t, platform.Catalogue{})
	if err := conforms(t, files); err != nil {
		t.Error(err)
	}
}

// gathered puts the files below some folders into one text.
func gathered(files platform.Files, folders ...string) []byte {
	var b bytes.Buffer
	for _, path := range slices.Sorted(maps.Keys(files)) {
		for _, folder := range folders {
			if strings.HasPrefix(path, folder) {
				b.WriteString("== " + path + "\n")
				b.Write(files[path])
			}
		}
	}
	return b.Bytes()
}
