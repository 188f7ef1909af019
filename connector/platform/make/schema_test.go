package make_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/usesoke/soke-connector/connector/platform"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; look at the change and run go test -update:\n%s", path, got)
	}
}

func TestEveryFilePassesTheSchemaOfMakesEditor(t *testing.T) {
	if err := conforms(t, export(t, catalogue())); err != nil {
		t.Error(err)
	}
}

func TestTheSchemasFindWhatIsWrong(t *testing.T) {
	for path, content := range map[string]string{
		"makecomapp.json":                              `{"fileVersion": 1}`,
		"general/base.iml.json":                        `{"baseUrl": "https://x.example", "timeout": 0}`,
		"modules/a/a.communication.iml.json":           `{"url": "/a", "method": "POST"}`,
		"modules/a/a.interface.iml.json":               `[{"name": "a", "type": "string"}]`,
		"webhooks/a/a.attach.iml.json":                 `{"url": "/a", "response": {"error": {"type": "MyError", "message": "no"}}}`,
		"connections/a/a.communication.iml.json":       `{"uri": "/a"}`,
		"modules/a/a.epoch.iml.json":                   `{"response": {"output": {"label": "no date"}}}`,
		"modules/groups.json":                          `[{"label": "no modules"}]`,
		"modules/makeAnApi/makeAnApi.samples.iml.json": `[]`,
		"modules/a/a.unheard-of.iml.json":              `{}`,
		"connections/a/a.params.iml.json":              `[{"name": "a", "type": "text", "colour": "red"}]`,
		"modules/a/a.mappable-params.iml.json":         `[{"name": "a", "type": "select", "options": [{"label": "no value"}]}]`,
		"modules/poll-a/poll-a.static-params.iml.json": `[{"name": "a"}]`,
		"webhooks/a/a.detach.iml.json":                 `{"url": 5}`,
		"webhooks/a/a.communication.iml.json":          `{"iterate": {}}`,
		"webhooks/a/a.params.iml.json":                 `[{"type": "text", "validate": {"most": 3}}]`,
		"webhooks/a/a.update.iml.json":                 `{"url": "/a", "log": 1}`,
	} {
		if err := conforms(t, platform.Files{path: []byte(content)}); err == nil {
			t.Errorf("%s passes with %s", path, content)
		}
	}
}

// schemaOf is the schema that the editor chooses for a file, by its name.
var schemaOf = map[string]string{
	"communication": "api.json", "attach": "api.json", "detach": "api.json", "update": "api.json", "epoch": "epoch.json",
	"params": "parameters.json", "mappable-params": "parameters.json", "static-params": "parameters.json", "interface": "parameters.json",
	"samples": "samples.json", "base": "base.json", "common": "common.json", "groups": "groups.json", "makecomapp": "makecomapp.schema.json",
}

var codeOf = regexp.MustCompile(`([a-z-]+)(\.iml)?\.json$`)

// conforms checks every JSON file of a package against Make's own schemas.
func conforms(t *testing.T, files platform.Files) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(tolerant)
	root, err := filepath.Abs("testdata/make-schemas")
	if err != nil {
		t.Fatal(err)
	}
	var all []error
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(path, ".json") {
			continue
		}
		name, ok := schemaOf[codeOf.FindStringSubmatch(path)[1]]
		if !ok {
			all = append(all, fmt.Errorf("%s: the editor knows no such code", path))
			continue
		}
		schema, err := c.Compile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		content, err := jsonschema.UnmarshalJSON(bytes.NewReader(files[path]))
		if err == nil {
			err = schema.Validate(content)
		}
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(all...)
}

// tolerant is Go's engine, which has no lookahead. Make's schemas use it for values of origins only,
// and a package has none.
func tolerant(pattern string) (jsonschema.Regexp, error) {
	r, err := regexp.Compile(pattern)
	if err != nil && strings.Contains(pattern, "(?!") {
		return regexp.MustCompile(""), nil
	}
	return r, err
}
