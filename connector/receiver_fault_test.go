package connector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/triggers/delivery"
)

func TestEveryMisbehavingReceiverGetsWhatTheContractSaysAndCostsTheOthersNothing(t *testing.T) {
	before, used := goleak.IgnoreCurrent(), heap()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	var faults, cases int
	t.Run("matrix", func(t *testing.T) {
		f := startFire(t)
		cases, faults = len(f.receivers), len(f.receivers)/len(platforms())
		for range 3 { // each receiver misbehaves with a queue behind it
			f.research(time.Hour)
		}
		began := f.clock()
		f.firstTries()
		f.waitsAreKept(began)
		f.research(time.Hour)
		f.deliver()
		f.everythingArrivedOnce()
	})
	t.Logf("%d faults, %d cases", faults, cases)
	heapIsFreed(t, used)
}

// heap is what is in use once all that is not has been freed.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalisers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// heapIsFreed fails if a matrix has left memory behind. What is made once for the whole process, such
// as compiled schemas, takes less than 3 MiB; stopped calls hold theirs until their timers fire.
func heapIsFreed(t *testing.T, before int64) {
	t.Helper()
	pace, deadline := time.NewTicker(250*time.Millisecond), time.After(30*time.Second)
	defer pace.Stop()
	for more := heap() - before; ; more = heap() - before {
		if more < 4<<20 {
			t.Logf("%d KiB of heap more than before", more>>10)
			return
		}
		select {
		case <-pace.C:
		case <-deadline:
			t.Errorf("%d KiB of heap were not freed", more>>10)
			return
		}
	}
}

// fire is a connector whose receivers all misbehave at the same time.
type fire struct {
	*watching
	t         *testing.T
	addresses *addresses
	receivers []*badReceiver
	bait      *target
	attempts  atomic.Int64
}

const hookPath = "/hook-canary"

func startFire(t *testing.T) *fire {
	t.Helper()
	f := &fire{t: t, addresses: &addresses{known: map[string]string{}}, bait: receive(t)}
	shown, pool := certificates(t)
	f.watching = startWatching(t, func(s *setup) {
		s.guard.RootCAs, s.guard.Resolver = pool, f.addresses.resolver()
		s.engine.Workers, s.engine.PerConnection = 1024, 1024 // what takes fifteen seconds is to take them side by side
		s.engine.Observe = func(string, delivery.Outcome, time.Duration) { f.attempts.Add(1) }
	})
	for i, m := range misbehaviours(f.clock, f.bait.URL) {
		for _, p := range platforms() {
			in := &badReceiver{how: m, platform: p.Name(), fate: m.of(p.Name()), secure: m.place.secure}
			in.host = fmt.Sprintf("%s%d%s", p.Name(), i, suffix)
			server := httptest.NewUnstartedServer(in)
			server.Listener = door{Listener: server.Listener, in: in, shown: shown}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.Start()
			t.Cleanup(server.Close)
			url := strings.Replace(server.URL, "127.0.0.1", in.host, 1)
			if in.secure {
				url = strings.Replace(url, "http:", "https:", 1)
			}
			f.addresses.set(in.host, "127.0.0.1")
			made := f.subscribe(string(p.Name()), "research-completed", espresso, url+hookPath)
			in.path = "/v1/" + string(p.Name()) + "/triggers/research-completed/subscriptions/" + made["id"].(string)
			if m.place.address != "" {
				f.addresses.set(in.host, m.place.address)
			}
			f.receivers = append(f.receivers, in)
		}
	}
	f.research(0)
	return f
}

// deliver makes every attempt that is due, until none is.
func (f *fire) deliver() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	for before := int64(-1); before != f.attempts.Load(); {
		before = f.attempts.Load()
		if _, err := f.outbox.Round(ctx); err != nil {
			f.t.Fatal(err)
		}
		if err := f.outbox.Settled(ctx); err != nil {
			f.t.Fatal(err)
		}
	}
}

// shown is a subscription as its owner sees it.
type shown struct {
	State        string
	Reason       *string
	Undelivered  int
	LastDelivery *struct{ Status, Attempts int }
}

func (f *fire) show(in *badReceiver) shown {
	f.t.Helper()
	var s shown
	a := f.call(http.MethodGet, in.path, "", "X-Soke-Key", activeKey)
	if err := json.Unmarshal(a.body, &s); err != nil || a.status != http.StatusOK || s.LastDelivery == nil {
		f.t.Fatalf("%s: %d %s", in, a.status, a.body)
	}
	return s
}

