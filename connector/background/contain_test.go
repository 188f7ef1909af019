package background_test

import (
	"slices"
	"testing"

	"github.com/usesoke/soke-connector/connector/background"
)

func TestAPanicEndsItsJobAndNothingElse(t *testing.T) {
	err := background.Contain(func() { panic("a row like no other") })
	if err == nil || err.Error() != "panic: a row like no other" || !slices.Contains(background.Log(err), any("stack")) {
		t.Errorf("a panic is %v in the log %v", err, background.Log(err))
	}
	ran := false
	if err := background.Contain(func() { ran = true }); err != nil || !ran {
		t.Errorf("without one: %v, ran %v", err, ran)
	}
}
