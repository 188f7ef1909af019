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
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// invariants are queries that find what must not be.
var invariants = map[string]string{
	"a connection whose next due time is not its watches' earliest": `SELECT id FROM connections c WHERE next_due_at IS NOT
		(SELECT min(next_run_at) FROM watches WHERE connection_id = c.id)`,
	"a connection whose next attempt is not its subscriptions' earliest": `SELECT id FROM connections c WHERE next_attempt_at IS NOT
		(SELECT min(next_attempt_at) FROM subscriptions WHERE connection_id = c.id)`,
	"a watch that is enabled and has no time at which it is looked at": `SELECT id FROM watches WHERE state != 'asleep' AND next_run_at IS NULL`,
	"an active subscription with deliveries that nobody will try": `SELECT id FROM subscriptions s WHERE state = 'active' AND next_attempt_at IS NULL
		AND EXISTS (SELECT 1 FROM deliveries WHERE subscription_id = s.id AND state = 'pending')`,
	"an ended subscription with deliveries that wait": `SELECT subscription_id FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id
		WHERE d.state = 'pending' AND s.state = 'ended'`,
	"a live subscription without its watch or feed": `SELECT id FROM subscriptions s WHERE state != 'ended' AND test_until IS NULL
		AND NOT EXISTS (SELECT 1 FROM feeds f JOIN watches w ON w.id = f.watch_id WHERE f.id = s.feed_id AND w.id = s.watch_id AND w.connection_id = s.connection_id)`,
	"a watch with live subscriptions that sleeps": `SELECT w.id FROM watches w JOIN subscriptions s ON s.watch_id = w.id
		WHERE w.state = 'asleep' AND s.state != 'ended' AND s.test_until IS NULL`,
}

// model is what the outbox has to be: users, what they subscribe to and what waits for them.
type model struct {
	*rapid.T
	harness *storetest.Harness
	db      *DB
	tenants map[string]*tenant // by user
	words   int
	said    map[string]time.Time // when each word was found
}

// tenant is what a connection has.
type tenant struct {
	since   time.Time
	watches map[string]string // by topic
	made    map[string]time.Time
	ran     map[string]bool
	asleep  map[string]bool
	subs    []*sub
}

type sub struct {
	id, target, topic string
	state             triggers.State
	waiting           []string // oldest first, each with the number of its word in front
}

func (t *tenant) at(target string) *sub {
	for _, s := range t.subs {
		if s.target == target && s.state != triggers.Ended {
			return s
		}
	}
	return nil
}

func (m *model) user() string { return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.T, "user") }
func (m *model) topic() string {
	return rapid.SampledFrom([]string{"tea", "coffee"}).Draw(m.T, "topic")
}

// anyone draws a user who has a connection.
func (m *model) anyone() (string, *tenant) {
	var users []string
	for user := range m.tenants {
		users = append(users, user)
	}
	if len(users) == 0 {
		m.Skip("nobody is there")
	}
	slices.Sort(users)
	user := rapid.SampledFrom(users).Draw(m.T, "who")
	return user, m.tenants[user]
}

func (m *model) must(err error) {
	if err != nil {
		m.Fatal(err)
	}
}

func (m *model) subscribe(*rapid.T) {
	user, topic := m.user(), m.topic()
	target := fmt.Sprint("https://one.example/", rapid.IntRange(1, 3).Draw(m.T, "target"))
	made, err := m.db.Subscribe(context.Background(), m.harness.Subscribing(user, "new-keyword", topic, target))
	m.must(err)
	t := m.tenants[user]
	if t == nil {
		t = &tenant{since: m.harness.Clock(), watches: map[string]string{}, made: map[string]time.Time{}, ran: map[string]bool{}, asleep: map[string]bool{}}
		m.tenants[user] = t
	}
	t.watches[topic], t.made[topic] = made.WatchID, made.Watch.CreatedAt
	delete(t.asleep, topic)
	at := t.at(target)
	if (at == nil) != made.New {
		m.Fatalf("the subscription of %s is new: %v", target, made.New)
	}
	if at == nil {
		at = &sub{target: target}
		t.subs = append(t.subs, at)
	}
	at.id, at.topic, at.state = made.ID, topic, triggers.Active
}

func (m *model) end(*rapid.T) {
	user, t := m.anyone()
	if len(t.subs) == 0 {
		m.Skip()
	}
	at := rapid.SampledFrom(t.subs).Draw(m.T, "subscription")
	m.must(m.db.EndSubscription(context.Background(), m.harness.Key(user), "", "zapier", at.id, m.harness.Clock()))
	if live := t.at(at.target); live != nil && live.id == at.id {
		live.state, live.waiting = triggers.Ended, nil
	}
}

