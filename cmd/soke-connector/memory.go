package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

// crowd is the number of requests in flight from which it is worth freeing what their arrival left
// behind.
const crowd = 1000

// relieve gives memory back when a crowd of requests has arrived and waits for Soke. To arrive takes
// deep stacks and leaves garbage; with most goroutines asleep nothing would collect either for as
// long as the crowd waits. Each collection halves stacks that are nearly empty.
func relieve(ctx context.Context, inFlight func() int) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for relieved, before := 0, 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := inFlight()
		arriving := now > before+before/50
		before, relieved = now, min(relieved, 2*now)
		if now >= crowd && now > relieved+relieved/10 && !arriving {
			relieved = now
			for range 2 {
				runtime.GC()
			}
			debug.FreeOSMemory() // collects, too
		}
	}
}
