package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usesoke/soke-connector/connector/storetest"
	"github.com/usesoke/soke-connector/triggers"
)

// invariants are queries that find what must not be.
var invariants = map[string]string{
	"a connection whose next due time is not its watches' earliest": `SELECT id FROM connections c WHERE next_due_at IS NOT
		(SELECT min(next_run_at) FROM watches WHERE connection_id = c.id)`,
	"a watch that is enabled and has no time at which it is looked at": `SELECT id FROM watches WHERE state != 'asleep' AND next_run_at IS NULL`,
	"a watch that miscounts its feeds":                                 `SELECT id FROM watches w WHERE feeds != (SELECT count(*) FROM feeds WHERE watch_id = w.id)`,
	"an active subscription with deliveries that nobody will try": `SELECT id FROM subscriptions s WHERE state = 'active' AND next_attempt_at IS NULL
		AND EXISTS (SELECT 1 FROM deliveries WHERE subscription_id = s.id AND state = 'pending')`,
	"an ended subscription with deliveries that wait": `SELECT subscription_id FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id
		WHERE d.state = 'pending' AND s.state = 'ended'`,
	"a live subscription without its watch or feed": `SELECT id FROM subscriptions s WHERE state != 'ended' AND test_until IS NULL
		AND NOT EXISTS (SELECT 1 FROM feeds f JOIN watches w ON w.id = f.watch_id WHERE f.id = s.feed_id AND w.id = s.watch_id AND w.connection_id = s.connection_id)`,
	"a watch with live subscriptions that sleeps": `SELECT w.id FROM watches w JOIN subscriptions s ON s.watch_id = w.id
		WHERE w.state = 'asleep' AND s.state != 'ended' AND s.test_until IS NULL`,
}

// street is a model of the outbox: users, what they subscribe to and what waits for them.
type street struct {
	*rapid.T
	house *storetest.House
	db    *DB
	homes map[string]*home // by user
	words int
	said  map[string]time.Time // when each word was found
}

// home is a connection.
type home struct {
	watches map[string]string // by topic
	ran     map[string]bool
	asleep  map[string]bool
	subs    []*sub
}

type sub struct {
	id, target, topic string
	state             triggers.State
	waiting           []string // oldest first, each with the number of its word in front
}

func (h *home) at(target string) *sub {
	for _, s := range h.subs {
		if s.target == target && s.state != triggers.Ended {
			return s
		}
	}
	return nil
}

func (s *street) user() string { return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(s.T, "user") }
func (s *street) topic() string {
	return rapid.SampledFrom([]string{"tea", "coffee"}).Draw(s.T, "topic")
}

// anyone draws a user who has a home.
func (s *street) anyone() (string, *home) {
	var users []string
	for user := range s.homes {
		users = append(users, user)
	}
	if len(users) == 0 {
		s.Skip("nobody is there")
	}
	slices.Sort(users)
	user := rapid.SampledFrom(users).Draw(s.T, "who")
	return user, s.homes[user]
}

func (s *street) must(err error) {
	if err != nil {
		s.Fatal(err)
	}
}

func (s *street) subscribe(*rapid.T) {
	user, topic := s.user(), s.topic()
	target := fmt.Sprint("https://one.example/", rapid.IntRange(1, 3).Draw(s.T, "target"))
	made, err := s.db.Subscribe(context.Background(), s.house.Subscribing(user, "new-keyword", topic, target))
	s.must(err)
	h := s.homes[user]
	if h == nil {
		h = &home{watches: map[string]string{}, ran: map[string]bool{}, asleep: map[string]bool{}}
		s.homes[user] = h
	}
	h.watches[topic] = made.WatchID
	delete(h.asleep, topic)
	at := h.at(target)
	if (at == nil) != made.New {
		s.Fatalf("the subscription of %s is new: %v", target, made.New)
	}
	if at == nil {
		at = &sub{target: target}
		h.subs = append(h.subs, at)
	}
	at.id, at.topic, at.state = made.ID, topic, triggers.Active
}

