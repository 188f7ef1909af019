package scheduler_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/usesoke/soke-connector/triggers"
)

// subscribeIn subscribes in a time zone. Whoever subscribes keeps a watch awake for ever.
func (h *harness) subscribeIn(zone, schedule string) triggers.Watch {
	h.t.Helper()
	o := h.opening("time", "new-keyword", "home espresso", "@daily")
	var err error
	if o.Schedule, err = triggers.ParseSchedule(schedule, zone); err != nil {
		h.t.Fatal(err)
	}
	o.Polled = false
	s, err := h.db.Subscribe(context.Background(), triggers.Subscribing{Opening: o, Platform: "make", Target: "https://hook.example/1", Host: "hook.example"})
	if err != nil {
		h.t.Fatal(err)
	}
	h.round() // the first run
	return s.Watch
}

// reach lets the clock go to an instant and runs what is due then.
func (h *harness) reach(at time.Time) {
	h.t.Helper()
	h.pass(at.Sub(h.clock()))
	h.round()
}

func TestAWeekOfDowntimeWithEveryMinuteDueIsOneCallAndAddsUpToTheCron(t *testing.T) {
	h := build(t)
	h.pass(123 * time.Millisecond)
	w := h.subscribeIn("UTC", "* * * * *")
	began, calls := h.clock(), h.calls()
	h.reach(began.Add(7 * 24 * time.Hour))
	if ran := h.calls() - calls; ran != 1 {
		t.Errorf("%d calls were made for what was missed", ran)
	}
	oracle, err := cron.ParseStandard("* * * * *")
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for at := oracle.Next(began); !at.After(h.clock()); at = oracle.Next(at) {
		want++
	}
	scheduled, _ := ledger(t, h, w)
	if len(scheduled) != want || want != 7*24*60 {
		t.Errorf("%d due times are recorded, the cron has %d\n%s", len(scheduled), want, h.records(w.ID))
	}
}

func TestALeapDayIsKeptForAsLongAsItTakes(t *testing.T) {
	h := build(t)
	h.pass(time.Date(2027, 1, 5, 0, 0, 0, 0, time.UTC).Sub(h.clock()))
	w := h.subscribeIn("Europe/Berlin", "0 9 29 2 *")
	for h.clock().Year() < 2033 {
		h.reach(h.clock().Add(20 * 24 * time.Hour))
	}
	scheduled, _ := ledger(t, h, w)
	want := []time.Time{time.Date(2028, 2, 29, 8, 0, 0, 0, time.UTC), time.Date(2032, 2, 29, 8, 0, 0, 0, time.UTC)}
	if !slices.EqualFunc(scheduled, want, time.Time.Equal) || h.watch(w.ID).Runs != 3 {
		t.Errorf("%v are recorded and %d ran", scheduled, h.watch(w.ID).Runs)
	}
}

// onTheWall returns the runs of a year as a person finds them who looks at the zone's clock once a
// minute: a time runs when the clock first shows it, or has skipped it, and an instant runs once.
func onTheWall(zone *time.Location, from, to time.Time, matches func(wall time.Time) bool) (runs []time.Time) {
	minute := func(at time.Time) int64 {
		_, offset := at.In(zone).Zone()
		return (at.Unix() + int64(offset)) / 60
	}
	start := from.Truncate(time.Minute).Add(-24 * time.Hour)
	base := start.Unix()/60 - 48*60
	shown := make([]bool, to.Sub(start)/time.Minute+96*60)
	for before, at := minute(start)-1, start; !at.After(to); at = at.Add(time.Minute) {
		now, due := minute(at), false
		for wall := min(before+1, now); wall <= now; wall++ {
			due = due || !shown[wall-base] && matches(time.Unix(wall*60, 0).UTC())
			shown[wall-base] = true
		}
		before = now
		if due && at.After(from) {
			runs = append(runs, at)
		}
	}
	return runs
}

