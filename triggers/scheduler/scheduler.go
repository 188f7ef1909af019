package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/usesoke/soke-connector/connector/background"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers"
)

const (
	// lease is longer than any run: a claim that outlives it belongs to a process that is gone.
	lease = 10 * time.Minute
	// perConnection is how many watches of one connection run at a time, and how many more because
	// somebody waits for them.
	perConnection = 4
	// idle is the longest time without a look at what is due.
	idle = 30 * time.Second
)

// Options make a Scheduler. Every field is required unless it says otherwise.
type Options struct {
	Store    Store
	Soke     *soke.Client
	Triggers []triggers.Trigger
	Logger   *slog.Logger
	// Workers bounds the runs that Round begins at one time, and apart from them those that RunNow
	// begins. 0 is 128.
	Workers int
	// Observe, if set, is told of each run. It must be safe for concurrent use.
	Observe func(Observation)
	// Committed is called when a run has put deliveries into the outbox; nil is nobody.
	Committed func()
	// Insist is for how long a store that fails is asked again to keep what a run has found. 0 is
	// half a lease.
	Insist time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Observation is one run, for metrics.
type Observation struct {
	Outcome triggers.Outcome
	// Lag is how long after its due time it began.
	Lag     time.Duration
	Events  map[string]int // by trigger, without baselines
	Credits int
}

// Scheduler runs watches when they are due.
type Scheduler struct {
	Options
	background.Loop
	byKey map[string]triggers.Trigger
	jobs  background.Jobs
	stop  sync.Once

	stopped chan struct{} // closed when Run is over: no Round begins anything any more

	mu      sync.Mutex
	running map[string]*execution // by watch
	claimed int                   // runs at this moment that Round has begun
	busy    map[string]int        // runs at this moment, by connection
	callers *background.Places    // of the runs that RunNow begins
	room    map[string]allowance  // what Soke said last, by connection
	latest  time.Time             // what the clock said last
}

// execution is a run that others may wait for.
type execution struct {
	done chan struct{}
	err  error
	// begun tells that a claim has been found for it, so that done is closed by its end.
	begun bool
	// waiting counts those who wait. One that has not begun goes with the last of them.
	waiting int
}

// New returns a scheduler. Nothing runs before Run.
func New(o Options) (*Scheduler, error) {
	if o.Store == nil || o.Soke == nil || o.Logger == nil {
		return nil, errors.New("scheduler: incomplete Options")
	}
	if o.Workers <= 0 {
		o.Workers = 128
	}
	if o.Insist <= 0 {
		o.Insist = lease / 2
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(Observation) {}
	}
	if o.Committed == nil {
		o.Committed = func() {}
	}
	s := &Scheduler{
		Options: o, Loop: background.NewLoop(), byKey: map[string]triggers.Trigger{},
		running: map[string]*execution{}, busy: map[string]int{}, room: map[string]allowance{},
		callers: background.NewPlaces(o.Workers, perConnection), stopped: make(chan struct{}),
	}
	for _, t := range o.Triggers {
		s.byKey[t.Key] = t
	}
	return s, nil
}

// Run runs what is due until ctx ends. Runs that have begun go on; Drain waits for them.
func (s *Scheduler) Run(ctx context.Context) error {
	defer s.stop.Do(func() { close(s.stopped) })
	return s.Loop.Run(ctx, s.Round, func(err error) {
		s.Logger.WarnContext(ctx, "due watches could not be claimed", "cause", err.Error())
	})
}

// Round starts what is due now, as far as there is room, and returns how long nothing else will be
// due. A run that ends calls Wake, because it makes room.
func (s *Scheduler) Round(ctx context.Context) (time.Duration, error) {
	if err := s.mendDates(ctx); err != nil {
		return 0, err
	}
	for {
		now := s.Now()
		free, each, held := s.free(now)
		if free == 0 {
			return idle, nil
		}
		claims, next, err := s.Store.ClaimDue(ctx, now, lease, free, each, held)
		if err != nil {
			return 0, err
		}
		for _, c := range claims {
			s.mu.Lock()
			s.claimed++
			s.mu.Unlock()
			s.start(ctx, c, func() { s.claimed-- })
		}
		if len(claims) > 0 {
			continue
		}
		if next.IsZero() {
			return s.untilRoom(now), nil
		}
		return min(max(next.Sub(now), time.Millisecond), s.untilRoom(now)), nil
	}
}

// free returns how many runs may begin, how many of each connection, and the connections that may
// not begin any.
func (s *Scheduler) free(now time.Time) (free, each int, held []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs.Ended() {
		return 0, 0, nil
	}
	// A round claims again until nothing is left, so nobody loses by a smaller number for each.
	each = perConnection
	for id, n := range s.busy {
		if n >= perConnection {
			held = append(held, id)
		} else {
			each = min(each, perConnection-n)
		}
	}
	for id, a := range s.room {
		switch room := a.room(s.busy[id]); {
		case a.over(now):
			delete(s.room, id)
		case s.busy[id] >= perConnection:
		case room <= 0:
			held = append(held, id)
		default:
			each = min(each, room)
		}
	}
	return s.Workers - s.claimed, each, held
}

// untilRoom is how long until a connection that is held may go on.
func (s *Scheduler) untilRoom(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := idle
	for id, a := range s.room {
		if a.room(s.busy[id]) <= 0 {
			wait = min(wait, max(a.reset.Sub(now), time.Millisecond))
		}
	}
	return wait
}

// start runs a claim in the background, or hands it back: once Drain was called nothing begins. leave
// gives the claim's place back, with the lock held.
func (s *Scheduler) start(ctx context.Context, c triggers.Claim, leave func()) {
	if s.begun(ctx, c, leave) || c.Unsettled {
		return
	}
	if err := s.Store.Settle(context.WithoutCancel(ctx), c.HandBack(s.Now())); err != nil {
		s.Logger.WarnContext(ctx, "a claim could not be handed back", "watch", c.ID, "cause", err.Error())
	}
}

// begun begins the run of a claim, and reports whether it does.
func (s *Scheduler) begun(ctx context.Context, c triggers.Claim, leave func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, known := s.running[c.ID]
	if !known || e.begun { // a run that has just been settled may be due again before it is over here
		e = &execution{done: make(chan struct{})}
		s.running[c.ID] = e
	}
	e.begun = true
	s.busy[c.ConnectionID]++
	over := func() {
		leave()
		s.over(c, e)
	}
	begun := s.jobs.Begin(func() {
		if err := background.Contain(func() { e.err = s.run(context.WithoutCancel(ctx), c) }); err != nil {
			// The claim stays until its lease is over, and is then taken for a run that was cut.
			s.Logger.ErrorContext(ctx, "a run ended in a panic", append(background.Log(err), "watch", c.ID)...)
			e.err = err
		}
		s.mu.Lock()
		over()
		s.mu.Unlock()
		s.Wake()
	})
	if !begun {
		over() // who waits finds the watch as it is
	}
	return begun
}

// over makes room for other runs. The lock is held.
func (s *Scheduler) over(c triggers.Claim, e *execution) {
	if s.running[c.ID] == e {
		delete(s.running, c.ID)
	}
	if s.busy[c.ConnectionID]--; s.busy[c.ConnectionID] == 0 {
		delete(s.busy, c.ConnectionID)
	}
	close(e.done)
}

// RunNow runs a watch that is due, or joins the run that has begun, and returns what became of it
// or ctx's error; the run itself goes on without its caller. A watch that is not due is left alone.
// So that nobody's callers use up what is there for all, only so many runs begin by being waited
// for; the others wait until Round begins them in their turn.
func (s *Scheduler) RunNow(ctx context.Context, watch triggers.Watch) error {
	if s.jobs.Ended() {
		return nil
	}
	s.mu.Lock()
	e, running := s.running[watch.ID]
	begin := !running && s.callers.Take(watch.ConnectionID)
	if !running {
		if !begin && watch.NextRunAt.After(s.Now()) {
			s.mu.Unlock()
			return nil
		}
		// Round may claim the watch at this moment; it then finds this and runs it for us.
		e = &execution{done: make(chan struct{})}
		s.running[watch.ID] = e
	}
	e.waiting++
	s.mu.Unlock()
	defer s.leave(watch.ID, e)
	switch {
	case begin:
		s.begin(ctx, watch, e)
	case !running:
		s.Wake()
	}
	for stopped := s.stopped; ; {
		select {
		case <-e.done:
			return e.err
		case <-ctx.Done():
			return ctx.Err()
		case <-stopped:
			s.mu.Lock()
			begun := e.begun
			s.mu.Unlock()
			if !begun {
				return nil // who waits finds the watch as it is
			}
			stopped = nil
		}
	}
}

// begin claims a watch for those who wait for it, in a place of theirs.
func (s *Scheduler) begin(ctx context.Context, watch triggers.Watch, e *execution) {
	leave := func() { s.callers.Leave(watch.ConnectionID) }
	claim, ok, taken, err := s.Store.ClaimWatch(ctx, watch.ID, s.Now(), lease)
	if ok {
		s.start(ctx, claim, leave)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	leave()
	// Round may have begun the run meanwhile, may even be done with it, or is about to begin it.
	if !taken && !e.begun {
		e.err = err
		delete(s.running, watch.ID)
		close(e.done)
	}
}

// leave ends a wait. A run that nobody has begun, and that nobody waits for any more, is none.
func (s *Scheduler) leave(watchID string, e *execution) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.waiting--; e.waiting == 0 && !e.begun && s.running[watchID] == e {
		delete(s.running, watchID)
	}
}

// Settled waits until no run is under way, or ctx ends.
func (s *Scheduler) Settled(ctx context.Context) error { return s.jobs.Settled(ctx) }

// Drain waits until the runs that have begun are over, or ctx ends; what is not over by then loses
// its claim.
func (s *Scheduler) Drain(ctx context.Context) error {
	_ = s.jobs.Drain(ctx) // what is not over loses its claim below
	return s.Store.ReleaseClaims(context.WithoutCancel(ctx), s.Now())
}
