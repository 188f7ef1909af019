package n8n

import (
	"fmt"
	"strings"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/schemas"
)

type action struct {
	Key          string   `json:"key"`
	Resource     string   `json:"resource"`
	ResourceName string   `json:"resourceName"`
	Name         string   `json:"name"`
	Action       string   `json:"action"`
	Description  string   `json:"description"`
	Instead      []string `json:"instead"`
	Fields       []field  `json:"fields"`
	Output       []field  `json:"output"`
	List         string   `json:"list"`
	ListName     string   `json:"listName"`
}

type trigger struct {
	Key         string  `json:"key"`
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Fields      []field `json:"fields"`
}

type field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Help     string   `json:"help"`
	Kind     string   `json:"kind"`
	Default  any      `json:"default,omitempty"`
	Example  string   `json:"example,omitempty"`
	Required bool     `json:"required,omitempty"`
	Advanced bool     `json:"advanced,omitempty"`
	Enum     []string `json:"enum,omitempty"`
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	Fields   []field  `json:"fields,omitempty"`
}

// actionOf renders an action as an operation of the thing that it is about. n8n's menus show
// "Keyword" and then "Research", and beside them "Research keywords".
func actionOf(a actions.Action) action {
	out := action{
		Key: a.Key, Resource: strings.ReplaceAll(strings.ToLower(a.Noun), " ", "-"), ResourceName: a.Noun,
		Name: a.Title, Action: platform.SentenceCase(a.Title), Description: phrase(a.Description),
		Instead: append([]string{}, a.Input.Alternatives()...), Fields: fieldsOf(a.Input.Fields), Output: fieldsOf(a.Output.Fields),
	}
	for _, noun := range []string{platform.Plural(a.Noun), a.Noun} {
		if short := strings.TrimSpace(strings.TrimSuffix(a.Title, noun)); short != "" && short != a.Title {
			out.Name = short
			break
		}
	}
	if list, ok := platform.Listed(a); ok {
		out.List, out.ListName = list.Name, platform.TitleCase(list.Label)
	}
	return out
}

func fieldsOf(all []schemas.Field) []field {
	out := []field{}
	for _, f := range all {
		if f.Hidden {
			continue
		}
		rendered := field{
			Name: f.Name, Label: platform.TitleCase(f.Label), Help: phrase(f.Help), Kind: string(f.Kind), Default: f.Default,
			Required: f.Required, Advanced: f.Advanced, Enum: f.Enum, Min: f.Min, Max: f.Max, Fields: fieldsOf(f.Fields),
		}
		if f.Kind == schemas.List {
			rendered.Min, rendered.Max = nil, nil
		}
		if f.Example != nil {
			rendered.Example = fmt.Sprint(f.Example)
		}
		out = append(out, rendered)
	}
	return out
}

// phrase drops the full stop of a single sentence, as n8n's texts do.
func phrase(text string) string {
	if strings.Contains(text, ". ") {
		return text
	}
	return strings.TrimSuffix(text, ".")
}