func (s *street) end(*rapid.T) {
	user, h := s.anyone()
	if len(h.subs) == 0 {
		s.Skip()
	}
	at := rapid.SampledFrom(h.subs).Draw(s.T, "subscription")
	s.must(s.db.EndSubscription(context.Background(), s.house.Key(user), "", "zapier", at.id, s.house.Clock()))
	if live := h.at(at.target); live != nil && live.id == at.id {
		live.state, live.waiting = triggers.Ended, nil
	}
}

func (s *street) run(*rapid.T) {
	_, h := s.anyone()
	topic := s.topic()
	if h.watches[topic] == "" || h.asleep[topic] {
		s.Skip()
	}
	s.house.Pass(time.Hour)
	s.words++
	text := fmt.Sprintf("%04d", s.words)
	s.said[text] = s.house.Clock()
	s.must(s.db.Settle(context.Background(), s.house.Report(s.house.Claim(h.watches[topic]), storetest.Words(text)...)))
	if h.ran[topic] {
		for _, at := range h.subs {
			if at.topic == topic && at.state != triggers.Ended {
				at.waiting = append(at.waiting, text)
			}
		}
	}
	h.ran[topic] = true
}

// try makes one attempt on everything that is due, each in its turn.
func (s *street) try(*rapid.T) {
	all, _, err := s.db.DueDeliveries(context.Background(), s.house.Clock(), 100, nil, nil)
	s.must(err)
	var tried []string
	for range all {
		due, _, err := s.db.DueDeliveries(context.Background(), s.house.Clock(), 1, tried, nil)
		s.must(err)
		if len(due) != 1 {
			s.Fatalf("after %d of %d that are due nobody has a turn", len(tried), len(all))
		}
		d := due[0]
		tried = append(tried, d.ID)
		at := s.find(d.ID)
		if at == nil || len(at.waiting) == 0 || at.waiting[0] != said(s, d) {
			s.Fatalf("%s is due on %+v", said(s, d), at)
		}
		a := triggers.Attempt{Delivery: d, At: s.house.Clock(), State: at.state, Attempts: d.Delivery.Attempts + 1}
		switch rapid.SampledFrom([]string{"delivered", "delivered", "retry", "probed", "paused", "ended"}).Draw(s.T, "outcome") {
		case "delivered":
			a.Delivered, a.State = true, triggers.Active
			at.waiting = at.waiting[1:]
		case "retry":
			a.NextAt = s.house.Clock().Add(90 * time.Minute)
		case "probed":
			a.State, a.NextAt = triggers.Paused, s.house.Clock().Add(time.Hour)
		case "paused":
			a.State = triggers.Paused
		default:
			a.State, at.waiting = triggers.Ended, nil
		}
		at.state = a.State
		s.must(s.db.SettleAttempt(context.Background(), a))
	}
}

// prune forgets what is older than some hours.
func (s *street) prune(*rapid.T) {
	age := time.Duration(rapid.IntRange(1, 6).Draw(s.T, "hours")) * time.Hour
	for more := true; more; {
		var err error
		more, err = s.db.Prune(context.Background(), Retention{Events: age, Runs: age, Attempts: age}, s.house.Clock(), 2)
		s.must(err)
	}
	for _, h := range s.homes {
		for _, at := range h.subs {
			at.waiting = slices.DeleteFunc(at.waiting, func(text string) bool { return s.said[text].Before(s.house.Clock().Add(-age)) })
		}
	}
}

func (s *street) find(id string) *sub {
	for _, h := range s.homes {
		for _, at := range h.subs {
			if at.id == id && at.state != triggers.Ended {
				return at
			}
		}
	}
	return nil
}

func said(s *street, d triggers.DueDelivery) string {
	if len(d.Delivery.Events) != 1 {
		s.Fatalf("a delivery has %d events", len(d.Delivery.Events))
	}
	var e struct{ Keyword string }
	s.must(json.Unmarshal(d.Delivery.Events[0], &e))
	return e.Keyword
}

