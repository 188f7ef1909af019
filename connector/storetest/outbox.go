package storetest

import (
	"fmt"
	"time"

	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// Queue makes a subscription with so many deliveries that wait, "1" being the oldest.
func (h *Harness) Queue(user, target string, deliveries int) triggers.Subscribed {
	h.Helper()
	s := h.subscribe(user, "new-keyword", "espresso", target)
	h.Research(s.WatchID)
	for i := range deliveries {
		h.Research(s.WatchID, Words(fmt.Sprint(i+1))...)
	}
	return s
}

var outbox = []promise{
	{"deliveries of a subscription come one by one, in the order of their runs", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 3)
		seen := map[string]bool{}
		for i := range 3 {
			h.expect("undelivered", h.subscription("a", s.ID).Undelivered, 3-i)
			d := h.one()
			h.expect("delivery", h.told(d.Delivery.Events), fmt.Sprintf("[%d]", i+1))
			h.expect("the same again until it is settled", h.one().Delivery.ID, d.Delivery.ID)
			seen[d.Delivery.ID] = true
			h.delivered(d)
		}
		h.expect("ids", len(seen), 3)
		h.expect("due afterwards", len(h.due()), 0)
	}},
	{"a retry holds back what is behind it, until its time", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		d := h.one()
		h.failed(d, triggers.Active, h.Clock().Add(2*time.Hour))
		h.Research(s.WatchID, Words("behind")...)
		h.expect("due before the time", len(h.due()), 0)
		_, next, err := h.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 10, Each: 10})
		h.must(err)
		h.expect("next", next, h.Clock().Add(time.Hour))
		h.Pass(time.Hour)
		again := h.one()
		h.expect("delivery", again.Delivery.ID, d.Delivery.ID)
		h.expect("events", h.told(again.Delivery.Events), "[1]")
		h.expect("attempts and failures", line(again.Delivery.Attempts, again.Delivery.Failures), "1 1")
		h.expect("failing since", again.Delivery.FailingSince.IsZero(), false)
		h.delivered(again)
		h.expect("behind it", h.told(h.one().Delivery.Events), "[behind]")
	}},
	{"due deliveries keep to the limit and off what is busy or held, the longest waiting first", func(h *Harness) {
		first := h.Queue("a", "https://one.example/1", 1)
		h.Queue("b", "https://two.example/2", 1)
		third := h.Queue("c", "https://three.example/3", 1)
		due, _, err := h.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 2, Each: 2})
		h.must(err)
		h.expect("within the limit, the first", line(len(due), due[0].ID), line(2, first.ID))
		due, _, err = h.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 10, Each: 10, Busy: []string{first.ID}, Hosts: []string{"two.example"}})
		h.must(err)
		h.expect("neither busy nor held", line(len(due), due[0].ID), line(1, third.ID))
	}},
	{"a host may be held for one connection alone", func(h *Harness) {
		s := h.Queue("a", "https://one.example/1", 1)
		other := h.Queue("b", "https://one.example/2", 1)
		room := delivery.Room{Limit: 10, Each: 10, Pairs: []delivery.Pair{{Connection: s.ConnectionID, Host: "one.example"}, {Connection: other.ConnectionID, Host: "two.example"}}}
		due, _, err := h.DueDeliveries(h.Context(), h.Clock(), room)
		h.must(err)
		h.expect("the other one's", line(len(due), due[0].ID), line(1, other.ID))
	}},
	{"connections take turns: the queue of one does not hide another's delivery", func(h *Harness) {
		for i := range 5 {
			h.subscribe("a", "new-keyword", "espresso", fmt.Sprint("https://one.example/", i))
		}
		h.Queue("a", "https://one.example/5", 1)
		victim := h.Queue("b", "https://two.example/1", 1)
		due, _, err := h.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 4, Each: 3})
		h.must(err)
		h.expect("due of one connection and the other", line(len(due), due[3].ID), line(4, victim.ID))
		full := delivery.Room{Limit: 4, Each: 3, Connections: []string{due[0].ConnectionID}}
		due, next, err := h.DueDeliveries(h.Context(), h.Clock(), full)
		h.must(err)
		h.expect("beside a connection that has its share", line(len(due), due[0].ID, next.IsZero()), line(1, victim.ID, true))
		// What has waited longest comes first, also behind something that is busy.
		due, _, err = h.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 1, Each: 1, Busy: []string{victim.ID}})
		h.must(err)
		h.expect("one place", line(len(due), due[0].ID != victim.ID), line(1, true))
	}},
	{"what became of the latest attempt is told", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		if got := h.subscription("a", s.ID); got.Last != nil {
			h.Errorf("before any attempt: %+v", got.Last)
		}
		h.failed(h.one(), triggers.Active, h.Clock())
		last := h.subscription("a", s.ID).Last
		h.expect("after a failure", line(last.At, last.Status, last.Attempts), line(h.Clock(), 500, 1))
		h.delivered(h.one())
		last = h.subscription("a", s.ID).Last
		h.expect("after a success", line(last.At, last.Status, last.Attempts), line(h.Clock(), 200, 2))
	}},
	{"a paused subscription keeps what comes, and a new subscribe delivers it at once", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		h.failed(h.one(), triggers.Paused, time.Time{})
		h.Research(s.WatchID, Words("meanwhile")...)
		h.Pass(1000 * time.Hour)
		h.expect("due", len(h.due()), 0)
		got := h.subscription("a", s.ID)
		h.expect("the subscription", line(got.State, got.Reason, got.Undelivered), "paused TARGET_FAILING 2")
		again := h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.expect("subscribed again", line(again.ID, again.New, again.State, again.Reason), line(s.ID, false, triggers.Active, ""))
		d := h.one()
		h.expect("the oldest", h.told(d.Delivery.Events), "[1]")
		h.expect("its failures", line(d.Delivery.Failures, d.Delivery.FailingSince.IsZero()), "0 true")
		h.delivered(d)
		h.expect("the next", h.told(h.one().Delivery.Events), "[meanwhile]")
	}},
	{"a paused subscription that is tried again goes on when it is answered", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 2)
		h.failed(h.one(), triggers.Paused, h.Clock().Add(time.Hour))
		h.Pass(time.Hour)
		h.delivered(h.one())
		got := h.subscription("a", s.ID)
		h.expect("the subscription", line(got.State, got.Reason, got.Undelivered), "active  1")
		h.expect("the next", h.told(h.one().Delivery.Events), "[2]")
	}},
	{"a subscription that ends by its answer drops what waits and gets no more", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 2)
		h.failed(h.one(), triggers.Ended, time.Time{})
		h.Research(s.WatchID, Words("later")...)
		h.expect("due", len(h.due()), 0)
		got := h.subscription("a", s.ID)
		h.expect("the subscription", line(got.State, got.Undelivered), "ended 0")
	}},
	{"an attempt that is settled after the end of its subscription changes nothing", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 2)
		d := h.one()
		h.must(h.EndSubscription(h.Context(), h.Key("a"), "", "zapier", s.ID, h.Clock()))
		h.failed(d, triggers.Paused, h.Clock().Add(time.Hour))
		h.delivered(d)
		h.Pass(2 * time.Hour)
		h.expect("due", len(h.due()), 0)
		h.expect("state", h.subscription("a", s.ID).State, triggers.Ended)
	}},
	{"an attempt that began before a new subscribe does not pause what that resumed", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 2)
		h.failed(h.one(), triggers.Active, h.Clock())
		d := h.one()
		h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.failed(d, triggers.Paused, time.Time{})
		got := h.subscription("a", s.ID)
		h.expect("the subscription", line(got.State, got.Reason, got.Undelivered), "active  2")
		again := h.one()
		h.expect("the delivery's attempts and failures", line(again.Delivery.ID == d.Delivery.ID, again.Delivery.Attempts, again.Delivery.Failures, again.Delivery.FailingSince.IsZero()), "true 2 0 true")
		h.failed(again, triggers.Paused, time.Time{})
		h.expect("an attempt of its own", h.subscription("a", s.ID).State, triggers.Paused)
	}},
	{"an attempt that began before a new subscribe is not made again if it delivered", func(h *Harness) {
		h.Queue("a", "https://example.com/1", 2)
		d := h.one()
		h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.delivered(d)
		h.expect("the next", h.told(h.one().Delivery.Events), "[2]")
	}},
	{"an attempt that began before an end and a new subscribe does not end that", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		d := h.one()
		h.must(h.EndSubscription(h.Context(), h.Key("a"), "", "zapier", s.ID, h.Clock()))
		h.subscribe("a", "new-keyword", "espresso", "https://example.com/1")
		h.Research(s.WatchID, Words("fresh")...)
		h.failed(d, triggers.Ended, time.Time{})
		got := h.subscription("a", s.ID)
		h.expect("the subscription", line(got.State, got.Undelivered), "active 1")
		h.expect("the fresh one", h.told(h.one().Delivery.Events), "[fresh]")
	}},
	{"an attempt that a clock a year ahead has put off is due when the clock is right again", func(h *Harness) {
		h.Queue("a", "https://example.com/1", 1)
		h.Pass(8760 * time.Hour)
		h.failed(h.one(), triggers.Active, h.Clock().Add(time.Hour))
		h.Pass(-8760 * time.Hour)
		h.one()
	}},
	{"a retry that a clock some hours ahead has put off is due when the clock is right again", func(h *Harness) {
		h.Queue("a", "https://example.com/1", 1)
		h.Pass(20 * time.Hour)
		h.failed(h.one(), triggers.Active, h.Clock().Add(5*time.Second))
		h.Pass(-20 * time.Hour)
		h.one()
	}},
	{"a clock that steps back by a second shortens no wait", func(h *Harness) {
		h.Queue("a", "https://example.com/1", 1)
		h.failed(h.one(), triggers.Active, h.Clock().Add(time.Hour))
		h.Pass(-time.Second)
		h.expect("due", len(h.due()), 0)
	}},
	{"an attempt that began before a run leaves the run's delivery due", func(h *Harness) {
		s := h.Queue("a", "https://example.com/1", 1)
		d := h.one()
		h.Research(s.WatchID, Words("behind")...)
		h.delivered(d)
		h.expect("behind it", h.told(h.one().Delivery.Events), "[behind]")
	}},
}
