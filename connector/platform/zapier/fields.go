package zapier

import (
	"fmt"
	"slices"
	"strings"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/schemas"
)

// inputField is a field of a form (zapier-platform-schema, PlainInputFieldSchema).
type inputField struct {
	Key      string       `json:"key"`
	Label    string       `json:"label"`
	Type     string       `json:"type,omitempty"`
	Required bool         `json:"required"`
	List     bool         `json:"list,omitempty"`
	Default  string       `json:"default,omitempty"`
	Choices  []string     `json:"choices,omitempty"`
	Hint     string       `json:"placeholder,omitempty"`
	Help     string       `json:"helpText,omitempty"`
	Children []inputField `json:"children,omitempty"`
}

// inputFields renders a form: required fields first, then the usual ones, then the advanced ones.
// Of fields that exclude each other Zapier shows the first and requires it, because its forms
// cannot say that one of two is enough.
func inputFields(form *schemas.Form) []inputField {
	instead := form.Alternatives()
	fields := []inputField{}
	for rank := range 3 {
		for _, f := range form.Fields {
			if f.Hidden || slices.Contains(instead[min(1, len(instead)):], f.Name) {
				continue
			}
			rendered := inputOf(f)
			rendered.Required = rendered.Required || len(instead) > 0 && f.Name == instead[0]
			if rankOf(rendered, f) == rank {
				fields = append(fields, rendered)
			}
		}
	}
	return fields
}

func rankOf(rendered inputField, f schemas.Field) int {
	switch {
	case rendered.Required:
		return 0
	case f.Advanced:
		return 2
	}
	return 1
}

func inputOf(f schemas.Field) inputField {
	in := inputField{
		Key: f.Name, Label: titleCase(f.Label), Type: inputType(f.Kind), Required: f.Required,
		List: f.Kind == schemas.List, Choices: f.Enum, Help: f.Help,
	}
	if f.Default != nil {
		in.Default = fmt.Sprint(f.Default)
	} else if f.Example != nil && f.Enum == nil {
		in.Hint = fmt.Sprint(f.Example)
	}
	if f.Kind == schemas.Objects {
		in.Type, in.Help, in.Hint, in.Default = "", "", "", ""
		for _, child := range f.Fields {
			in.Children = append(in.Children, inputOf(child))
		}
	}
	return in
}

// titleCase is platform.TitleCase with a capital for the last word, too, however small it is.
func titleCase(label string) string {
	words := strings.Fields(platform.TitleCase(label))
	if last := len(words) - 1; last >= 0 {
		words[last] = strings.ToUpper(words[last][:1]) + words[last][1:]
	}
	return strings.Join(words, " ")
}

func inputType(kind schemas.Kind) string {
	switch kind {
	case schemas.Text:
		return "text"
	case schemas.Integer:
		return "integer"
	case schemas.Number:
		return "number"
	case schemas.Boolean:
		return "boolean"
	case schemas.Datetime:
		return "datetime"
	case schemas.Group, schemas.Any:
		return "json"
	default:
		return "string"
	}
}

// outputField names a value for later steps (zapier-platform-schema, PlainOutputFieldSchema).
type outputField struct {
	Key   string `json:"key"`
	Label string `json:"label"`
	Type  string `json:"type,omitempty"`
	List  bool   `json:"list,omitempty"`
}

// outputFields renders an output. What is passed on from Soke unread has no names of its own.
func outputFields(fields []schemas.Field) []outputField { return outputsOf("", "", fields) }

func outputsOf(prefix, words string, fields []schemas.Field) []outputField {
	out := []outputField{}
	for _, f := range fields {
		key, label := prefix+f.Name, titleCase(words+" "+f.Label)
		switch f.Kind {
		case schemas.Any:
		case schemas.Objects:
			if prefix == "" { // line items have one level
				out = append(out, outputsOf(key+"[]", f.Label, f.Fields)...)
			}
		case schemas.Group:
			out = append(out, outputsOf(key+"__", f.Label, f.Fields)...)
		case schemas.List:
			out = append(out, outputField{Key: key, Label: label, List: true})
		default:
			out = append(out, outputField{Key: key, Label: label, Type: outputType(f.Kind)})
		}
	}
	return out
}

// outputType is inputType but for a text of several lines, which outputs do not know.
func outputType(kind schemas.Kind) string {
	if kind == schemas.Text {
		return "string"
	}
	return inputType(kind)
}
