package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

var claims = []promise{
	{"a new watch is due at once, with its key", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		due, _, err := h.ClaimDue(h.Context(), h.Clock(), time.Minute, 10, 10, nil)
		h.must(err)
		if len(due) != 1 || due[0].ID != w.ID || due[0].Key.Reveal() != h.Key("a").Reveal() || due[0].Subscriptions != 0 {
			h.Errorf("claimed %d watches", len(due))
		}
	}},
	{"a tenant with a thousand due watches does not hide another's one", func(h *Harness) {
		for i := range 1000 {
			h.Open("flood", "new-keyword", fmt.Sprint("topic ", i))
		}
		h.Pass(time.Minute)
		w := h.Open("quiet", "new-keyword", "espresso").Watch
		due, _, err := h.ClaimDue(h.Context(), h.Clock(), time.Minute, 8, 4, nil)
		h.must(err)
		of := map[string]int{}
		for _, c := range due {
			of[c.ConnectionID]++
		}
		if of[w.ConnectionID] != 1 || len(due) != 5 {
			h.Errorf("%d claims, %d of the quiet tenant", len(due), of[w.ConnectionID])
		}
	}},
	{"claims keep to the limit, to the number of a connection, and off those that are held", func(h *Harness) {
		held := ""
		for _, user := range []string{"a", "b", "c"} {
			for i := range 5 {
				held = h.Open(user, "new-keyword", fmt.Sprint("topic ", i)).Watch.ConnectionID
			}
			h.Pass(time.Second)
		}
		due, _, err := h.ClaimDue(h.Context(), h.Clock(), time.Minute, 3, 2, []string{held})
		h.must(err)
		h.expect("claims within the limit", len(due), 3)
		h.expect("claims of the longest waiting", due[0].ConnectionID == due[1].ConnectionID, true)
		more, _, err := h.ClaimDue(h.Context(), h.Clock(), time.Minute, 100, 2, []string{held})
		h.must(err)
		h.expect("claims of two connections", len(more), 4)
		for _, c := range append(due, more...) {
			if c.ConnectionID == held {
				h.Error("a connection that is held was claimed")
			}
		}
	}},
	{"when nothing is due, the next due time is told", func(h *Harness) {
		if _, next, err := h.ClaimDue(h.Context(), h.Clock(), time.Minute, 10, 10, nil); err != nil || !next.IsZero() {
			h.Errorf("an empty store: %s, %v", next, err)
		}
		w := h.Open("a", "new-keyword", "espresso").Watch
		h.must(h.Settle(h.Context(), h.rest(h.Claim(w.ID))))
		due, next, err := h.ClaimDue(h.Context(), h.Clock(), time.Minute, 10, 10, nil)
		h.must(err)
		if len(due) != 0 || !next.Equal(h.Clock().Add(time.Hour)) {
			h.Errorf("%d claims, next at %s", len(due), next)
		}
		if _, next, err = h.ClaimDue(h.Context(), h.Clock(), time.Minute, 10, 10, []string{w.ConnectionID}); err != nil || !next.IsZero() {
			h.Errorf("with the connection held: %s, %v", next, err)
		}
	}},
	{"many claimers never share a watch", func(h *Harness) {
		for i := range 60 {
			h.Open(fmt.Sprint("user_", i%6), "new-keyword", fmt.Sprint("topic ", i))
		}
		var mu sync.Mutex
		seen := map[string]int{}
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				for range 10 {
					due, _, err := h.ClaimDue(h.Context(), h.Clock(), time.Hour, 5, 3, nil)
					if err != nil {
						h.Error(err)
					}
					mu.Lock()
					for _, c := range due {
						seen[c.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		h.expect("watches claimed", len(seen), 60)
		for id, n := range seen {
			if n != 1 {
				h.Errorf("%s was claimed %d times", id, n)
			}
		}
	}},
	{"a claim ends with its lease, and what its holder brings then is refused", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso")
		lost := h.Claim(w.Watch.ID)
		if _, ok, taken, err := h.ClaimWatch(h.Context(), w.Watch.ID, h.Clock(), time.Minute); ok || !taken || err != nil {
			h.Errorf("a claimed watch: claimed %v, taken %v, %v", ok, taken, err)
		}
		settlement := h.Report(lost, Words("grinder")...)
		h.Pass(time.Minute)
		held := h.Claim(w.Watch.ID)
		h.expect("unsettled", line(lost.Unsettled, held.Unsettled), "false true")
		if err := h.Settle(h.Context(), settlement); !errors.Is(err, scheduler.ErrLost) {
			h.Errorf("the old claim settles with %v", err)
		}
		h.expect("events of the lost claim", h.newest(w.Feed.ID), "[]")
		h.must(h.Settle(h.Context(), h.Report(held, Words("kettle")...)))
		if err := h.Settle(h.Context(), h.rest(held)); !errors.Is(err, scheduler.ErrLost) {
			h.Errorf("a claim settles twice with %v", err)
		}
		h.expect("events", h.newest(w.Feed.ID), "[kettle]")
		h.Pass(time.Hour)
		h.expect("unsettled after a settlement", h.Claim(w.Watch.ID).Unsettled, false)
	}},
	{"claims that are released are due again as unsettled, and lost to their holders", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		lost := h.Claim(w.ID)
		h.must(h.ReleaseClaims(h.Context(), h.Clock()))
		if err := h.Settle(h.Context(), h.rest(lost)); !errors.Is(err, scheduler.ErrLost) {
			h.Errorf("a released claim settles with %v", err)
		}
		due, _, err := h.ClaimDue(h.Context(), h.Clock(), time.Minute, 10, 10, nil)
		h.must(err)
		if len(due) != 1 || !due[0].Unsettled {
			h.Errorf("claimed %+v", due)
		}
	}},
	{"a claim that is handed back leaves its watch due as it was", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		s := h.rest(h.Claim(w.ID))
		s.Failure, s.Attempts, s.DueAt, s.NextRunAt = &triggers.Failure{Code: "INTERNAL_ERROR"}, 2, w.DueAt, h.Clock()
		h.must(h.Settle(h.Context(), s))
		h.must(h.Settle(h.Context(), h.Claim(w.ID).HandBack(h.Clock())))
		got := h.Claim(w.ID)
		h.expect("claimed again", line(got.State, got.Failure.Code, got.Attempts, got.DueAt, got.Unsettled), line(triggers.Active, "INTERNAL_ERROR", 2, w.DueAt, false))
	}},
	{"a watch that is not due, or that there is not, is not claimed", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		h.must(h.Settle(h.Context(), h.rest(h.Claim(w.ID))))
		for _, id := range []string{w.ID, "wch_none"} {
			if _, ok, taken, err := h.ClaimWatch(h.Context(), id, h.Clock(), time.Minute); ok || taken || err != nil {
				h.Errorf("%s: claimed %v, taken %v, %v", id, ok, taken, err)
			}
		}
	}},
	{"a report that has missed a feed is refused whole, and kept when it has seen it", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso")
		c := h.Claim(w.Watch.ID)
		stale := h.Report(c, Words("grinder")...)
		late := h.Open("a", "research-completed", "espresso")
		if err := h.Settle(h.Context(), stale); !errors.Is(err, scheduler.ErrStale) {
			h.Fatalf("a stale report settles with %v", err)
		}
		h.expect("events of the stale report", h.newest(w.Feed.ID), "[]")
		h.expect("runs", h.watch(w.Watch.ID).Runs, 0)
		h.must(h.Settle(h.Context(), h.Report(c, Words("grinder")...)))
		h.expect("events", h.newest(w.Feed.ID), "[grinder]")
		h.expect("reports", len(h.newest(late.Feed.ID)), 1)
	}},
	{"watches that were dated in the future are found and given new due times", func(h *Harness) {
		ran := h.Open("a", "new-keyword", "ran").Watch.ID
		failed := h.Open("a", "new-keyword", "failed").Watch.ID
		asleep := h.Open("a", "new-keyword", "asleep").Watch.ID
		before := h.Open("a", "new-keyword", "before").Watch.ID
		h.Research(before, Words("grinder")...)
		h.Pass(1000 * time.Hour)
		made := h.Open("b", "new-keyword", "made").Watch.ID
		h.Research(ran, Words("grinder")...)
		h.must(h.Settle(h.Context(), h.rest(h.Claim(failed))))
		h.must(h.Settle(h.Context(), triggers.Settlement{Claim: h.Claim(asleep), State: triggers.Asleep, At: h.Clock()}))
		h.Pass(-1001 * time.Hour)
		all, err := h.Misdated(h.Context(), h.Clock(), 10)
		h.must(err)
		found := map[string]bool{}
		due := h.Clock().Add(30 * time.Minute)
		for _, w := range all {
			found[w.ID] = true
			h.must(h.Redate(h.Context(), w.ID, due, due.Add(-time.Minute), h.Clock()))
		}
		h.expect("found", line(len(found), found[made], found[ran], found[failed]), "3 true true true")
		for id := range found {
			h.expect("due and looked at", line(h.watch(id).DueAt, h.watch(id).NextRunAt), line(due, due.Add(-time.Minute)))
		}
		all, err = h.Misdated(h.Context(), h.Clock(), 10)
		h.must(err)
		h.expect("misdated afterwards", len(all), 0)
		h.Pass(time.Hour)
		h.Claim(made)
	}},
}

