package delivery_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

func TestAnyRowOfOutcomesKeepsTheRulesOfADelivery(t *testing.T) {
	policies := []delivery.Policy{zapier, n8n, makeUp, {}}
	outcome := rapid.Custom(func(t *rapid.T) delivery.Outcome {
		o := delivery.Outcome{
			Status: rapid.OneOf(rapid.SampledFrom([]int{0, 200, 204, 302, 400, 404, 410, 429, 500, 503}),
				rapid.IntRange(0, 999)).Draw(t, "status"),
			RetryAfter: time.Duration(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "retry after")),
			Failure:    rapid.SampledFrom([]delivery.Failure{"", delivery.Timeout, delivery.TargetRefused}).Draw(t, "failure"),
		}
		o.QueueFull = o.Status == 400 && rapid.Bool().Draw(t, "queue full")
		return o
	})
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(policies).Draw(t, "policy")
		jitter := func() float64 { return rapid.Float64Range(0, 1).Draw(t, "jitter") }
		mostlyFails := rapid.Bool().Draw(t, "mostly fails")
		var s delivery.State
		var failing time.Time // the model: when the present row of failures began
		var floor time.Duration
		now := start
		for i := 1; i <= 60; i++ {
			o := outcome.Draw(t, "outcome")
			if mostlyFails && i%40 != 0 {
				o = delivery.Outcome{Status: 503}
			}
			d := delivery.Next(p, s, o, now, jitter)

			if d.State.Attempts != i {
				t.Fatalf("%d attempts counted as %d", i, d.State.Attempts)
			}
			if (d.State.Failures == 0) != d.State.FailingSince.IsZero() {
				t.Fatalf("illegal state %+v", d.State)
			}
			if success := o.Status/100 == 2; success != (d.Step == delivery.Delivered) {
				t.Fatalf("%v was %s", o, d.Step)
			}
			if ends := !o.QueueFull && slices.Contains(p.Ends, o.Status); ends != (d.Step == delivery.End) {
				t.Fatalf("%v was %s", o, d.Step)
			}
			off := !o.QueueFull && slices.Contains(p.Pauses, o.Status)
			switch d.Step {
			case delivery.Delivered, delivery.End:
				if !d.At.IsZero() || d.Reason != "" || d.State.Failures != 0 {
					t.Fatalf("%s left %+v", d.Step, d)
				}
				return
			case delivery.Pause:
				if d.Reason != delivery.TargetFailing || d.State.Failures != 0 {
					t.Fatalf("paused with %+v", d)
				}
				if !off && now.Sub(failing) < 72*time.Hour {
					t.Fatalf("given up after %v", now.Sub(failing))
				}
				if !off {
					if !d.At.IsZero() {
						t.Fatal("a target given up is tried again")
					}
					return
				}
				if wait := d.At.Sub(now); wait < time.Hour || wait > 24*time.Hour {
					t.Fatalf("probed in %v", wait)
				}
				failing, floor = time.Time{}, 0
			case delivery.Retry:
				if off {
					t.Fatalf("%v was retried", o)
				}
				if failing.IsZero() {
					failing = now
				}
				if now.Sub(failing) >= 72*time.Hour {
					t.Fatalf("retried after %v", now.Sub(failing))
				}
				wait := d.At.Sub(now)
				if wait < 5*time.Second || wait > 24*time.Hour {
					t.Fatalf("retried in %v", wait)
				}
				if asked := min(o.RetryAfter, 24*time.Hour); wait < asked {
					t.Fatalf("retried in %v although asked to wait %v", wait, asked)
				}
				if o.RetryAfter <= 0 {
					if wait < floor || wait > 6*time.Hour {
						t.Fatalf("waited %v after %v", wait, floor)
					}
					floor = wait
				}
			default:
				t.Fatalf("unknown step %q", d.Step)
			}
			s, now = d.State, d.At
		}
	})
}
