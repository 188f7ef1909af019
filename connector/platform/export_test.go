package platform_test

import (
	"reflect"
	"testing"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/platform/make"
	"github.com/usesoke/soke-connector/connector/platform/n8n"
	"github.com/usesoke/soke-connector/connector/platform/zapier"
	"github.com/usesoke/soke-connector/triggers"
)

func TestTheSameCatalogueIsTheSamePackage(t *testing.T) {
	for name, export := range map[string]func(platform.Export) (platform.Files, error){
		"zapier": zapier.Dialect{}.Export, "n8n": n8n.Dialect{}.Export, "make": make.Dialect{}.Export,
	} {
		t.Run(name, func(t *testing.T) {
			var packages [2]platform.Files
			for i := range packages {
				var err error
				packages[i], err = export(platform.Export{
					Catalogue: platform.Catalogue{Actions: actions.All(), Triggers: triggers.All()},
					URL:       "https://connector.example.org", Version: "3.2.1",
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if len(packages[0]) == 0 || !reflect.DeepEqual(packages[0], packages[1]) {
				t.Error("two exports differ")
			}
		})
	}
}
