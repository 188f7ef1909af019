package schemas_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/usesoke/soke-connector/actions"
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
		want, err := document(schema)
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

// dialect is the meta-schema that a schema file names; within an answer it would be out of place.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// document renders a schema as a file for people: indented, fields in the order of their
// declaration. The same schema always gives the same bytes.
func document(s *jsonschema.Schema) ([]byte, error) {
	root := *s
	root.Schema = dialect
	compact, err := json.Marshal(root)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	// Escaped backslashes go first, so that what follows one is left alone.
	readable := strings.NewReplacer(`\\`, `\\`, `\u003c`, `<`, `\u003e`, `>`, `\u0026`, `&`)
	return []byte(readable.Replace(b.String())), nil
}
