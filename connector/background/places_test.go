package background_test

import (
	"slices"
	"testing"

	"github.com/usesoke/soke-connector/connector/background"
)

func TestPlacesAreBoundedInAllAndForEachOwner(t *testing.T) {
	p := background.NewPlaces(3, 2)
	for _, step := range []struct {
		owner string
		taken bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"b", false}, {"c", false}} {
		if got := p.Take(step.owner); got != step.taken {
			t.Errorf("%s takes a place: %v, want %v", step.owner, got, step.taken)
		}
	}
	if full := p.Full(); !slices.Equal(full, []string{"a"}) {
		t.Errorf("full are %v", full)
	}
	p.Leave("a")
	if full := p.Full(); len(full) != 0 || !p.Take("c") || p.Take("a") {
		t.Errorf("a place that was given back is nobody's; full are %v", full)
	}
}