// rotate moves a user's home to another user, who may have one.
func (s *street) rotate(*rapid.T) {
	from, h := s.anyone()
	to := s.user()
	_, err := s.db.Rotate(context.Background(), s.house.Key(from), s.house.Key(to), s.house.Clock())
	s.must(err)
	if from == to {
		return
	}
	other := s.homes[to]
	delete(s.homes, from)
	s.homes[to] = h
	if other == nil {
		return
	}
	for topic, id := range other.watches {
		h.asleep[topic] = other.asleep[topic] && (h.asleep[topic] || h.watches[topic] == "")
		if h.watches[topic] == "" {
			h.watches[topic] = id
		}
		h.ran[topic] = h.ran[topic] || other.ran[topic]
	}
	for _, theirs := range other.subs {
		mine := h.at(theirs.target)
		switch {
		case theirs.state == triggers.Ended:
		case mine == nil:
			h.subs = append(h.subs, theirs)
		default:
			mine.waiting = append(mine.waiting, theirs.waiting...)
			slices.Sort(mine.waiting)
			if theirs.state == triggers.Active {
				mine.state = triggers.Active
			}
		}
	}
}

func (s *street) sleep(*rapid.T) {
	_, h := s.anyone()
	topic := s.topic()
	if h.watches[topic] == "" || h.asleep[topic] || slices.ContainsFunc(h.subs, func(at *sub) bool { return at.topic == topic && at.state != triggers.Ended }) {
		s.Skip()
	}
	s.house.Pass(time.Hour)
	s.must(s.db.Settle(context.Background(), triggers.Settlement{Claim: s.house.Claim(h.watches[topic]), State: triggers.Asleep, At: s.house.Clock()}))
	h.asleep[topic] = true
}

func (s *street) check(*rapid.T) {
	for what, query := range invariants {
		var id string
		err := s.db.read(context.Background(), "check", func(ctx context.Context, tx *sql.Tx) error {
			return tx.QueryRowContext(ctx, query).Scan(&id)
		})
		if !errors.Is(err, sql.ErrNoRows) {
			s.Fatalf("there is %s: %s %v", what, id, err)
		}
	}
	for user, h := range s.homes {
		for _, at := range h.subs {
			if at.state == triggers.Ended {
				continue
			}
			got, _, err := s.db.FindSubscription(context.Background(), s.house.Key(user), "zapier", at.id)
			s.must(err)
			if got.State != at.state || got.Undelivered != len(at.waiting) {
				s.Fatalf("%s of %s is %s with %d waiting, want %s with %v", at.target, user, got.State, got.Undelivered, at.state, at.waiting)
			}
		}
	}
}

func TestWhateverHappensEveryEventWaitsForEverySubscriptionInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h, db := newHouse(t)
		s := &street{T: rt, house: h, db: db, homes: map[string]*home{}, said: map[string]time.Time{}}
		rt.Repeat(map[string]func(*rapid.T){
			"subscribe": s.subscribe, "end": s.end, "run": s.run, "run again": s.run, "try": s.try, "rotate": s.rotate, "sleep": s.sleep, "prune": s.prune, "": s.check,
		})
		closeDB(t, db)
	})
}

func TestAPausedSubscriptionWithNothingToDeliverTakesNobodysTurn(t *testing.T) {
	h, db := newHouse(t)
	paused := h.Queue("a", "https://one.example/1", 1)
	due, _, err := db.DueDeliveries(h.Context(), h.Clock(), 1, nil, nil)
	must(t, err)
	must(t, db.SettleAttempt(h.Context(), triggers.Attempt{
		Delivery: due[0], At: h.Clock(), State: triggers.Paused, NextAt: h.Clock().Add(time.Hour), Attempts: 1,
	}))
	h.Pass(3 * time.Hour)
	_, err = db.Prune(h.Context(), Retention{Events: time.Hour, Runs: time.Hour, Attempts: time.Hour}, h.Clock(), 100)
	must(t, err)
	other := h.Queue("b", "https://two.example/2", 1)

	// The paused one has waited longer, and there is room for one.
	due, _, err = db.DueDeliveries(h.Context(), h.Clock(), 1, nil, nil)
	must(t, err)
	if len(due) != 1 || due[0].ID != other.ID {
		t.Errorf("%d are due, want the other subscription alone", len(due))
	}

	h.Research(paused.WatchID, storetest.Words("later")...)
	due, _, err = db.DueDeliveries(h.Context(), h.Clock(), 1, nil, nil)
	must(t, err)
	if len(due) != 1 || due[0].ID != paused.ID {
		t.Errorf("%d are due, want the paused subscription: it has a delivery again", len(due))
	}
}
