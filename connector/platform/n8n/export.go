package n8n

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

//go:embed all:package
var sources embed.FS

// Export returns n8n's community node package: TypeScript sources, and what the official tool has
// compiled from them, so that it installs without a build. Both read the operations from one data
// file, which is all that an export writes.
//
// It fails on a field whose name the nodes use themselves.
func (d Dialect) Export(e platform.Export) (platform.Files, error) {
	if err := checkNames(e.Catalogue); err != nil {
		return nil, err
	}
	files, err := e.Sources(sources)
	if err != nil {
		return nil, err
	}
	catalogue, err := asCompiled(d.catalogue(e))
	if err != nil {
		return nil, err
	}
	files["README.md"] = readme(files["README.md"], e)
	files["nodes/shared/catalogue.json"], files["dist/nodes/shared/catalogue.json"] = catalogue, catalogue
	return files, addExamples(files, e)
}

// asCompiled renders a data file as the TypeScript compiler writes it, so that what lies in dist/ is
// what a build makes.
func asCompiled(v any) ([]byte, error) { return platform.IndentedJSON(v, "    ") }

// readme fills the places of package/README.md that only an export knows.
func readme(text []byte, e platform.Export) []byte {
	return []byte(strings.NewReplacer("https://connector.example.com", e.URL, "@version", e.Version).Replace(string(text)))
}

// priced adds to a description what it costs, which n8n shows where an operation or an event is chosen.
func priced(description string, credits int, each string) string {
	cost := fmt.Sprintf("%d credits", credits)
	if credits == 1 {
		cost = "1 credit"
	}
	phrase, stopped := strings.CutSuffix(description, ".")
	if phrase += " (" + cost + each + ")"; stopped {
		phrase += "."
	}
	return phrase
}

// reserved are the parameters that the nodes have beside the catalogue's fields
// (package/nodes/shared/properties.ts and the nodes).
var reserved = []string{"resource", "operation", "event", "input", "options", "split", "simplify"}

func checkNames(c platform.Catalogue) error {
	check := func(key string, fields []schemas.Field) error {
		for _, f := range fields {
			if slices.Contains(reserved, f.Name) {
				return fmt.Errorf("n8n: the field %q of %s has a name that the node uses itself", f.Name, key)
			}
		}
		return nil
	}
	for _, a := range c.Actions {
		if err := check(a.Key, a.Input.Fields); err != nil {
			return err
		}
	}
	for _, t := range c.Triggers {
		if err := check(t.Key, t.Input.Fields); err != nil {
			return err
		}
	}
	return nil
}

// catalogue is the data file. Its shape is declared in package/nodes/shared/catalogue.ts.
type catalogue struct {
	Connector connectorData `json:"connector"`
	Actions   []action      `json:"actions"`
	Triggers  []trigger     `json:"triggers"`
	Failures  []failure     `json:"failures"`
}

type connectorData struct {
	URL string `json:"url"`
}

// failure is what the test of a credential says of a code.
type failure struct {
	Code    soke.Code `json:"code"`
	Message string    `json:"message"`
}

func (d Dialect) catalogue(e platform.Export) catalogue {
	c := catalogue{Connector: connectorData{e.URL}, Actions: []action{}, Triggers: []trigger{}}
	for _, a := range e.Catalogue.Actions {
		described := actionOf(a)
		described.Description = priced(described.Description, a.Credits, "")
		c.Actions = append(c.Actions, described)
	}
	for _, t := range e.Catalogue.Triggers {
		c.Triggers = append(c.Triggers, trigger{Key: t.Key, Title: t.Title, Description: priced(phrase(t.Description), t.Credits, " a research"), Fields: fieldsOf(t.Input.Fields)})
	}
	for _, code := range []soke.Code{
		soke.Unauthorized, soke.SubscriptionRequired, soke.Forbidden, soke.InsufficientCredits, soke.NotFound, soke.RateLimitExceeded,
		soke.InvalidInput, soke.InternalError, soke.UpstreamUnavailable, soke.UpstreamTimeout, soke.ConnectorError,
	} {
		c.Failures = append(c.Failures, failure{code, d.testMessage(code)})
	}
	return c
}

var requestID = regexp.MustCompile(` ?\(request[^)]*\)$`)

// testMessage is what a failed test of a credential says. n8n shows a fixed text for each code
// there, so it says nothing of the one request.
func (d Dialect) testMessage(code soke.Code) string {
	call := platform.Call{ConnectionTest: true}
	switch code {
	case soke.InvalidInput:
		return "Check the account ID: it is 1 to 128 letters, digits, _ . : or -."
	case soke.NotFound:
		return "Check the account ID: Soke has no such account for this key."
	}
	said := platform.Describe(&soke.Error{Code: code, NotSent: true}, call)
	return requestID.ReplaceAllString(said.Message, "")
}
