package delivery_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

// The policies are like those that the platforms declare.
var (
	zapier = delivery.Policy{Ends: []int{410}}
	n8n    = delivery.Policy{Pauses: []int{404, 410}}
	makeUp = delivery.Policy{Pauses: []int{410}, QueueFull: "Queue is full"}
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func steady() float64 { return 0 }

func TestAnswersMeanWhatThePlatformSays(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	for _, row := range []struct {
		name   string
		policy delivery.Policy
		out    delivery.Outcome
		step   delivery.Step
		wait   time.Duration // 0: no time is set
	}{
		{"zapier 200", zapier, delivery.Outcome{Status: 200}, delivery.Delivered, 0},
		{"make 202", makeUp, delivery.Outcome{Status: 202}, delivery.Delivered, 0},
		{"n8n 204", n8n, delivery.Outcome{Status: 204}, delivery.Delivered, 0},
		{"a 299 whose body broke", n8n, delivery.Outcome{Status: 299, Failure: delivery.Timeout}, delivery.Delivered, 0},
		{"zapier 410", zapier, delivery.Outcome{Status: 410}, delivery.End, 0},
		{"zapier 404", zapier, delivery.Outcome{Status: 404}, delivery.Retry, 5 * time.Second},
		{"n8n 404", n8n, delivery.Outcome{Status: 404}, delivery.Pause, hour},
		{"n8n 410", n8n, delivery.Outcome{Status: 410}, delivery.Pause, hour},
		{"n8n 410 that asks for more", n8n, delivery.Outcome{Status: 410, RetryAfter: 2 * hour}, delivery.Pause, 2 * hour},
		{"make 410", makeUp, delivery.Outcome{Status: 410}, delivery.Pause, hour},
		{"make 404", makeUp, delivery.Outcome{Status: 404}, delivery.Retry, 5 * time.Second},
		{"make with a full queue", makeUp, delivery.Outcome{Status: 400, QueueFull: true}, delivery.Retry, 5 * time.Second},
		{"a full queue before the lists", delivery.Policy{Ends: []int{400}}, delivery.Outcome{Status: 400, QueueFull: true}, delivery.Retry, 5 * time.Second},
		{"a redirect", zapier, delivery.Outcome{Status: 302}, delivery.Retry, 5 * time.Second},
		{"an early hint alone", zapier, delivery.Outcome{Status: 103}, delivery.Retry, 5 * time.Second},
		{"a 300", zapier, delivery.Outcome{Status: 300}, delivery.Retry, 5 * time.Second},
		{"a 500", n8n, delivery.Outcome{Status: 500}, delivery.Retry, 5 * time.Second},
		{"a 429 with a wait", zapier, delivery.Outcome{Status: 429, RetryAfter: 90 * time.Second}, delivery.Retry, 90 * time.Second},
		{"a wait shorter than ours", zapier, delivery.Outcome{Status: 503, RetryAfter: time.Second}, delivery.Retry, 5 * time.Second},
		{"a wait in the past", zapier, delivery.Outcome{Status: 503, RetryAfter: -hour}, delivery.Retry, 5 * time.Second},
		{"a wait without end", zapier, delivery.Outcome{Status: 503, RetryAfter: 90 * day}, delivery.Retry, day},
		{"a time-out", n8n, delivery.Outcome{Failure: delivery.Timeout}, delivery.Retry, 5 * time.Second},
		{"a guard that refused", n8n, delivery.Outcome{Failure: delivery.TargetRefused}, delivery.Retry, 5 * time.Second},
		{"nothing at all", delivery.Policy{}, delivery.Outcome{}, delivery.Retry, 5 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := delivery.Next(row.policy, delivery.State{}, row.out, start, steady)
			var at time.Time
			if row.wait != 0 {
				at = start.Add(row.wait)
			}
			if got.Step != row.step || !got.At.Equal(at) {
				t.Errorf("got %s at %v, want %s at %v", got.Step, got.At, row.step, at)
			}
			if (got.Reason == delivery.TargetFailing) != (row.step == delivery.Pause) {
				t.Errorf("got reason %q on %s", got.Reason, got.Step)
			}
		})
	}
}

