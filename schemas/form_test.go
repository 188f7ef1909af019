package schemas_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	santhosh "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/usesoke/soke-connector/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// report is an output with every kind that only outputs have.
type report struct {
	head
	Score    *float64           `json:"score" title:"Score" help:"From 0 <easy> to 1 & up."`
	Trend    string             `json:"trend" title:"Trend" form:"nullable"`
	Videos   []json.RawMessage  `json:"videos,omitempty" title:"Videos"`
	Parts    []part             `json:"parts" title:"Parts"`
	Counts   map[string]int     `json:"counts" title:"Counts"`
	Details  any                `json:"details" title:"Details"`
	Schema   *jsonschema.Schema `json:"schema" title:"Schema"`
	Unlisted string             `json:"-"`
}

type head struct {
	ID string    `json:"id" title:"ID"`
	At time.Time `json:"at" title:"At"`
}

type part struct {
	Name  string   `json:"name" title:"Name" help:"Who." example:"Ann"`
	Score *float64 `json:"score"`
}

func form(t *testing.T, derive func() (*schemas.Form, error)) *schemas.Form {
	t.Helper()
	f, err := derive()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestADerivedSchemaIsWrittenTheSameEveryTime(t *testing.T) {
	for name, derive := range map[string]func() (*schemas.Form, error){
		"drop-input": schemas.Input[drop], "chat-input": schemas.Input[chat],
		"everything-input": schemas.Input[everything], "report-output": schemas.Output[report],
	} {
		f := form(t, derive)
		first, err := document(f.Schema)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := document(f.Schema); err != nil || !bytes.Equal(first, again) {
			t.Errorf("%s: the second writing differs (%v)", name, err)
		}
		compile(t, first)
		path := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, first, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, want) {
			t.Errorf("%s is not what %s says; run go test ./schemas -update and read the difference:\n%s", name, path, first)
		}
	}
}

// compile holds a schema to its meta-schema and makes a judge of it that shares no code with ours.
func compile(t *testing.T, text []byte) *santhosh.Schema {
	t.Helper()
	doc, err := santhosh.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := santhosh.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:///schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///schema.json")
	if err != nil {
		t.Fatalf("the schema is not a schema: %v\n%s", err, text)
	}
	return s
}

