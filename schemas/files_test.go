package schemas_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

func TestTheSchemaFilesSayWhatTheCodeDerives(t *testing.T) {
	derived := map[string]*jsonschema.Schema{}
	for _, a := range actions.All() {
		derived[a.Key+".input.json"], derived[a.Key+".output.json"] = a.Input.Schema, a.Output.Schema
	}
	for _, trigger := range triggers.All() {
		derived[trigger.Key+".input.json"], derived[trigger.Key+".event.json"] = trigger.Input.Schema, trigger.Output.Schema
	}
	for name, schema := range derived {
		want, err := schemas.Document(schema)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the code derives (%v); run go test ./schemas -update", name, err)
		}
	}
	files, err := filepath.Glob("*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if derived[name] == nil {
			t.Errorf("%s describes no operation that there is; remove it", name)
		}
	}
}
