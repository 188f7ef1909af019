package storetest

import (
	"errors"
	"sync"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

var subscriptions = []promise{
	{"the same key, platform and target is one subscription, its input replaced", func(h *Harness) {
		s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		if !s.New || !s.Watch.DueAt.Equal(h.Clock()) || s.Token == "" || s.State != triggers.Active || s.Watch.ID != s.WatchID {
			h.Errorf("subscribed %+v", s)
		}
		again := h.subscribe("a", "trend-change", "tea", "https://example.com/1")
		if again.New || again.ID != s.ID || again.Token != s.Token || again.Trigger != "trend-change" || again.WatchID == s.WatchID {
			h.Errorf("subscribed again %+v", again)
		}
		h.Research(s.WatchID, Words("grinder")...)
		h.Research(s.WatchID, Words("kettle")...)
		h.expect("deliveries of the old input", len(h.due()), 0)
		other := h.Subscribing("a", "new-keyword", "espresso", "https://example.com/1")
		other.Platform = "make"
		made, err := h.Subscribe(h.Context(), other)
		h.must(err)
		if !made.New || made.ID == s.ID || made.Token == s.Token {
			h.Errorf("another platform's subscription is %+v", made)
		}
		if elsewhere := h.subscribe("a", "new-keyword", "espresso", "https://example.com/2"); !elsewhere.New || elsewhere.ID == s.ID {
			h.Errorf("another target's subscription is %+v", elsewhere)
		}
	}},
	{"a target that many subscribe at once has one subscription", func(h *Harness) {
		ids := make([]string, 10)
		var wait sync.WaitGroup
		for i := range ids {
			s := h.Subscribing("a", "new-keyword", "espresso", "https://example.com/1")
			wait.Go(func() {
				made, err := h.Subscribe(h.Context(), s)
				if err != nil {
					h.Error(err)
				}
				ids[i] = made.ID
			})
		}
		wait.Wait()
		for _, id := range ids {
			h.expect("subscription", id, ids[0])
		}
	}},
	{"claims count the subscriptions that have not ended", func(h *Harness) {
		s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.subscribe("a", "new-keyword", "espresso", "https://example.com/2")
		h.must(h.EndSubscription(h.Context(), h.Key("a"), "", "zapier", s.ID, h.Clock()))
		h.expect("subscriptions", h.Claim(s.WatchID).Subscriptions, 1)
	}},
	{"a subscription ends by its key or its token, and by nobody else's", func(h *Harness) {
		for _, c := range []struct {
			what, user, token string
			refused           bool
		}{
			{"its key", "a", "", false},
			{"its token without a key", "", "own", false},
			{"another key", "b", "", true},
			{"a key that nobody has used", "nobody", "", true},
			{"a wrong token", "", "unsub_wrong", true},
			{"another subscription's token", "", "other", true},
			{"neither", "", "", true},
		} {
			s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/"+c.what)
			h.Research(s.WatchID)
			h.Research(s.WatchID, Words(c.what)...)
			other := h.subscribe("b", "new-keyword", "espresso", "https://example.com/other")
			token := map[string]string{"own": s.Token, "other": other.Token}[c.token]
			if token == "" {
				token = c.token
			}
			var key soke.Key
			if c.user != "" {
				key = h.Key(c.user)
			}
			err := h.EndSubscription(h.Context(), key, token, "zapier", s.ID, h.Clock())
			got := h.subscription("a", s.ID)
			if c.refused && (!errors.Is(err, triggers.ErrNoSubscription) || got.State != triggers.Active || got.Undelivered != 1) {
				h.Errorf("%s: %v, %s", c.what, err, got.State)
			}
			if !c.refused && (err != nil || got.State != triggers.Ended || got.Undelivered != 0) {
				h.Errorf("%s: %v, %s", c.what, err, got.State)
			}
			h.must(h.EndSubscription(h.Context(), h.Key("a"), "", "zapier", s.ID, h.Clock()))
		}
	}},
	{"ending what has ended, or was never there, is no failure", func(h *Harness) {
		s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		for _, id := range []string{s.ID, s.ID, "sub_none"} {
			h.must(h.EndSubscription(h.Context(), h.Key("a"), "", "zapier", id, h.Clock()))
		}
	}},
	{"another platform does not end a subscription", func(h *Harness) {
		s := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		if err := h.EndSubscription(h.Context(), h.Key("a"), s.Token, "make", s.ID, h.Clock()); !errors.Is(err, triggers.ErrNoSubscription) {
			h.Errorf("another platform's end: %v", err)
		}
		h.expect("state", h.subscription("a", s.ID).State, triggers.Active)
	}},
	{"a target that has ended is not found, and subscribing it is new", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 2)
		found, w, err := h.FindTarget(h.Context(), h.Key("a"), "zapier", "https://example.com/1")
		h.must(err)
		h.expect("found", line(found.ID, w.ID), line(s.ID, s.WatchID))
		h.must(h.EndSubscription(h.Context(), h.Key("a"), "", "zapier", s.ID, h.Clock()))
		if _, _, err := h.FindTarget(h.Context(), h.Key("a"), "zapier", "https://example.com/1"); !errors.Is(err, triggers.ErrNoSubscription) {
			h.Errorf("an ended target: %v", err)
		}
		h.Pass(time.Minute)
		again := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.expect("new, without what was dropped", line(again.New, again.State, again.Undelivered), "true active 0")
		h.expect("due", len(h.due()), 0)
	}},
}
