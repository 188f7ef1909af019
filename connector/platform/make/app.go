package make

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/schemas"
)

//go:embed all:package
var sources embed.FS

// manifest is makecomapp.json: what the app is made of and which files belong to what.
type manifest struct {
	FileVersion      int                             `json:"fileVersion"`
	GeneralCodeFiles map[string]string               `json:"generalCodeFiles"`
	Components       map[string]map[string]component `json:"components"`
	// Origins are the apps in Make that the folder is deployed to; the editor asks where there are
	// none, and its own placeholders would break its own schema.
	Origins []struct{} `json:"origins"`
}

type component struct {
	Label          string            `json:"label,omitempty"`
	Description    string            `json:"description,omitempty"`
	Connection     string            `json:"connection,omitempty"`
	ConnectionType string            `json:"connectionType,omitempty"`
	Webhook        string            `json:"webhook,omitempty"`
	WebhookType    string            `json:"webhookType,omitempty"`
	ModuleType     string            `json:"moduleType,omitempty"`
	CodeFiles      map[string]string `json:"codeFiles"`
	// credits is for the README.
	credits int
}

// codes is the content of a component's files by the kind of code, as codeFiles names them.
type codes map[string][]byte

// group is a heading in Make's list of modules.
type group struct {
	Label   string   `json:"label"`
	Modules []string `json:"modules"`
}

// app is a package in the making. Its first failure is kept and told at the end.
type app struct {
	export   platform.Export
	files    platform.Files
	manifest manifest
	errors   string
	err      error
}

func newApp(e platform.Export) *app {
	a := &app{export: e, files: platform.Files{}, manifest: manifest{
		FileVersion: 1, GeneralCodeFiles: map[string]string{}, Origins: []struct{}{},
		Components: map[string]map[string]component{
			"connection": {}, "webhook": {}, "module": {}, "rpc": {}, "function": {}, "endpoint": {},
		},
	}}
	a.errors = string(a.source("general/errors.iml.json"))
	return a
}

func (a *app) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// finish adds what is not a component's and returns the files.
func (a *app) finish(groups []group) (platform.Files, error) {
	for kind, file := range map[string]struct {
		path    string
		content []byte
	}{
		"base":   {"general/base.iml.json", a.source("general/base.iml.json")},
		"common": {"general/common.json", a.source("general/common.json")},
		"groups": {"modules/groups.json", a.data(groups)},
		"readme": {"README.md", a.readme(groups)},
	} {
		a.files[file.path] = file.content
		a.manifest.GeneralCodeFiles[kind] = file.path
	}
	a.files["makecomapp.json"] = a.data(a.manifest)
	a.files["LICENSE.md"] = a.source("LICENSE.md")
	if a.err != nil {
		return nil, a.err
	}
	return a.files, nil
}

// idForms are Make's rules for IDs; a module's becomes its name in Make, where 48 characters fit.
var idForms = map[string]*regexp.Regexp{
	"connection": regexp.MustCompile(`^[a-zA-Z][0-9a-zA-Z]{2,34}$`),
	"webhook":    regexp.MustCompile(`^[a-zA-Z][0-9a-zA-Z]{2,34}$`),
	"module":     regexp.MustCompile(`^[a-zA-Z][0-9a-zA-Z]{2,47}$`),
}

// add puts a component and its files into the app and returns its ID.
func (a *app) add(kind, name string, c component, content codes) string {
	id := camel(name)
	if _, twice := a.manifest.Components[kind][id]; twice {
		a.fail(fmt.Errorf("two operations make a %s called %s", kind, id))
	}
	if !idForms[kind].MatchString(id) {
		a.fail(fmt.Errorf("%s is no ID of a %s in Make", id, kind))
	}
	c.CodeFiles = map[string]string{}
	for code, text := range content {
		path := fmt.Sprintf("%[1]ss/%[2]s/%[2]s.%[3]s.iml.json", kind, name, suffix(code))
		a.files[path] = text
		c.CodeFiles[code] = path
	}
	a.manifest.Components[kind][id] = c
	return id
}

// suffix is how the editor names a file with code of a kind.
func suffix(code string) string {
	switch code {
	case "staticParams":
		return "static-params"
	case "mappableParams":
		return "mappable-params"
	default:
		return code
	}
}

// interfaceOf renders what a module puts out.
func (a *app) interfaceOf(fields []schemas.Field, samples []any) []byte {
	plain := []any{}
	for _, s := range samples {
		plain = append(plain, a.plain(s))
	}
	return a.data(outputs(fields, plain))
}

// plain turns a sample into what encoding/json reads, whatever Go type it has.
func (a *app) plain(sample any) any {
	var v any
	b, err := json.Marshal(sample)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		a.fail(fmt.Errorf("reading a sample: %w", err))
	}
	return v
}

// sample renders one bundle, its values in the order of the interface.
func (a *app) sample(fields []schemas.Field, sample any) []byte {
	o, _ := a.plain(sample).(map[string]any)
	order := []string{}
	for _, f := range fields {
		if _, ok := o[f.Name]; ok {
			order = append(order, f.Name)
		}
	}
	for _, name := range names([]any{o}) {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	var members []string
	for _, name := range order {
		members = append(members, fmt.Sprintf("%s: %s", a.inline(name), a.inline(o[name])))
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte("{"+strings.Join(members, ", ")+"}"), "", indent); err != nil {
		a.fail(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// indent is the editor's own.
const indent = "    "

// data renders a file of JSON.
func (a *app) data(v any) []byte { return []byte(a.json(v, "") + "\n") }

func (a *app) inline(v any) string { return a.json(v, "") }

// json renders a value without the escapes for HTML, which would spoil Make's expressions.
func (a *app) json(v any, prefix string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, indent)
	if err := e.Encode(v); err != nil {
		a.fail(errors.Join(errors.New("rendering JSON"), err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
