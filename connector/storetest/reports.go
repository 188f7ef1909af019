package storetest

import (
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/triggers"
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
	{"a report that comes twice makes no event and no delivery twice", func(h *Harness) {
		s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.Research(s.WatchID, Words("grinder")...)
		c := h.Claim(s.WatchID)
		report := h.Report(c, Words("kettle")...)
		report.DueAt, report.NextRunAt = c.DueAt, h.Clock() // as if the run had to be made again
		h.must(h.Settle(h.Context(), report))
		report.Claim = h.Claim(s.WatchID)
		h.must(h.Settle(h.Context(), report))
		h.expect("events", h.newest(s.FeedID), "[kettle grinder]")
		h.expect("undelivered", h.subscription("a", s.ID).Undelivered, 1)
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
		s.State, s.TellPaused = triggers.Paused, true
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
		s.Claim = h.Claim(kept.WatchID)
		h.must(h.Settle(h.Context(), s))
		h.expect("deliveries of the next pause", len(h.due()), 2)
	}},
}