func TestAFormListsItsFieldsInTheOrderOfDeclaration(t *testing.T) {
	f := form(t, schemas.Input[drop])
	var got []string
	for _, field := range f.Fields {
		got = append(got, fmt.Sprintf("%s %s %q %v %v %v", field.Name, field.Kind, field.Label, field.Default, field.Required, field.Advanced))
	}
	want := []string{
		`topic string "Topic" <nil> false false`,
		`niche string "Niche" <nil> false false`,
		`region string "Region" US false false`,
		`maxResults integer "Maximum results" 20 false false`,
		`recencyDays integer "Recency in days" 365 false true`,
		`threshold number "Threshold" 0.1 false false`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if most := f.Fields[3].Max; most == nil || *most != 50 {
		t.Errorf("the maximum of maxResults is %v", most)
	}
	messages := form(t, schemas.Input[chat]).Fields[1]
	if messages.Kind != schemas.Objects || len(messages.Fields) != 2 || !messages.Fields[0].Required || messages.Fields[1].Kind != schemas.Text || len(messages.Fields[0].Enum) != 2 {
		t.Errorf("messages are %+v", messages)
	}
	out := form(t, schemas.Output[report]).Fields
	if out[0].Name != "id" || out[1].Kind != schemas.Datetime || !out[2].Required || out[4].Required {
		t.Errorf("the output is %+v", out)
	}
	if parts := out[5]; parts.Kind != schemas.Objects || len(parts.Fields) != 2 || parts.Fields[0].Example != "Ann" || parts.Fields[1].Label != "score" {
		t.Errorf("the list of objects is %+v", parts)
	}
}

func TestATypeThatCannotBeExpressedIsRefusedByName(t *testing.T) {
	type self struct {
		Inner *self `json:"inner"`
	}
	for _, c := range []struct {
		name, want string
		derive     func() (*schemas.Form, error)
	}{
		{"not a struct", "is not a struct", schemas.Input[int]},
		{"unsupported kind", "F: chan int cannot be expressed", schemas.Output[struct{ F chan int }]},
		{"bytes", "uint8 cannot be expressed", schemas.Output[struct{ F []byte }]},
		{"list of lists", "a list of []string cannot be expressed", schemas.Input[struct{ F [][]string }]},
		{"pointer to pointer", "pointer to a pointer", schemas.Input[struct{ F **int }]},
		{"typed map", "map[string]int cannot be expressed", schemas.Input[struct{ F map[string]int }]},
		{"recursion", "holds itself", schemas.Input[self]},
		{"self-decoding", "decodes itself", schemas.Input[struct{ F jsonNumber }]},
		{"name twice", "the name threshold is there twice", schemas.Input[struct {
			threshold
			B string `json:"threshold"`
		}]},
		{"json option", `"string" cannot be expressed`, schemas.Input[struct {
			A int `json:"a,string"`
		}]},
		{"form option", `"bold" is not known`, schemas.Input[struct {
			A int `form:"bold"`
		}]},
		{"multiline number", "only a string can be multiline", schemas.Input[struct {
			A int `form:"multiline"`
		}]},
		{"unfit default", `default: "x" is not a whole number`, schemas.Input[struct {
			A int `default:"x"`
		}]},
		{"default outside its bounds", "default: ", schemas.Input[struct {
			A int `default:"9" validate:"max=5"`
		}]},
		{"blank default", "default: it is blank", schemas.Input[struct {
			A string `default:" "`
		}]},
		{"example outside its bounds", "example: ", schemas.Input[struct {
			A string `example:"abc" validate:"max=2"`
		}]},
		{"unknown rule", "the validator panics", schemas.Input[struct {
			A string `validate:"omitempty,nonsense"`
		}]},
		{"unfit rule", "only a string", schemas.Input[struct {
			A int `validate:"omitempty,iso3166_1_alpha2,datetime=2006"`
		}]},
		{"unfit rule that is not in the table", "the validator panics", schemas.Input[struct {
			A int `validate:"omitempty,hexcolor,unique"`
		}]},
		{"size of a boolean", "has no size", schemas.Input[struct {
			A bool `validate:"max=2"`
		}]},
		{"country of a number", "only a string", schemas.Input[struct {
			A int `validate:"omitempty,iso3166_1_alpha2"`
		}]},
		{"required boolean", "use a *bool", schemas.Input[struct {
			A bool `validate:"required"`
		}]},
		{"required number", "required refuses 0", schemas.Input[struct {
			A int `validate:"required,max=5"`
		}]},
		{"zero slips through", "omitempty lets 0 pass", schemas.Input[struct {
			A int `validate:"omitempty,min=1"`
		}]},
		{"absence is refused", "an absent value breaks its rules", schemas.Input[struct {
			A string `validate:"iso3166_1_alpha2"`
		}]},
		{"rules not reached", "does not dive", schemas.Input[struct {
			A []message `json:"a"`
		}]},
		{"unknown partner", "there is no field B", schemas.Input[struct {
			A string `validate:"excluded_with=B"`
		}]},
		{"partner with default", "never absent", schemas.Input[struct {
			A string `default:"x" validate:"excluded_with=B"`
			B string
		}]},
	} {
		_, err := c.derive()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want …%s…", c.name, err, c.want)
		}
	}
}

type jsonNumber struct{ n string }

func (n *jsonNumber) UnmarshalJSON(b []byte) error { n.n = string(b); return nil }

func TestFieldsThatExcludeOneAnotherSaySoInTheSchema(t *testing.T) {
	type both struct {
		A string `json:"a,omitempty" validate:"required_without=B"`
		B string `json:"b,omitempty" validate:"excluded_with=C"`
		C string `json:"c,omitempty"`
		D string `json:"d,omitempty" validate:"required_without=C,excluded_with=C"`
	}
	schema := schemaOf(t, schemas.Input[both])
	for i := range 16 {
		object := map[string]any{}
		for bit, name := range []string{"a", "b", "c", "d"} {
			if i>>bit&1 == 1 {
				object[name] = "x"
			}
		}
		body, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		_, refusal := decode[both](t, string(body))
		if valid := schema.Validate(object) == nil; valid != (refusal == nil) {
			t.Errorf("%s: the schema says %v, the validator %v", body, valid, refusal)
		}
	}
}
