package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/triggers"
)

// testing asks for a test subscription.
func (h *Harness) testing(user, topic, target string) triggers.Testing {
	h.Helper()
	return triggers.Testing{
		Subscribing: h.Subscribing(user, "new-keyword", topic, target), Until: h.Clock().Add(150 * time.Second),
		Sample: []json.RawMessage{json.RawMessage(`{"keyword":"sample one"}`), json.RawMessage(`{"keyword":"sample two"}`)},
	}
}

func (h *Harness) test(topic string) triggers.Subscribed {
	h.Helper()
	s, err := h.SubscribeTest(h.Context(), h.testing("a", topic, "https://example.com/1"))
	h.must(err)
	return s
}

var tests = []promise{
	{"a test shows the sample at once and makes no watch", func(h *Harness) {
		s := h.test("espresso")
		h.expect("new and undelivered", line(s.New, s.Undelivered, s.TestUntil), line(true, 1, h.Clock().Add(150*time.Second)))
		d := h.one()
		h.expect("delivery", line(d.Delivery.Kind, h.told(d.Delivery.Events)), "test [sample one sample two]")
		h.expect("watch and its feed", line(d.WatchID, d.FeedID), line(s.WatchID, s.FeedID))
		claims, _, err := h.ClaimDue(h.Context(), h.Clock(), time.Minute, 10, 10, nil)
		h.must(err)
		h.expect("watches that are due", len(claims), 0)
		real := h.subscribe("a", "new-keyword", "espresso", "https://example.com/2")
		h.expect("the watch of a real subscription", real.WatchID, s.WatchID)
	}},
	{"a test shows the newest events if there are any", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch.ID
		h.Research(w, Words("grinder")...)
		h.Research(w, Words("kettle", "cup")...)
		h.test("espresso")
		h.expect("delivery", h.told(h.one().Delivery.Events), "[kettle cup]")
	}},
	{"a test can be made again on the same target", func(h *Harness) {
		first := h.test("espresso")
		d := h.one()
		h.must(h.SettleAttempt(h.Context(), triggers.Attempt{Delivery: d, At: h.Clock(), Outcome: "200", Status: 200, Delivered: true, State: triggers.Ended, Attempts: 1}))
		h.Pass(time.Minute)
		again := h.test("espresso")
		h.expect("new, the same and undelivered", line(again.New, again.ID == first.ID, again.Undelivered), "true true 1")
		if next := h.one(); next.Delivery.ID == d.Delivery.ID {
			h.Error("the second test has the id of the first, which receivers drop")
		}
	}},
	{"a test that is asked for twice at once is delivered", func(h *Harness) {
		h.test("espresso")
		h.test("espresso")
		h.expect("due", len(h.due()), 1)
	}},
	{"a test that is asked for again shows what is newest, in place of what waits", func(h *Harness) {
		h.test("tea")
		w := h.Open("a", "new-keyword", "espresso").Watch.ID
		h.Research(w, Words("kettle")...)
		h.expect("undelivered", h.test("espresso").Undelivered, 1)
		h.expect("delivery", h.told(h.one().Delivery.Events), "[kettle]")
	}},
	{"a key has twenty tests at a time, each of which can be made again", func(h *Harness) {
		ask := func(user string, i int) error {
			_, err := h.SubscribeTest(h.Context(), h.testing(user, "espresso", fmt.Sprint("https://example.com/", i)))
			return err
		}
		for i := range 20 {
			h.must(ask("a", i))
		}
		if err := ask("a", 20); !errors.Is(err, triggers.ErrTooManyTests) {
			h.Errorf("one more: %v", err)
		}
		h.must(ask("a", 0))
		h.must(ask("b", 20))
		h.expect("due", len(h.due()), 21)
		h.Pass(151 * time.Second)
		h.must(ask("a", 20))
	}},
	{"a test gets no events of runs and hears of no pause", func(h *Harness) {
		w := h.Open("a", "new-keyword", "espresso").Watch.ID
		h.Research(w, Words("grinder")...)
		s := h.test("espresso")
		h.Research(w, Words("kettle")...)
		pause := h.rest(h.Claim(w))
		pause.State, pause.Failure = triggers.Paused, &triggers.Failure{Code: "FORBIDDEN"}
		h.must(h.Settle(h.Context(), pause))
		h.expect("undelivered", h.subscription("a", s.ID).Undelivered, 1)
	}},
	{"a real subscribe on the target of a test makes it real", func(h *Harness) {
		s := h.test("espresso")
		again := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.expect("the same, for good", line(again.ID == s.ID, again.TestUntil.IsZero()), "true true")
		h.Research(again.WatchID)
		h.Research(again.WatchID, Words("kettle")...)
		h.expect("undelivered", h.subscription("a", s.ID).Undelivered, 2)
	}},
	{"a test on the target of a real subscription takes nothing from it", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		h.test("tea")
		got := h.subscription("a", s.ID)
		h.expect("still real, of its watch, with both", line(got.TestUntil.IsZero(), got.WatchID == s.WatchID, got.Undelivered), "true true 2")
		h.delivered(h.one())
		h.delivered(h.one())
		h.Research(s.WatchID, Words("later")...)
		h.expect("later events", h.told(h.one().Delivery.Events), "[later]")
	}},
}
