package background_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usesoke/soke-connector/connector/background"
)

func TestALoopKnowsForHowLongNoRoundHasSucceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := background.NewLoop()
		var broken atomic.Bool
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error)
		go func() {
			over <- loop.Run(ctx, func(context.Context) (time.Duration, error) {
				if broken.Load() {
					return 0, errors.New("the store is broken")
				}
				return 30 * time.Second, nil
			}, func(error) {})
		}()
		<-time.After(10 * time.Minute)
		synctest.Wait()
		if since := loop.SinceRound(); since > 30*time.Second {
			t.Errorf("rounds succeed every 30 s, and the latest was %s ago", since)
		}
		broken.Store(true)
		<-time.After(10 * time.Minute)
		synctest.Wait()
		if since := loop.SinceRound(); since < 9*time.Minute {
			t.Errorf("no round has succeeded for 10 min, and the latest was %s ago", since)
		}
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