// firstTries delivers to receivers that misbehave, and judges what becomes of each.
func (f *fire) firstTries() {
	f.t.Helper()
	began := time.Now()
	f.deliver()
	if took := time.Since(began); took > 20*time.Second {
		f.t.Errorf("the first tries took %s", took)
	}
	for _, in := range f.receivers {
		s, arrived := f.show(in), 1
		want := shown{State: in.fate.state, Undelivered: 3}
		switch {
		case in.fate.state == "":
			want, arrived = shown{State: "active"}, 3
		case in.how.place != (place{}):
			arrived = 0
		case in.fate.state == "ended":
			s.Undelivered = 3 // of no account any more
		}
		reason := ""
		if s.Reason != nil {
			reason = *s.Reason
		}
		if s.State != want.State || s.Undelivered != want.Undelivered || (reason == "TARGET_FAILING") != (want.State == "paused") {
			f.t.Errorf("%s: %s %q with %d waiting, want %s with %d", in, s.State, reason, s.Undelivered, want.State, want.Undelivered)
		}
		if s.LastDelivery.Attempts != 1 || s.LastDelivery.Status != in.fate.status && !in.how.once {
			f.t.Errorf("%s: %+v, want the status %d and one attempt", in, *s.LastDelivery, in.fate.status)
		}
		if got := len(in.all()); got != arrived {
			f.t.Errorf("%s: %d requests arrived, want %d", in, got, arrived)
		}
		in.keptAsLongAsItMay(f.t)
	}
}

// waitsAreKept lets time go by: nobody is tried again before its time, and everybody is then.
func (f *fire) waitsAreKept(began time.Time) {
	f.t.Helper()
	waits := map[time.Duration]bool{}
	for _, in := range f.receivers {
		waits[in.fate.after] = true
	}
	delete(waits, 0)
	order := []time.Duration{}
	for after := range waits {
		order = append(order, after)
	}
	slices.Sort(order)
	for i, after := range order {
		f.at(began.Add(after - time.Millisecond))
		tried := f.attempts.Load()
		f.deliver()
		if n := f.attempts.Load() - tried; n != 0 {
			f.t.Errorf("%d tries just before %s had passed", n, after)
		}
		for _, in := range f.receivers {
			if in.fate.after >= after && len(in.all()) > 1 {
				f.t.Errorf("%s was tried again within %s", in, after)
			}
			if i == 0 {
				in.recover(f.addresses)
			}
		}
		f.at(began.Add(after + after/5)) // the jitter's whole width
		f.deliver()
		for _, in := range f.receivers {
			if in.fate.after != after {
				continue
			}
			if s := f.show(in); s.State != "active" || s.Undelivered != 0 {
				f.t.Errorf("%s: %s with %d waiting, %s after it misbehaved", in, s.State, s.Undelivered, after)
			}
		}
	}
}

// everythingArrivedOnce holds what each receiver got to what there was to get.
func (f *fire) everythingArrivedOnce() {
	f.t.Helper()
	var runs []string
	for _, e := range f.events("n8n", "research-completed", "{"+espresso+"}") {
		if e["baseline"] == false {
			runs = append(runs, e["runId"].(string))
		}
	}
	if len(runs) != 4 {
		f.t.Fatalf("%d runs", len(runs))
	}
	for _, in := range f.receivers {
		want, state := runs, "active"
		switch {
		case in.fate.state == "ended":
			want, state = runs[:1], "ended"
		case in.fate.state != "" && in.how.place == (place{}):
			want = slices.Concat(runs[:1], runs) // the try that failed, and the whole queue
		}
		got, ids := []string{}, map[string]string{}
		for _, a := range in.all() {
			run, id := a.body["runId"].(string), a.header.Get("Webhook-Id")
			got = append(got, run)
			if known, ok := ids[id]; ok && known != run || id == "" {
				f.t.Errorf("%s: the webhook-id %q is of two runs", in, id)
			}
			ids[id] = run
		}
		different := slices.Compact(slices.Clone(want))
		if !slices.Equal(got, want) || len(ids) != len(different) {
			f.t.Errorf("%s: the runs %v arrived under %d ids, want %v", in, got, len(ids), want)
		}
		if s := f.show(in); s.State != state {
			f.t.Errorf("%s is %s at last", in, s.State)
		}
	}
	if n := len(f.bait.all()); n != 0 {
		f.t.Errorf("%d requests followed a redirect", n)
	}
	if strings.Contains(f.logs.String(), hookPath) {
		f.t.Error("a target is in the log")
	}
}
