package make

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// The sources in package/ are the app's own files with a few places left open:
//
//	https://connector.example.com  where the connector is reached
//	@key, @list                    the key of an operation, the name of its list
//	"@fields": ""                  a member for each of its inputs
//	"@errors", "@message"          how a failed call is said, which a connection and a webhook
//	                               need in full because they inherit nothing from the base
const exampleURL = "https://connector.example.com"

// values fill the places that belong to an operation.
type values struct {
	key, list string
	fields    []mapping
}

// mapping is a member of a request's body and the expression that fills it.
type mapping struct{ name, expression string }

// mapped sends every field of a form under its own name. Make leaves out what is not filled in.
func mapped(form []parameter) []mapping {
	all := []mapping{}
	for _, p := range form {
		all = append(all, mapping{p.Name, "{{parameters." + p.Name + "}}"})
	}
	return all
}

var openPlace = regexp.MustCompile(`^( *)(.*)"@(fields|errors|message)"(: "")?(,?)$`)

// source returns a file of package/ with its places filled.
func (a *app) source(name string, given ...values) []byte {
	text := strings.ReplaceAll(a.read(name), exampleURL, a.export.URL)
	var v values
	if len(given) > 0 {
		v = given[0]
		text = strings.NewReplacer("@key", v.key, "@list", v.list).Replace(text)
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		place := openPlace.FindStringSubmatch(line)
		if place == nil {
			b.WriteString(line + "\n")
			continue
		}
		margin, before, comma := place[1], place[2], place[5]
		switch place[3] {
		case "fields":
			b.WriteString(a.members(v.fields, margin, comma))
		case "errors":
			nested := strings.ReplaceAll(strings.TrimSuffix(a.errors, "\n"), "\n", "\n"+margin)
			b.WriteString(margin + before + nested + comma + "\n")
		case "message":
			b.WriteString(margin + before + strings.TrimSpace(a.read("general/message.iml.json")) + comma + "\n")
		}
	}
	return []byte(b.String())
}

// members are the lines of an object, each with a comma but the last, which has it only where more
// follows.
func (a *app) members(all []mapping, margin, comma string) string {
	lines := []string{}
	for _, m := range all {
		lines = append(lines, fmt.Sprintf("%s%s: %s", margin, a.inline(m.name), a.inline(m.expression)))
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, ",\n") + comma + "\n"
}

func (a *app) read(name string) string {
	b, err := sources.ReadFile(path.Join("package", name))
	if err != nil {
		a.fail(err)
	}
	return string(b)
}

// readme returns the README with the table of what the app can do.
func (a *app) readme(groups []group) []byte {
	var rows []string
	for _, g := range groups {
		for _, id := range g.Modules {
			m := a.manifest.Components["module"][id]
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s |", g.Label, m.Label, kinds[m.ModuleType], price(m.credits), m.Description))
		}
	}
	text := strings.NewReplacer(exampleURL, a.export.URL, "@version", a.export.Version, "@modules", strings.Join(rows, "\n")).Replace(a.read("README.md"))
	return []byte(text)
}

// price is what a module costs; what a call to any endpoint costs is up to the endpoint.
func price(credits int) string {
	if credits == 0 {
		return ""
	}
	return strconv.Itoa(credits)
}

// kinds are Make's words for the types of modules.
var kinds = map[string]string{
	"action": "Action", "search": "Search", "trigger": "Polling trigger", "instant_trigger": "Instant trigger", "universal": "Universal",
}
