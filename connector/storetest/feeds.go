package storetest

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

var feeds = []promise{
	{"a feed that many open at once is one feed of one watch, due once", func(h *Harness) {
		const askers = 20
		opened := make([]triggers.Opened, askers)
		var wait sync.WaitGroup
		for i := range opened {
			o := h.Opening("a", "new-keyword", "espresso")
			wait.Go(func() {
				var err error
				if opened[i], err = h.OpenFeed(h.Context(), o); err != nil {
					h.Error(err)
				}
			})
		}
		wait.Wait()
		due := 0
		for _, o := range opened {
			if o.Feed.ID != opened[0].Feed.ID || o.Watch.ID != opened[0].Watch.ID {
				h.Errorf("feed %s of watch %s, want %s of %s", o.Feed.ID, o.Watch.ID, opened[0].Feed.ID, opened[0].Watch.ID)
			}
			if o.Due {
				due++
			}
		}
		h.expect("askers who are told that it is due", due, 1)
		h.expect("feeds", h.watch(opened[0].Watch.ID).Feeds, 1)
	}},
	{"all triggers on one research share its watch", func(h *Harness) {
		ids := map[string]bool{}
		watch := h.Open("a", "new-keyword", "espresso").Watch.ID
		for _, t := range triggers.All() {
			o := h.Open("a", t.Key, "espresso")
			h.expect(t.Key+"'s watch", o.Watch.ID, watch)
			ids[o.Feed.ID] = true
		}
		other := h.Opening("a", "competition-drop", "espresso")
		other.Parameters = json.RawMessage(`{"threshold":0.2}`)
		o, err := h.OpenFeed(h.Context(), other)
		h.must(err)
		h.expect("the watch of other parameters", o.Watch.ID, watch)
		ids[o.Feed.ID] = true
		h.expect("feeds", len(ids), 5)
		h.expect("feeds counted", h.watch(watch).Feeds, 5)
	}},
	{"another account, research, schedule, zone or key is another watch", func(h *Harness) {
		ids := map[string]bool{}
		for _, change := range []func(*triggers.Opening){
			func(*triggers.Opening) {},
			func(o *triggers.Opening) { o.AccountID = "acc_main" },
			func(o *triggers.Opening) { o.Research = json.RawMessage(`{"topic":"tea","region":"US"}`) },
			func(o *triggers.Opening) { o.Schedule, _ = triggers.ParseSchedule("@daily", "UTC") },
			func(o *triggers.Opening) { o.Schedule, _ = triggers.ParseSchedule("0 * * * *", "Europe/Berlin") },
			func(o *triggers.Opening) { o.Key = h.Key("b") },
		} {
			o := h.Opening("a", "new-keyword", "espresso")
			change(&o)
			opened, err := h.OpenFeed(h.Context(), o)
			h.must(err)
			ids[opened.Watch.ID] = true
		}
		h.expect("watches", len(ids), 6)
	}},
	{"a connection's id is known before the connection is", func(h *Harness) {
		want, err := h.ConnectionID(h.Context(), h.Key("a"))
		h.must(err)
		h.expect("the connection", h.Open("a", "new-keyword", "espresso").Watch.ConnectionID, want)
		got, err := h.ConnectionID(h.Context(), h.Key("a"))
		h.must(err)
		h.expect("the connection afterwards", got, want)
	}},
	{"a feed that is opened late begins with the latest result as its baseline", func(h *Harness) {
		w := h.Open("a", "research-completed", "espresso").Watch.ID
		h.Research(w, Words("gone", "kept")...)
		h.Research(w, Words("kept", "later")...)
		o := h.Open("a", "new-keyword", "espresso")
		h.expect("events", h.newest(o.Feed.ID), "[later kept]")
		h.Open("a", "new-keyword", "espresso")
		h.expect("events after a second opening", h.newest(o.Feed.ID), "[later kept]")
		h.Research(w, Words("kept", "gone", "new")...)
		h.expect("events of the next run", h.newest(o.Feed.ID), "[new later kept]")
	}},
	{"a late feed compares scores with the latest result", func(h *Harness) {
		w := h.Open("a", "research-completed", "espresso").Watch.ID
		h.Research(w, word("grinder", 0.5, "stable"))
		f := h.Open("a", "competition-drop", "espresso").Feed.ID
		h.Research(w, word("grinder", 0.45, "stable"))
		h.expect("events of a small drop", h.newest(f), "[]")
		h.Research(w, word("grinder", 0.4, "stable"))
		h.expect("events of both drops together", h.newest(f), "[grinder]")
	}},
	{"a poll is noted within minutes", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		h.Pass(time.Hour)
		h.Open("a", "new-keyword", "espresso")
		h.expect("polled at", h.watch(w.ID).PolledAt, h.Clock())
	}},
	{"a watch that sleeps is not due until somebody asks", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		h.must(h.Settle(h.Context(), triggers.Settlement{Claim: h.Claim(w.ID), State: triggers.Asleep, At: h.Clock()}))
		h.Pass(1000 * time.Hour)
		due, next, err := h.ClaimDue(h.Context(), h.Clock(), time.Minute, 10, 10, nil)
		h.must(err)
		if len(due) > 0 || !next.IsZero() {
			h.Errorf("%d claims, next at %s", len(due), next)
		}
		o := h.Open("a", "new-keyword", "espresso")
		if !o.Due || o.Watch.State != triggers.Active || !o.Watch.DueAt.Equal(h.Clock()) {
			h.Errorf("woken as %+v", o)
		}
		h.Claim(w.ID)
	}},
	{"a watch that was paused when it fell asleep wakes paused", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		failure := &triggers.Failure{Code: "UNAUTHORIZED", At: h.Clock()}
		h.must(h.Settle(h.Context(), triggers.Settlement{Claim: h.Claim(w.ID), State: triggers.Asleep, Failure: failure, At: h.Clock()}))
		o := h.Open("a", "new-keyword", "espresso")
		h.expect("state", o.Watch.State, triggers.Paused)
		h.expect("reason", o.Watch.Failure.Code, "UNAUTHORIZED")
	}},
	{"only a watch that never succeeded is tried again on demand", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		h.must(h.Settle(h.Context(), h.rest(h.Claim(w.ID))))
		h.must(h.TryAgain(h.Context(), w.ID, h.Clock()))
		h.must(h.Settle(h.Context(), h.Report(h.Claim(w.ID), Words("a")...)))
		h.must(h.TryAgain(h.Context(), w.ID, h.Clock()))
		if _, ok, _, err := h.ClaimWatch(h.Context(), w.ID, h.Clock(), time.Minute); ok || err != nil {
			h.Errorf("a watch that has succeeded was made due: %v", err)
		}
	}},
	{"uses of a watch are counted without those that have ended", func(h *Harness) {
		count := func(want int) {
			h.Helper()
			n, err := h.Uses(h.Context(), h.Key("a"), h.Opening("a", "new-keyword", "espresso"))
			h.must(err)
			h.expect("uses", n, want)
		}
		count(0)
		h.Open("a", "new-keyword", "espresso")
		count(1)
		s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		count(1)
		h.subscribe("a", "trend-change", "espresso", "https://example.com/2")
		count(2)
		h.must(h.EndSubscription(h.Context(), h.Key("a"), "", "zapier", s.ID, h.Clock()))
		count(2)
		n, err := h.Uses(h.Context(), h.Key("b"), h.Opening("b", "new-keyword", "espresso"))
		h.must(err)
		h.expect("another tenant's uses", n, 0)
	}},
}
