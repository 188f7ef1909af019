package schemas_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/schemas"
)

func TestTheSchemaFilesSayWhatTheCodeDerives(t *testing.T) {
	for _, a := range actions.All() {
		for name, schema := range map[string]*jsonschema.Schema{
			a.Key + ".input.json": a.Input.Schema, a.Key + ".output.json": a.Output.Schema,
		} {
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
	}
}