func TestThroughAYearOfEveryHardZoneTheLedgerIsTheClockOnTheWall(t *testing.T) {
	schedules := map[string]func(time.Time) bool{
		"*/15 * * * *": func(wall time.Time) bool { return wall.Minute()%15 == 0 },
		"30 2 * * *":   func(wall time.Time) bool { return wall.Hour() == 2 && wall.Minute() == 30 },
		"0 0 * * *":    func(wall time.Time) bool { return wall.Hour() == 0 && wall.Minute() == 0 },
	}
	for _, name := range []string{
		"Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Antarctica/Troll", "Africa/Casablanca", "Asia/Tehran",
		"Pacific/Apia", "America/Sao_Paulo", "Europe/Dublin", "America/St_Johns", "Asia/Gaza", "America/New_York",
	} {
		for schedule, matches := range schedules {
			t.Run(name+" "+schedule, func(t *testing.T) {
				zone, err := time.LoadLocation(name)
				if err != nil {
					t.Fatal(err)
				}
				h := build(t)
				from := time.Date(2027, 1, 3, 0, 0, 0, 123e6, time.UTC)
				h.pass(from.Sub(h.clock()))
				w := h.subscribeIn(name, schedule)
				for _, at := range returns(zone, from) {
					h.reach(at)
				}
				end := h.watch(w.ID).DueAt.Add(-time.Second)
				scheduled, _ := ledger(t, h, w)
				if want := onTheWall(zone, from, end, matches); !slices.EqualFunc(scheduled, want, time.Time.Equal) {
					t.Errorf("%d due times are recorded, the wall has %d; the first that differ: %s", len(scheduled), len(want), differ(scheduled, want))
				}
			})
		}
	}
}

// returns are the instants of a year at which the connector is there: each week, and before, within
// and after each hour that the zone skips or doubles.
func returns(zone *time.Location, from time.Time) (all []time.Time) {
	_, before := from.In(zone).Zone()
	for at := from; at.Before(from.AddDate(1, 0, 0)); at = at.Add(30 * time.Minute) {
		_, offset := at.In(zone).Zone()
		if offset != before {
			for _, d := range []time.Duration{-50 * time.Minute, -10 * time.Minute, 10 * time.Minute, 40 * time.Minute, 100 * time.Minute} {
				all = append(all, at.Add(d))
			}
		} else if at.Sub(from)%(7*24*time.Hour) == 0 {
			all = append(all, at)
		}
		before = offset
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

func differ(a, b []time.Time) string {
	for i := range min(len(a), len(b)) {
		if !a[i].Equal(b[i]) {
			return fmt.Sprint(a[i], " and ", b[i])
		}
	}
	return "none, one is longer"
}

func TestAClockThatJumpsUnderARunCostsNoCallAndLosesNoDueTime(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour, year, -year} {
		t.Run(jump.String(), func(t *testing.T) {
			h := build(t)
			h.pass(123 * time.Millisecond)
			w := h.subscribeIn("UTC", "0 * * * *")
			h.pass(time.Hour)
			g := h.holdResearch()
			calls := h.calls()
			over := make(chan error, 1)
			go func() {
				_, err := h.scheduler.Round(context.Background())
				over <- err
			}()
			<-g.arrived
			h.pass(jump)
			close(g.open)
			h.gate.Store(nil)
			if err := <-over; err != nil {
				t.Fatal(err)
			}
			h.settle()
			h.round()
			if ran := h.calls() - calls; ran > 2 {
				t.Errorf("%d calls were made", ran)
			}
			// From here on the clock is right, and so is the watch.
			began := h.clock()
			for range 5 {
				h.pass(time.Hour)
				h.round()
			}
			seen := map[time.Time]int{}
			for _, o := range h.occurrences(w.ID) {
				seen[o.Due]++
			}
			for at := w.Schedule.Next(began, w.ID); !at.After(h.clock()); at = w.Schedule.Next(at, w.ID) {
				if seen[at] != 1 {
					t.Errorf("%s is recorded %d times\n%s", at, seen[at], h.records(w.ID))
				}
			}
		})
	}
}
