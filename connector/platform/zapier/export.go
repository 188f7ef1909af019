package zapier

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/triggers"
)

//go:embed all:package
var sources embed.FS

// Export returns a Zapier Platform CLI app (docs.zapier.com, Build with the CLI). What the app does is in
// package/; what its operations are called, ask and return is written from the catalogue, one file
// an operation, as a person would.
func (Dialect) Export(e platform.Export) (platform.Files, error) {
	files, err := e.Sources(sources)
	if err != nil {
		return nil, err
	}
	files["README.md"] = readme(files["README.md"], e)
	if files["connector.json"], err = platform.PrettyJSON(map[string]string{"baseUrl": e.URL}); err != nil {
		return nil, err
	}
	if err := addCreates(files, e.Catalogue.Actions); err != nil {
		return nil, err
	}
	return files, addTriggers(files, e.Catalogue.Triggers)
}

// readme fills the places of package/README.md that only an export knows.
func readme(text []byte, e platform.Export) []byte {
	var prices []string
	for _, a := range e.Catalogue.Actions {
		prices = append(prices, fmt.Sprintf("| %s | %d a call |", a.Title, a.Credits))
	}
	for _, t := range e.Catalogue.Triggers {
		prices = append(prices, fmt.Sprintf("| %s | %d a research |", t.Title, t.Credits))
	}
	places := strings.NewReplacer("https://connector.example.com", e.URL, "@version", e.Version, "@prices", strings.Join(prices, "\n"))
	return []byte(places.Replace(string(text)))
}

// operation is an action or a trigger as the app's files describe it.
type operation struct {
	Key          string         `json:"key"`
	Noun         string         `json:"noun"`
	Label        string         `json:"label"`
	Description  string         `json:"description"`
	Path         string         `json:"path"`
	Slow         bool           `json:"slow,omitempty"`
	InputFields  []inputField   `json:"inputFields"`
	OutputFields []outputField  `json:"outputFields"`
	Sample       map[string]any `json:"sample"`
}

func addCreates(files platform.Files, all []actions.Action) error {
	var keys []string
	for _, a := range all {
		sample, err := object(a.Sample)
		if err != nil {
			return fmt.Errorf("the sample of %s: %w", a.Key, err)
		}
		c := operation{
			Key: key(a.Key), Noun: a.Noun, Label: a.Title, Description: a.Description, Path: "/actions/" + a.Key,
			Slow: a.Slow, InputFields: inputFields(a.Input), OutputFields: outputFields(a.Output.Fields), Sample: sample,
		}
		keys = append(keys, c.Key)
		if err := addModule(files, "creates/"+c.Key+".js", "const { create } = require('../lib/create');", "create", c); err != nil {
			return err
		}
	}
	files["creates/index.js"] = list(keys)
	return nil
}

// addTriggers writes each trigger twice: turning a polling trigger into an instant one breaks the
// Zaps that use it, so both exist from the start, under keys of their own. Zapier itself marks the
// instant one as such.
func addTriggers(files platform.Files, all []triggers.Trigger) error {
	var keys []string
	for _, t := range all {
		sample, err := object(t.Sample[0])
		if err != nil {
			return fmt.Errorf("the sample of %s: %w", t.Key, err)
		}
		described := operation{
			Key: key(t.Key), Noun: t.Noun, Label: t.Title, Description: t.Description, Path: "/triggers/" + t.Key,
			InputFields: inputFields(t.Input), OutputFields: outputFields(t.Output.Fields), Sample: sample,
		}
		pushed, polled := described, described
		pushed.Key, polled.Label = described.Key+"_instant", described.Label+" (Polling)"
		keys = append(keys, polled.Key, pushed.Key)
		if err := addModule(files, "triggers/"+polled.Key+".js", "const { polling } = require('../lib/trigger');", "polling", polled); err != nil {
			return err
		}
		if err := addModule(files, "triggers/"+pushed.Key+".js", "const { instant } = require('../lib/trigger');", "instant", pushed); err != nil {
			return err
		}
	}
	files["triggers/index.js"] = list(keys)
	return nil
}

// addModule writes a file that calls the app's runtime with a description.
func addModule(files platform.Files, path, require, function string, description any) error {
	literal, err := platform.PrettyJSON(description)
	if err != nil {
		return err
	}
	files[path] = fmt.Appendf(nil, "'use strict';\n\n%s\n\nmodule.exports = %s(%s);\n", require, function, bytes.TrimSpace(literal))
	return nil
}

// list writes the file that names the others of its folder.
func list(keys []string) []byte {
	var b bytes.Buffer
	b.WriteString("'use strict';\n\nmodule.exports = [\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "  require('./%s'),\n", k)
	}
	b.WriteString("];\n")
	return b.Bytes()
}

// key is a key of the catalogue in the form that Zapier takes.
func key(catalogue string) string { return strings.ReplaceAll(catalogue, "-", "_") }

// object returns a sample as Zapier shows it.
func object(sample any) (o map[string]any, err error) {
	b, err := json.Marshal(sample)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(b, &o)
	return o, err
}