func TestATargetThatOnlyFailsIsRetriedOverThreeDaysAndThenPaused(t *testing.T) {
	want := []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 3 * time.Hour, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour,
		6 * time.Hour, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour,
	}
	var waits []time.Duration
	var s delivery.State
	now := start
	for {
		d := delivery.Next(n8n, s, delivery.Outcome{Failure: delivery.NoConnection}, now, steady)
		if d.Step == delivery.Pause {
			if !d.At.IsZero() || d.Reason != "TARGET_FAILING" {
				t.Errorf("paused with %q, next at %v; want TARGET_FAILING and no next try", d.Reason, d.At)
			}
			if d.State != (delivery.State{Attempts: len(want) + 1}) {
				t.Errorf("a re-subscribe would resume with %+v, want only the attempts kept", d.State)
			}
			break
		}
		waits = append(waits, d.At.Sub(now))
		s, now = d.State, d.At
	}
	if !slices.Equal(waits, want) {
		t.Errorf("waited %v, want %v", waits, want)
	}
	if total := now.Sub(start); total < 72*time.Hour || total > 78*time.Hour {
		t.Errorf("gave up after %v, want three days and at most one step", total)
	}
}

func TestJitterLengthensAWaitByAtMostAFifthAndNeverBeyondSixHours(t *testing.T) {
	for _, row := range []struct {
		failures int
		jitter   float64
		want     time.Duration
	}{
		{0, 0, 5 * time.Second}, {0, 0.5, 5500 * time.Millisecond}, {0, 1, 6 * time.Second},
		{2, 0.5, 132 * time.Second}, {6, 1, 216 * time.Minute}, {7, 1, 6 * time.Hour}, {99, 0.3, 6 * time.Hour},
		{0, -7, 5 * time.Second}, {0, 1e300, 6 * time.Second}, {-4, 0, 5 * time.Second},
	} {
		s := delivery.State{Failures: row.failures, FailingSince: start}
		d := delivery.Next(zapier, s, delivery.Outcome{Status: 500}, start, func() float64 { return row.jitter })
		if got := d.At.Sub(start); got != row.want {
			t.Errorf("after %d failures with jitter %v: got %v, want %v", row.failures, row.jitter, got, row.want)
		}
	}
}

func TestATargetThatIsOffIsProbedHourlyAndStartsAfreshWhenItFails(t *testing.T) {
	s, now := delivery.State{Failures: 6, FailingSince: start}, start.Add(71*time.Hour)
	for range 24 * 10 {
		d := delivery.Next(n8n, s, delivery.Outcome{Status: 404}, now, steady)
		if d.Step != delivery.Pause || d.At.Sub(now) != time.Hour {
			t.Fatalf("got %s in %v, want a pause of an hour", d.Step, d.At.Sub(now))
		}
		s, now = d.State, d.At
	}
	if d := delivery.Next(n8n, s, delivery.Outcome{Status: 502}, now, steady); d.Step != delivery.Retry || d.At.Sub(now) != 5*time.Second {
		t.Errorf("a failure after the pause: got %s in %v, want a retry in 5s", d.Step, d.At.Sub(now))
	}
}

func TestAClockSetBackNeitherDelaysNorHurriesARetry(t *testing.T) {
	s := delivery.State{Attempts: 1, Failures: 1, FailingSince: start}
	past := start.Add(-48 * time.Hour)
	d := delivery.Next(zapier, s, delivery.Outcome{Status: 500}, past, steady)
	if d.At.Sub(past) != 30*time.Second || !d.State.FailingSince.Equal(past) {
		t.Errorf("got a retry in %v, failing since %v; want 30s, since the time now", d.At.Sub(past), d.State.FailingSince)
	}
}

func TestAnswersAreReadByThePlatformsWords(t *testing.T) {
	header := http.Header{"Retry-After": {"7"}}
	full := makeUp.Answered(400, header, []byte("queue is FULL."), start)
	if want := (delivery.Outcome{Status: 400, QueueFull: true, RetryAfter: 7 * time.Second}); full != want {
		t.Errorf("got %+v, want %+v", full, want)
	}
	for name, o := range map[string]delivery.Outcome{
		"another body":     makeUp.Answered(400, nil, []byte("Bad request"), start),
		"another status":   makeUp.Answered(500, nil, []byte("Queue is full"), start),
		"another platform": n8n.Answered(400, nil, []byte("Queue is full"), start),
	} {
		if o.QueueFull {
			t.Errorf("%s was taken for a full queue", name)
		}
	}
}

func TestOutcomesPrintWithoutTheTarget(t *testing.T) {
	for want, o := range map[string]delivery.Outcome{
		"204":            {Status: 204},
		"400 queue full": {Status: 400, QueueFull: true},
		"timeout":        delivery.Unanswered(&url.Error{Op: "Post", URL: "https://x.example/secret", Err: context.DeadlineExceeded}),
		"target-refused": delivery.Unanswered(&url.Error{Op: "Post", URL: "https://x.example/secret", Err: &delivery.TargetError{}}),
		"no-connection":  delivery.Unanswered(errors.New("https://x.example/secret")),
	} {
		if got := o.String(); got != want || strings.Contains(got, "secret") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