var runs = []promise{
	{"a run leaves the watch as its settlement says", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		c := h.Claim(w.ID)
		s := h.Report(c, Words("grinder")...)
		s.Attempts = 3
		s.DueAt, s.NextRunAt = h.Clock().Add(2*time.Hour), h.Clock().Add(time.Hour)
		h.must(h.Settle(h.Context(), s))
		got := h.watch(w.ID)
		if got.State != triggers.Active || got.Failure != nil || !got.DueAt.Equal(s.DueAt) || !got.NextRunAt.Equal(s.NextRunAt) ||
			got.Attempts != 3 || got.Runs != 1 || !got.LastRunAt.Equal(h.Clock()) {
			h.Errorf("the watch is %+v", got)
		}
	}},
	{"a failure leaves its reason and counts no run", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		s := h.rest(h.Claim(w.ID))
		s.State, s.Failure = triggers.Paused, &triggers.Failure{Code: "FORBIDDEN", Status: 403, Message: "no", Details: map[string]any{"a": "b"}, RequestID: "r", At: h.Clock()}
		h.must(h.Settle(h.Context(), s))
		got := h.watch(w.ID)
		if got.Runs != 0 || !got.LastRunAt.IsZero() || got.State != triggers.Paused || got.Failure.Encode() != s.Failure.Encode() {
			h.Errorf("the watch is %+v", got)
		}
	}},
	{"what a run learnt is known to the next, and nobody else's", func(h *Harness) {
		w := h.Open("a", "competition-drop", "espresso").Watch
		other := h.Open("b", "competition-drop", "espresso").Watch
		h.Research(w.ID, word("Grinder", 0.25, "rising"))
		known, err := h.Knowledge(h.Context(), w.ID, []string{"grinder", "kettle"})
		h.must(err)
		k := known.Known["grinder"]
		if len(known.Known) != 1 || k.Keyword != "Grinder" || *k.CompetitionScore != 0.25 || k.TrendDirection != "rising" {
			h.Errorf("known: %+v", known.Known)
		}
		if len(known.Feeds) != 1 || known.Feeds[0].Marks["grinder"] != 0.25 {
			h.Errorf("feeds: %+v", known.Feeds)
		}
		known, err = h.Knowledge(h.Context(), other.ID, []string{"grinder"})
		h.must(err)
		h.expect("what the other's watch knows", len(known.Known), 0)
		known, err = h.Knowledge(h.Context(), w.ID, nil)
		h.must(err)
		h.expect("what is known of no keyword", len(known.Known), 0)
	}},
	{"paused watches of a key are looked at when Soke has accepted it, and no others", func(h *Harness) {
		pause := func(user string, state triggers.State) triggers.Watch {
			w := h.Open(user, "new-keyword", "espresso").Watch
			s := h.rest(h.Claim(w.ID))
			s.State = state
			h.must(h.Settle(h.Context(), s))
			return w
		}
		mine, theirs, active := pause("a", triggers.Paused), pause("b", triggers.Paused), pause("c", triggers.Active)
		found, err := h.Recheck(h.Context(), h.Key("a"), h.Clock())
		h.must(err)
		h.expect("found", found, true)
		h.expect("looked at", h.watch(mine.ID).NextRunAt, h.Clock())
		for _, w := range []triggers.Watch{theirs, active} {
			h.expect("left alone", h.watch(w.ID).NextRunAt, h.Clock().Add(time.Hour))
		}
		found, err = h.Recheck(h.Context(), h.Key("c"), h.Clock())
		h.must(err)
		h.expect("found without a pause", found, false)
		if found, err = h.Recheck(h.Context(), h.Key("nobody"), h.Clock()); found || err != nil {
			h.Errorf("an unknown key: %v, %v", found, err)
		}
	}},
}
