package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

func (h *Harness) rotate(from, to string, want int) {
	h.Helper()
	n, err := h.Rotate(h.Context(), h.Key(from), h.Key(to), h.Clock())
	h.must(err)
	h.expect("watches moved", n, want)
}

var rotations = []promise{
	{"a rotation moves watches, subscriptions and what was seen to the new key", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		h.rotate("a", "b", 1)
		o := h.Open("b", "new-keyword", "espresso")
		h.expect("the feed", line(o.Feed.ID, o.Due), line(s.FeedID, false))
		h.expect("the subscription", h.subscription("b", s.ID).State, triggers.Active)
		if _, _, err := h.FindSubscription(h.Context(), h.Key("a"), "zapier", s.ID); !errors.Is(err, triggers.ErrNoSubscription) {
			h.Errorf("the old key finds the subscription: %v", err)
		}
		d := h.one()
		h.expect("keys of the delivery", line(d.Key.Reveal(), d.PreviousKey.Reveal()), line(h.Key("b").Reveal(), h.Key("a").Reveal()))
		h.expect("key of the claim", h.Claim(s.WatchID).Key.Reveal(), h.Key("b").Reveal())
		h.Pass(24 * time.Hour)
		h.expect("previous key after a day", h.one().PreviousKey.IsZero(), true)
	}},
	{"a rotation of a key that nobody knows is refused", func(h *Harness) {
		if _, err := h.Rotate(h.Context(), h.Key("a"), h.Key("b"), h.Clock()); !errors.Is(err, triggers.ErrNoConnection) {
			h.Errorf("it returned %v", err)
		}
	}},
	{"a rotation onto the same key changes nothing", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		h.rotate("a", "a", 1)
		d := h.one()
		h.expect("the delivery", line(d.ID, d.PreviousKey.IsZero()), line(s.ID, true))
	}},
	{"a rotation there and back, and there again, loses nothing", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		h.rotate("a", "b", 1)
		h.rotate("b", "a", 1)
		h.expect("the feed", h.Open("a", "new-keyword", "espresso").Feed.ID, s.FeedID)
		h.rotate("a", "b", 1)
		h.expect("the feed", h.Open("b", "new-keyword", "espresso").Feed.ID, s.FeedID)
		h.Open("a", "new-keyword", "espresso") // the old key is used again: a connection of its own
		h.rotate("b", "a", 1)
		h.expect("the feed", h.Open("a", "new-keyword", "espresso").Feed.ID, s.FeedID)
		h.expect("what waits", h.told(h.one().Delivery.Events), "[1]")
	}},
	{"a rotation onto a key with watches of its own keeps both keys' watches", func(h *Harness) {
		mine := h.Queue("a", "https://example.com/1", 1)
		other := h.subscribe("b", "new-keyword", "tea", "https://example.com/2")
		h.rotate("a", "b", 1)
		for _, s := range []triggers.Subscribed{mine, other} {
			h.expect("the subscription", h.subscription("b", s.ID).WatchID, s.WatchID)
			h.expect("the watch's key", h.Claim(s.WatchID).Key.Reveal(), h.Key("b").Reveal())
		}
		if h.watch(mine.WatchID).ConnectionID != h.watch(other.WatchID).ConnectionID {
			h.Error("the watches have two connections")
		}
	}},
	{"a rotation onto a key that watches the same delivers what both had, and repeats nothing", func(h *Harness) {
		mine := h.Queue("a", "https://example.com/1", 1)
		theirs := h.Queue("b", "https://example.com/2", 2)
		late := h.subscribe("b", "research-completed", "espresso", "https://example.com/3")
		h.rotate("a", "b", 1)
		h.Pass(time.Minute)
		waiting := map[string][]string{}
		for len(h.due()) > 0 {
			for _, d := range h.due() {
				waiting[d.ID] = append(waiting[d.ID], h.told(d.Delivery.Events)...)
				h.delivered(d)
			}
		}
		h.expect("delivered", line(waiting[mine.ID], waiting[theirs.ID]), "[1] [1 2]")
		h.Research(mine.WatchID, Words("1", "2", "3")...)
		got := map[string][]string{}
		for _, d := range h.due() {
			got[d.ID] = h.told(d.Delivery.Events)
		}
		h.expect("news of the next run", line(got[mine.ID], got[theirs.ID], len(got[late.ID])), "[3] [3] 1")
		for _, s := range []triggers.Subscribed{mine, theirs, late} {
			h.expect("the watch", h.subscription("b", s.ID).WatchID, mine.WatchID)
		}
		h.expect("feeds", h.watch(mine.WatchID).Feeds, 2)
	}},
	{"a rotation onto a key with the same target keeps one subscription and what waits in both", func(h *Harness) {
		mine := h.Queue("a", "https://example.com/1", 1)
		h.Queue("b", "https://example.com/1", 2)
		h.rotate("a", "b", 1)
		var all []string
		for len(h.due()) > 0 {
			d := h.one()
			h.expect("subscription", d.ID, mine.ID)
			all = append(all, h.told(d.Delivery.Events)...)
			h.delivered(d)
		}
		h.expect("delivered", all, "[1 1 2]")
	}},
	{"a watch that slept wakes when a rotation brings it the subscriptions of another", func(h *Harness) {
		slept := h.Open("a", "new-keyword", "espresso").Watch
		h.Research(slept.ID)
		h.must(h.Settle(h.Context(), triggers.Settlement{Claim: h.Claim(slept.ID), State: triggers.Asleep, At: h.Clock()}))
		s := h.Queue("b", "https://example.com/1", 0)
		h.rotate("a", "b", 1)
		h.Pass(time.Hour)
		h.expect("the watch", h.subscription("b", s.ID).WatchID, slept.ID)
		h.Claim(slept.ID)
	}},
	{"a watch that never ran goes on as the twin of it that has", func(h *Harness) {
		h.Research(h.Open("a", "new-keyword", "coffee").Watch.ID)
		w := h.Open("a", "new-keyword", "espresso").Watch
		h.must(h.Settle(h.Context(), h.rest(h.Claim(w.ID))))
		s := h.Queue("b", "https://example.com/1", 1)
		h.delivered(h.one())
		h.rotate("a", "b", 2)
		h.expect("the watch", h.Open("b", "new-keyword", "espresso").Watch.ID, s.WatchID)
		h.Research(s.WatchID, Words("1", "2")...)
		d := h.one()
		h.expect("news", line(d.ID == s.ID, h.told(d.Delivery.Events)), "true [2]")
	}},
	{"a key that is used and rotated once more after its rotation costs no history", func(h *Harness) {
		for _, runs := range []int{0, 1} { // what the straggler with the old key had time for
			from, to := fmt.Sprint("from_", runs), fmt.Sprint("to_", runs)
			s := h.Queue(from, "https://example.com/"+from, 2)
			h.rotate(from, to, 1)
			before := h.newest(s.FeedID)
			late := h.Open(from, "new-keyword", "espresso")
			for range runs {
				h.Research(late.Watch.ID, Words("1", "late")...)
			}
			other := h.Open(from, "new-keyword", "tea")
			h.rotate(from, to, 2)
			after := h.Open(to, "new-keyword", "espresso")
			h.expect("the feed and its watch", line(after.Feed.ID, after.Watch.ID), line(s.FeedID, s.WatchID))
			h.expect("its events", h.newest(s.FeedID), before)
			h.expect("its connection", line(after.Watch.ConnectionID, h.watch(other.Watch.ID).ConnectionID), line(s.Watch.ConnectionID, s.Watch.ConnectionID))
			d := h.one()
			h.expect("what waits", line(d.ID, d.PreviousKey.Reveal()), line(s.ID, h.Key(from).Reveal()))
			h.delivered(d)
			h.delivered(h.one())
		}
	}},
	{"the scores that either of two twins compares with go on", func(h *Harness) {
		kept := h.Open("a", "competition-drop", "espresso")
		h.Research(kept.Watch.ID, word("kettle", 0.5, "stable"))
		other := h.Open("b", "competition-drop", "espresso")
		h.Research(other.Watch.ID, word("kettle", 0.9, "stable"), word("grinder", 0.5, "stable"))
		h.Research(other.Watch.ID, word("grinder", 0.45, "stable"))
		h.rotate("a", "b", 1)
		h.Research(kept.Watch.ID, word("kettle", 0.45, "stable"), word("grinder", 0.39, "stable"))
		h.expect("events", h.newest(kept.Feed.ID), "[grinder]")
	}},
	{"a pause of the old key that has not been told is not told after its rotation, and one of the new key is", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		h.pause(s.WatchID, "UNAUTHORIZED")
		h.rotate("a", "b", 1)
		h.expect("what waits", h.told(h.one().Delivery.Events), "[1]")
		h.delivered(h.one())
		h.expect("told", len(h.due()), 0)
		h.pause(s.WatchID, "UNAUTHORIZED")
		d := h.one()
		h.expect("told of the new key", d.Delivery.Failure.Code, "UNAUTHORIZED")
	}},
	{"who comes from a watch that was paused hears nothing of it at one that is not", func(h *Harness) {
		kept := h.Queue("a", "https://example.com/1", 0)
		s := h.Queue("b", "https://example.com/2", 0)
		h.pause(s.WatchID, "FORBIDDEN")
		h.rotate("a", "b", 1)
		h.expect("told", len(h.due()), 0)
		h.pause(kept.WatchID, "FORBIDDEN")
		h.expect("told of the next pause", len(h.due()), 2)
	}},
	{"of a subscription that has ended and one that lives, a rotation keeps the one that lives", func(h *Harness) {
		for _, ended := range []string{"a", "b"} {
			target := "https://example.com/" + ended
			of := map[string]triggers.Subscribed{}
			for _, user := range []string{"a", "b"} {
				of[user] = h.subscribe(user, "new-keyword", "espresso", target)
			}
			h.must(h.EndSubscription(h.Context(), h.Key(ended), "", "zapier", of[ended].ID, h.Clock()))
		}
		h.rotate("a", "b", 1)
		for _, ended := range []string{"a", "b"} {
			s, _, err := h.FindTarget(h.Context(), h.Key("b"), "zapier", "https://example.com/"+ended)
			h.must(err)
			h.expect("state", s.State, triggers.Active)
		}
	}},
	{"a key whose connection was made part of another begins anew when it returns", func(h *Harness) {
		h.Open("a", "new-keyword", "coffee")
		theirs := h.Open("b", "new-keyword", "espresso").Watch
		h.Research(theirs.ID, Words("grinder")...)
		h.rotate("a", "b", 1)
		h.rotate("b", "a", 2)
		_, err := h.SubscribeTest(h.Context(), h.testing("b", "espresso", "https://example.com/1"))
		h.must(err)
		h.expect("what a test shows", h.told(h.one().Delivery.Events), "[sample one sample two]")
		want, err := h.ConnectionID(h.Context(), h.Key("b"))
		h.must(err)
		back := h.Open("b", "new-keyword", "espresso")
		h.expect("its connection", back.Watch.ConnectionID, want)
		h.expect("new and due", line(back.Watch.ID != theirs.ID, back.Due), "true true")
	}},
	{"a rotation makes paused watches due now", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch
		s := h.rest(h.Claim(w.ID))
		s.State, s.Failure = triggers.Paused, &triggers.Failure{Code: "UNAUTHORIZED"}
		h.must(h.Settle(h.Context(), s))
		h.rotate("a", "b", 1)
		h.expect("state of the claim", h.Claim(w.ID).State, triggers.Paused)
	}},
}

