package background_test

import (
	"slices"
	"testing"

	"github.com/usesoke/soke-connector/connector/background"
)

func TestAnIDIsUnderWayUntilItsJobReturns(t *testing.T) {
	var jobs background.Named
	finish := make(chan struct{})
	left := make(chan []string)
	for _, id := range []string{"a", "b"} {
		if !jobs.Begin(id, func() { <-finish }, func() { left <- jobs.IDs() }) {
			t.Fatalf("%s does not begin", id)
		}
	}
	if got := jobs.IDs(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"a", "b"}) {
		t.Errorf("%v are under way, want both", got)
	}
	finish <- struct{}{}
	if got := <-left; len(got) != 1 {
		t.Errorf("after the first %v are under way, want the other one", got)
	}
	finish <- struct{}{}
	if got := <-left; len(got) != 0 {
		t.Errorf("after both %v are under way", got)
	}
	if err := jobs.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if jobs.Begin("c", func() {}, func() {}) || len(jobs.IDs()) > 0 {
		t.Errorf("a job began after Drain; under way are %v", jobs.IDs())
	}
}

func TestWhatFollowsAJobIsOverBeforeTheJobsAre(t *testing.T) {
	var jobs background.Named
	for range 100 {
		followed := false
		jobs.Begin("a", func() {}, func() { followed = true })
		if err := jobs.Settled(t.Context()); err != nil || !followed {
			t.Fatalf("settled with %v, followed %v", err, followed)
		}
	}
}
