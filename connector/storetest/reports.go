package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

var reports = []promise{
	{"the baseline is stored and never pushed", func(h *Harness) {
		s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.Research(s.WatchID, Words("grinder")...)
		h.expect("events", h.newest(s.FeedID), "[grinder]")
		h.expect("deliveries", len(h.due()), 0)
		h.Research(s.WatchID, Words("grinder", "kettle")...)
		d := h.one()
		h.expect("delivered", h.told(d.Delivery.Events), "[kettle]")
	}},
	{"the baseline of a feed that is opened late is never pushed", func(h *Harness) {
		w := h.Open("a", "research-completed", "espresso").Watch.ID
		h.Research(w, Words("grinder")...)
		s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.expect("events", h.newest(s.FeedID), "[grinder]")
		h.expect("deliveries", len(h.due()), 0)
	}},
	{"a run makes one delivery for each subscription of a feed that has news", func(h *Harness) {
		one := h.subscribe("a", "new-keyword", "espresso", "https://one.example/1")
		two := h.subscribe("a", "new-keyword", "espresso", "https://two.example/2")
		trend := h.subscribe("a", "trend-change", "espresso", "https://three.example/3")
		h.subscribe("b", "new-keyword", "espresso", "https://four.example/4")
		h.Research(one.WatchID, Words("grinder")...)
		h.Research(one.WatchID, Words("grinder", "kettle", "cup")...)
		due := h.due()
		h.expect("deliveries", len(due), 2)
		got := map[string]triggers.DueDelivery{}
		for _, d := range due {
			got[d.ID] = d
			h.expect("events", h.told(d.Delivery.Events), "[kettle cup]")
			h.expect("kind", d.Delivery.Kind, triggers.DeliverEvents)
			h.expect("key", d.Key.Reveal(), h.Key("a").Reveal())
			h.expect("watch", d.Delivery.WatchID, one.WatchID)
		}
		h.expect("target of one", got[one.ID].Target, "https://one.example/1")
		h.expect("target of two", got[two.ID].Target, "https://two.example/2")
		if got[one.ID].Delivery.ID == got[two.ID].Delivery.ID {
			h.Error("two deliveries share an id")
		}
		h.expect("undelivered of another feed", h.subscription("a", trend.ID).Undelivered, 0)
	}},
	{"a report that comes twice is refused, and so is another one with its run's id", func(h *Harness) {
		s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.Research(s.WatchID, Words("grinder")...)
		c := h.Claim(s.WatchID)
		report := h.Report(c, Words("kettle")...)
		report.DueAt, report.NextRunAt = c.DueAt, h.Clock() // as if the run had to be made again
		h.must(h.Settle(h.Context(), report))
		if err := h.Settle(h.Context(), report); !errors.Is(err, scheduler.ErrLost) {
			h.Errorf("the same report is settled with %v", err)
		}
		other := h.Report(h.Claim(s.WatchID), Words("cup")...)
		if err := h.Settle(h.Context(), other); !errors.Is(err, scheduler.ErrRunTaken) {
			h.Errorf("another report of the same run is settled with %v", err)
		}
		h.expect("events", h.newest(s.FeedID), "[kettle grinder]")
		h.expect("undelivered", h.subscription("a", s.ID).Undelivered, 1)
		later := c
		later.Lease, later.DueAt = other.Claim.Lease, c.DueAt.Add(time.Millisecond)
		h.must(h.Settle(h.Context(), h.Report(later, Words("cup")...)))
		h.expect("events", h.newest(s.FeedID), "[cup kettle grinder]")
		h.expect("undelivered", h.subscription("a", s.ID).Undelivered, 2)
	}},
	{"places rise, and queries find what is behind them or since a time", func(h *Harness) {
		o := h.Open("a", "new-keyword", "espresso")
		var at []time.Time
		for i := range 5 {
			at = append(at, h.Clock())
			h.Research(o.Watch.ID, Words(fmt.Sprint("first ", i), fmt.Sprint("second ", i))...)
		}
		ask := func(q triggers.EventQuery) ([]triggers.StoredEvent, bool) {
			h.Helper()
			q.FeedID = o.Feed.ID
			events, more, err := h.Events(h.Context(), q)
			h.must(err)
			return events, more
		}
		all, more := ask(triggers.EventQuery{Limit: 10})
		h.expect("events and whether there are more", line(len(all), more), "10 false")
		for i := range all[1:] {
			if all[i].Place <= all[i+1].Place {
				h.Errorf("places %d and then %d, newest first", all[i].Place, all[i+1].Place)
			}
		}
		newest, more := ask(triggers.EventQuery{Limit: 3})
		h.expect("the newest and whether there are more", line(len(newest), more, newest[0].Place == all[0].Place), "3 true true")
		place := all[7].Place
		behind, more := ask(triggers.EventQuery{Limit: 4, After: &place})
		h.expect("behind a place", line(len(behind), more, behind[0].Place == all[6].Place, behind[3].Place == all[3].Place), "4 true true true")
		last := all[0].Place
		if behind, more = ask(triggers.EventQuery{Limit: 4, After: &last}); len(behind) != 0 || more {
			h.Errorf("behind the last place: %d, %v", len(behind), more)
		}
		since, more := ask(triggers.EventQuery{Limit: 100, Since: at[3]})
		h.expect("since a run, inclusive", line(len(since), more, since[0].Place == all[3].Place), "4 false true")
		since, _ = ask(triggers.EventQuery{Limit: 100, Since: at[3].Add(time.Millisecond)})
		h.expect("since just after it", len(since), 2)
		none, more, err := h.Events(h.Context(), triggers.EventQuery{FeedID: "fee_none", Limit: 5})
		h.must(err)
		h.expect("of no feed", line(len(none), more), "0 false")
	}},
	{"a pause is told once through every subscription of the watch that has not ended", func(h *Harness) {
		kept := h.subscribe("a", "new-keyword", "espresso", "https://one.example/1")
		h.subscribe("a", "trend-change", "espresso", "https://two.example/2")
		gone := h.subscribe("a", "trend-change", "espresso", "https://three.example/3")
		h.must(h.EndSubscription(h.Context(), h.Key("a"), "", "zapier", gone.ID, h.Clock()))
		h.subscribe("a", "new-keyword", "another", "https://four.example/4")
		s := h.rest(h.Claim(kept.WatchID))
		s.State = triggers.Paused
		s.Failure = &triggers.Failure{Code: "INSUFFICIENT_CREDITS", Status: 402, At: h.Clock()}
		h.must(h.Settle(h.Context(), s))
		due := h.due()
		h.expect("deliveries", len(due), 2)
		for _, d := range due {
			if d.Delivery.Kind != triggers.DeliverPaused || d.Delivery.Failure == nil || d.Delivery.Failure.Code != "INSUFFICIENT_CREDITS" || len(d.Delivery.Events) != 0 {
				h.Errorf("told %+v", d.Delivery)
			}
			h.delivered(d)
		}
		h.expect("deliveries afterwards", len(h.due()), 0)
		h.Pass(time.Hour)
		again := h.rest(h.Claim(kept.WatchID))
		again.State, again.Failure = triggers.Paused, s.Failure
		h.must(h.Settle(h.Context(), again))
		h.expect("deliveries of the next probe", len(h.due()), 0)
		h.Pass(time.Hour)
		h.Research(kept.WatchID)
		s.Claim, s.At = h.Claim(kept.WatchID), h.Clock()
		h.must(h.Settle(h.Context(), s))
		h.expect("deliveries of the next pause", len(h.due()), 2)
	}},
	{"who subscribes to a paused watch is told of the pause, and everybody of another reason, once", func(h *Harness) {
		first := h.subscribe("a", "new-keyword", "espresso", "https://one.example/1")
		h.pause(first.WatchID, "INSUFFICIENT_CREDITS")
		h.delivered(h.one())
		second := h.subscribe("a", "new-keyword", "espresso", "https://two.example/2")
		h.pause(first.WatchID, "INSUFFICIENT_CREDITS")
		d := h.one()
		h.expect("told", line(d.ID, d.Delivery.Failure.Code), line(second.ID, "INSUFFICIENT_CREDITS"))
		h.delivered(d)
		ids := map[string]bool{}
		for _, code := range []soke.Code{"UNAUTHORIZED", "INSUFFICIENT_CREDITS"} {
			h.pause(first.WatchID, code)
			h.pause(first.WatchID, code)
			due := h.due()
			h.expect("told of another reason", len(due), 2)
			for _, d := range due {
				h.expect("the reason", d.Delivery.Failure.Code, code)
				ids[d.Delivery.ID] = true
				h.delivered(d)
			}
			h.expect("told once", len(h.due()), 0)
		}
		h.expect("ids", len(ids), 4)
	}},
	{"a subscription that moves to a paused watch, or comes back to it, is told", func(h *Harness) {
		s := h.subscribe("a", "new-keyword", "espresso", "https://one.example/1")
		h.pause(s.WatchID, "FORBIDDEN")
		h.delivered(h.one())
		h.subscribe("a", "new-keyword", "espresso", "https://one.example/1")
		h.pause(s.WatchID, "FORBIDDEN")
		h.expect("told of the same again", len(h.due()), 0)
		moved := h.subscribe("a", "new-keyword", "tea", "https://one.example/1")
		h.pause(moved.WatchID, "FORBIDDEN")
		h.expect("told of another watch", h.one().Delivery.WatchID, moved.WatchID)
		h.delivered(h.one())
		h.must(h.EndSubscription(h.Context(), h.Key("a"), "", "zapier", s.ID, h.Clock()))
		h.subscribe("a", "new-keyword", "tea", "https://one.example/1")
		h.pause(moved.WatchID, "FORBIDDEN")
		h.expect("told when it is back", h.one().Delivery.Failure.Code, "FORBIDDEN")
	}},
	{"a pause that is over is not told any more", func(h *Harness) {
		s := h.Queue("a", "https://one.example/1", 1)
		other := h.subscribe("a", "new-keyword", "tea", "https://two.example/2")
		h.pause(s.WatchID, "UNAUTHORIZED")
		h.pause(other.WatchID, "UNAUTHORIZED")
		h.Research(s.WatchID, Words("2")...)
		h.expect("undelivered", line(h.subscription("a", s.ID).Undelivered, h.subscription("a", other.ID).Undelivered), "2 1")
		for _, want := range []string{"[1]", "[2]"} {
			for _, d := range h.due() {
				if d.ID == s.ID {
					h.expect("delivered", line(d.Delivery.Kind, h.told(d.Delivery.Events)), "events "+want)
					h.delivered(d)
				}
			}
		}
		h.pause(s.WatchID, "UNAUTHORIZED")
		h.expect("told of the next pause", h.subscription("a", s.ID).Undelivered, 1)
	}},
	{"a refusal of a key that was rotated meanwhile neither pauses the watch nor is told", func(h *Harness) {
		s := h.subscribe("a", "new-keyword", "espresso", "https://one.example/1")
		c := h.Claim(s.WatchID)
		h.rotate("a", "b", 1)
		refused := h.rest(c)
		refused.State, refused.Failure = triggers.Paused, &triggers.Failure{Code: "UNAUTHORIZED", At: h.Clock()}
		refused.Occurred = []triggers.Occurrence{{Due: c.DueAt, Outcome: triggers.Failed, Reason: "UNAUTHORIZED", Count: 1, At: h.Clock()}}
		h.must(h.Settle(h.Context(), refused))
		h.expect("told", len(h.due()), 0)
		w := h.watch(s.WatchID)
		h.expect("the watch", line(w.State, w.Failure == nil, w.DueAt, w.NextRunAt), line(triggers.Active, true, c.DueAt, h.Clock()))
		h.pause(s.WatchID, "UNAUTHORIZED")
		h.expect("told of the new key", h.one().Delivery.Failure.Code, "UNAUTHORIZED")
	}},
}
