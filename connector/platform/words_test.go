package platform_test

import (
	"context"
	"testing"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
)

func TestNounsHaveEnglishPlurals(t *testing.T) {
	for noun, want := range map[string]string{
		"Keyword": "Keywords", "Category": "Categories", "Key": "Keys", "Index": "Indexes", "Search": "Searches", "Wish": "Wishes", "Address": "Addresses",
	} {
		if got := platform.Plural(noun); got != want {
			t.Errorf("%s: %s, want %s", noun, got, want)
		}
	}
}

type categories struct {
	Count           int        `json:"count" title:"Count"`
	VideoCategories []category `json:"videoCategories" title:"Categories"`
}

type category struct {
	Name string `json:"name" title:"Name"`
}

func TestWhatAnActionListsIsTheOutputNamedAfterItsThings(t *testing.T) {
	act := actions.New(actions.Action{Key: "list-categories", Title: "List Categories", Noun: "Video Category", Sample: categories{}},
		func(context.Context, *soke.Session, struct{}) (categories, error) { return categories{}, nil })
	if list, ok := platform.Listed(act); !ok || list.Name != "videoCategories" {
		t.Errorf("it lists %q, %v", list.Name, ok)
	}
	act.Noun = "Video"
	if list, ok := platform.Listed(act); ok {
		t.Errorf("videos are listed by %q", list.Name)
	}
}