func (m *model) run(*rapid.T) {
	_, t := m.anyone()
	topic := m.topic()
	if t.watches[topic] == "" || t.asleep[topic] {
		m.Skip()
	}
	m.harness.Pass(time.Hour)
	m.words++
	text := fmt.Sprintf("%04d", m.words)
	m.said[text] = m.harness.Clock()
	m.must(m.db.Settle(context.Background(), m.harness.Report(m.harness.Claim(t.watches[topic]), storetest.Words(text)...)))
	if t.ran[topic] {
		for _, at := range t.subs {
			if at.topic == topic && at.state != triggers.Ended {
				at.waiting = append(at.waiting, text)
			}
		}
	}
	t.ran[topic] = true
}

// try makes one attempt on everything that is due, each in its turn.
func (m *model) try(*rapid.T) {
	all, _, err := m.db.DueDeliveries(context.Background(), m.harness.Clock(), delivery.Room{Limit: 100, Each: 100})
	m.must(err)
	var tried []string
	for range all {
		due, _, err := m.db.DueDeliveries(context.Background(), m.harness.Clock(), delivery.Room{Limit: 1, Each: 1, Busy: tried})
		m.must(err)
		if len(due) != 1 {
			m.Fatalf("after %d of %d that are due nobody has a turn", len(tried), len(all))
		}
		d := due[0]
		tried = append(tried, d.ID)
		at := m.find(d.ID)
		if at == nil || len(at.waiting) == 0 || at.waiting[0] != said(m, d) {
			m.Fatalf("%s is due on %+v", said(m, d), at)
		}
		a := triggers.Attempt{Delivery: d, At: m.harness.Clock(), State: at.state, Attempts: d.Delivery.Attempts + 1}
		switch rapid.SampledFrom([]string{"delivered", "delivered", "retry", "probed", "paused", "ended"}).Draw(m.T, "outcome") {
		case "delivered":
			a.Delivered, a.State = true, triggers.Active
			at.waiting = at.waiting[1:]
		case "retry":
			a.NextAt = m.harness.Clock().Add(90 * time.Minute)
		case "probed":
			a.State, a.NextAt = triggers.Paused, m.harness.Clock().Add(time.Hour)
		case "paused":
			a.State = triggers.Paused
		default:
			a.State, at.waiting = triggers.Ended, nil
		}
		at.state = a.State
		m.must(m.db.SettleAttempt(context.Background(), a))
	}
}

// prune forgets what is older than some hours.
func (m *model) prune(*rapid.T) {
	age := time.Duration(rapid.IntRange(1, 6).Draw(m.T, "hours")) * time.Hour
	for more := true; more; {
		var err error
		more, err = m.db.Prune(context.Background(), Retention{Events: age, Runs: age, Attempts: age}, m.harness.Clock(), 2)
		m.must(err)
	}
	for _, t := range m.tenants {
		for _, at := range t.subs {
			at.waiting = slices.DeleteFunc(at.waiting, func(text string) bool { return m.said[text].Before(m.harness.Clock().Add(-age)) })
		}
	}
}

func (m *model) find(id string) *sub {
	for _, t := range m.tenants {
		for _, at := range t.subs {
			if at.id == id && at.state != triggers.Ended {
				return at
			}
		}
	}
	return nil
}

func said(m *model, d triggers.DueDelivery) string {
	if len(d.Delivery.Events) != 1 {
		m.Fatalf("a delivery has %d events", len(d.Delivery.Events))
	}
	var e struct{ Keyword string }
	m.must(json.Unmarshal(d.Delivery.Events[0], &e))
	return e.Keyword
}

// rotate moves all that a user has to another user, who may have something.
func (m *model) rotate(*rapid.T) {
	from, t := m.anyone()
	to := m.user()
	_, err := m.db.Rotate(context.Background(), m.harness.Key(from), m.harness.Key(to), m.harness.Clock())
	m.must(err)
	if from == to {
		return
	}
	other := m.tenants[to]
	delete(m.tenants, from)
	m.tenants[to] = t
	if other == nil {
		return
	}
	if older(len(other.ran) > 0, other.since, len(t.ran) > 0, t.since) {
		t, other = other, t
		m.tenants[to] = t
	}
	for topic, id := range other.watches {
		t.asleep[topic] = other.asleep[topic] && (t.asleep[topic] || t.watches[topic] == "")
		if t.watches[topic] == "" || older(other.ran[topic], other.made[topic], t.ran[topic], t.made[topic]) {
			t.watches[topic], t.made[topic] = id, other.made[topic]
		}
		if other.ran[topic] {
			t.ran[topic] = true
		}
	}
	for _, theirs := range other.subs {
		mine := t.at(theirs.target)
		switch {
		case theirs.state == triggers.Ended:
		case mine == nil:
			t.subs = append(t.subs, theirs)
		default:
			mine.waiting = append(mine.waiting, theirs.waiting...)
			slices.Sort(mine.waiting)
			if theirs.state == triggers.Active {
				mine.state = triggers.Active
			}
		}
	}
}

