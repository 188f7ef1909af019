package background_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/usesoke/soke-connector/connector/background"
)

func TestWhatHasBegunIsLetFinishAndNothingBeginsAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jobs background.Jobs
		if err := jobs.Settled(t.Context()); err != nil {
			t.Errorf("nothing is under way: %v", err)
		}
		finish := make(chan struct{})
		finished := 0
		for range 3 {
			if !jobs.Begin(func() { <-finish; finished++ }) {
				t.Fatal("a job does not begin")
			}
		}
		left, leave := context.WithCancel(t.Context())
		leave()
		if err := jobs.Drain(left); !errors.Is(err, context.Canceled) {
			t.Errorf("who has no time left waits: %v", err)
		}
		if jobs.Begin(func() { t.Error("a job began after Drain") }) || !jobs.Ended() {
			t.Error("a job may begin after Drain")
		}
		for range 3 {
			finish <- struct{}{}
			synctest.Wait()
		}
		if err := jobs.Drain(t.Context()); err != nil || finished != 3 {
			t.Errorf("%d of 3 jobs are over, %v", finished, err)
		}
	})
}

func TestJobsSettleAnyNumberOfTimes(t *testing.T) {
	var jobs background.Jobs
	for range 100 {
		ran := false
		jobs.Begin(func() { ran = true })
		if err := jobs.Settled(t.Context()); err != nil || !ran {
			t.Fatalf("settled with %v, ran %v", err, ran)
		}
	}
}