var tenants = []promise{
	{"tenants do not see one another", func(h *Harness) {
		mine, theirs := h.Queue("a", "https://example.com/1", 1), h.Queue("b", "https://example.com/1", 2)
		if mine.WatchID == theirs.WatchID || mine.FeedID == theirs.FeedID || mine.ID == theirs.ID {
			h.Errorf("tenants share %+v and %+v", mine, theirs)
		}
		if _, _, err := h.FindSubscription(h.Context(), h.Key("b"), "zapier", mine.ID); !errors.Is(err, triggers.ErrNoSubscription) {
			h.Errorf("another key finds a subscription: %v", err)
		}
		if _, _, err := h.FindSubscription(h.Context(), h.Key("a"), "make", mine.ID); !errors.Is(err, triggers.ErrNoSubscription) {
			h.Errorf("another platform finds a subscription: %v", err)
		}
		if _, _, err := h.FindSubscription(h.Context(), h.Key("nobody"), "zapier", mine.ID); !errors.Is(err, triggers.ErrNoSubscription) {
			h.Errorf("an unknown key finds a subscription: %v", err)
		}
		for _, k := range []string{"b", "nobody"} {
			if s, _, err := h.FindTarget(h.Context(), h.Key(k), "zapier", "https://example.com/1"); err == nil && s.ID == mine.ID {
				h.Errorf("%s finds another's target", k)
			}
		}
		h.expect("own events", h.newest(mine.FeedID), "[1]")
		h.expect("the other's events", h.newest(theirs.FeedID), "[2 1]")
		for _, d := range h.due() {
			user := map[string]string{mine.ID: "a", theirs.ID: "b"}[d.ID]
			h.expect("the key of a delivery", d.Key.Reveal(), h.Key(user).Reveal())
		}
	}},
}