// older reports whether what has run, or has not, since a time has a longer history than another.
func older(ran bool, since time.Time, otherRan bool, otherSince time.Time) bool {
	return ran && !otherRan || ran == otherRan && since.Before(otherSince)
}

func (m *model) sleep(*rapid.T) {
	_, t := m.anyone()
	topic := m.topic()
	if t.watches[topic] == "" || t.asleep[topic] || slices.ContainsFunc(t.subs, func(at *sub) bool { return at.topic == topic && at.state != triggers.Ended }) {
		m.Skip()
	}
	m.harness.Pass(time.Hour)
	m.must(m.db.Settle(context.Background(), triggers.Settlement{Claim: m.harness.Claim(t.watches[topic]), State: triggers.Asleep, At: m.harness.Clock()}))
	t.asleep[topic] = true
}

func (m *model) check(*rapid.T) {
	for what, query := range invariants {
		var id string
		err := m.db.read(context.Background(), "check", func(ctx context.Context, tx *sql.Tx) error {
			return tx.QueryRowContext(ctx, query).Scan(&id)
		})
		if !errors.Is(err, sql.ErrNoRows) {
			m.Fatalf("there is %s: %s %v", what, id, err)
		}
	}
	for user, t := range m.tenants {
		for _, at := range t.subs {
			if at.state == triggers.Ended {
				continue
			}
			got, _, err := m.db.FindSubscription(context.Background(), m.harness.Key(user), "zapier", at.id)
			m.must(err)
			if got.State != at.state || got.Undelivered != len(at.waiting) {
				m.Fatalf("%s of %s is %s with %d waiting, want %s with %v", at.target, user, got.State, got.Undelivered, at.state, at.waiting)
			}
		}
	}
}

func TestWhateverHappensEveryEventWaitsForEverySubscriptionInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h, db := newHarness(t)
		m := &model{T: rt, harness: h, db: db, tenants: map[string]*tenant{}, said: map[string]time.Time{}}
		rt.Repeat(map[string]func(*rapid.T){
			"subscribe": m.subscribe, "end": m.end, "run": m.run, "run again": m.run, "try": m.try, "rotate": m.rotate, "sleep": m.sleep, "prune": m.prune, "": m.check,
		})
		closeDB(t, db)
	})
}

func TestAnAttemptOnADeliveryThatIsGoneIsNoFault(t *testing.T) {
	h, db := newHarness(t)
	s := h.Queue("a", "https://one.example/1", 1)
	due, _, err := db.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 1, Each: 1})
	must(t, err)
	must(t, db.EndSubscription(h.Context(), h.Key("a"), "", "zapier", s.ID, h.Clock()))
	h.Pass(3 * time.Hour)
	for range 2 {
		_, err = db.Prune(h.Context(), Retention{Events: time.Hour, Runs: time.Hour, Attempts: time.Hour}, h.Clock(), 100)
		must(t, err)
	}
	must(t, db.SettleAttempt(h.Context(), triggers.Attempt{Delivery: due[0], At: h.Clock(), Delivered: true, State: triggers.Active, Attempts: 1}))
}

func TestAPausedSubscriptionWithNothingToDeliverTakesNobodysTurn(t *testing.T) {
	h, db := newHarness(t)
	paused := h.Queue("a", "https://one.example/1", 1)
	due, _, err := db.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 1, Each: 1})
	must(t, err)
	must(t, db.SettleAttempt(h.Context(), triggers.Attempt{
		Delivery: due[0], At: h.Clock(), State: triggers.Paused, NextAt: h.Clock().Add(time.Hour), Attempts: 1,
	}))
	h.Pass(3 * time.Hour)
	_, err = db.Prune(h.Context(), Retention{Events: time.Hour, Runs: time.Hour, Attempts: time.Hour}, h.Clock(), 100)
	must(t, err)
	other := h.Queue("b", "https://two.example/2", 1)

	// The paused one has waited longer, and there is room for one.
	due, _, err = db.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 1, Each: 1})
	must(t, err)
	if len(due) != 1 || due[0].ID != other.ID {
		t.Errorf("%d are due, want the other subscription alone", len(due))
	}

	h.Research(paused.WatchID, storetest.Words("later")...)
	due, _, err = db.DueDeliveries(h.Context(), h.Clock(), delivery.Room{Limit: 1, Each: 1})
	must(t, err)
	if len(due) != 1 || due[0].ID != paused.ID {
		t.Errorf("%d are due, want the paused subscription: it has a delivery again", len(due))
	}
}
