package connector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/sandbox"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers"
	"github.com/usesoke/soke-connector/triggers/delivery"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

// watchBench is a store with watches, and a scheduler that has not begun.
type watchBench struct {
	db        *sqlite.DB
	client    *soke.Client
	scheduler *scheduler.Scheduler
	box       *sandbox.Server
	observed  func(scheduler.Observation)
	now       atomic.Int64 // Unix milliseconds
}

func newWatchBench(b *testing.B) *watchBench {
	b.Helper()
	w := &watchBench{box: sandbox.New(sandbox.Options{RequestsPerMinute: 1 << 30}), observed: func(scheduler.Observation) {}}
	w.now.Store(time.Now().UnixMilli())
	clock := func() time.Time { return time.UnixMilli(w.now.Load()) }
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	upstream := httptest.NewServer(w.box)
	b.Cleanup(upstream.Close)
	var err error
	if w.db, err = sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(b.TempDir(), "bench.db"), Logger: logger, Now: clock}); err != nil {
		b.Fatal(err)
	}
	if w.client, err = soke.New(soke.Options{BaseURL: upstream.URL}); err != nil {
		b.Fatal(err)
	}
	w.scheduler, err = scheduler.New(scheduler.Options{
		Store: w.db, Soke: w.client, Triggers: triggers.All(), Logger: logger, Now: clock,
		Observe: func(o scheduler.Observation) { w.observed(o) },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		w.client.Close()
		_ = w.db.Close()
	})
	return w
}

// open makes a watch of a tenant with a new-keyword feed.
func (w *watchBench) open(b *testing.B, tenant, topic int, schedule string) triggers.Opened {
	b.Helper()
	key, err := soke.ParseKey(fmt.Sprintf("sk_live_bench_%06d", tenant))
	if err != nil {
		b.Fatal(err)
	}
	s, err := triggers.ParseSchedule(schedule, "UTC")
	if err != nil {
		b.Fatal(err)
	}
	research, err := json.Marshal(actions.ResearchInput{Topic: fmt.Sprintf("topic %d", topic), Platform: "youtube", Region: "US", MaxResults: 20, RecencyDays: 365})
	if err != nil {
		b.Fatal(err)
	}
	opened, err := w.db.OpenFeed(context.Background(), triggers.Opening{
		Key: key, Research: research, Schedule: s, Trigger: newKeyword(b), Parameters: json.RawMessage("{}"), Polled: true, Now: time.UnixMilli(w.now.Load()),
	})
	if err != nil {
		b.Fatal(err)
	}
	return opened
}

func newKeyword(b *testing.B) triggers.Trigger {
	for _, t := range triggers.All() {
		if t.Key == "new-keyword" {
			return t
		}
	}
	b.Fatal("there is no new-keyword")
	return triggers.Trigger{}
}

// drain runs everything that is due now and returns how many runs that were.
func (w *watchBench) drain(b *testing.B, want int) {
	b.Helper()
	var done atomic.Int64
	all := make(chan struct{})
	w.observed = func(scheduler.Observation) {
		if done.Add(1) == int64(want) {
			close(all)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- w.scheduler.Run(ctx) }()
	<-all
	cancel()
	<-stopped
}

// BenchmarkRuns drains due watches of 100 tenants, 20 keywords each: the research call, what it
// means, and one durable transaction for each run. Beside it stands the bare rate at which the
// same file takes the same rows.
//
//	go test ./connector -run '^$' -bench Runs -benchtime 20000x
func BenchmarkRuns(b *testing.B) {
	w := newWatchBench(b)
	const tenants, watches = 100, 2000
	for i := range watches {
		w.open(b, i%tenants, i, "@hourly")
	}
	w.drain(b, watches) // the first runs
	rounds := max(1, b.N/watches)
	b.ResetTimer()
	for range rounds {
		w.now.Add((2 * time.Hour).Milliseconds())
		w.drain(b, watches)
	}
	b.StopTimer()
	b.ReportMetric(float64(rounds*watches)/b.Elapsed().Seconds(), "runs/s")
}

// outbox returns an engine on the bench's store, which tells observe how long each delivery waited for
// its first attempt, and a function that puts delivery i into the outbox. They go to as many hosts as
// needed, because one host gets 25 a second.
func (w *watchBench) outbox(b *testing.B, observe func(time.Duration)) (*delivery.Engine, func(i int)) {
	b.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(receiver.Close)
	guard, err := delivery.NewGuard(delivery.GuardOptions{AllowLoopback: true, AllowPlainHTTP: true})
	if err != nil {
		b.Fatal(err)
	}
	engine, err := delivery.NewEngine(delivery.EngineOptions{
		Store: w.db, Guard: guard, Logger: slog.New(slog.DiscardHandler), UserAgent: "bench", Workers: 128,
		Observe: func(_ string, _ delivery.Outcome, waited time.Duration) { observe(waited) },
	})
	if err != nil {
		b.Fatal(err)
	}
	s, err := triggers.ParseSchedule("@daily", "UTC")
	if err != nil {
		b.Fatal(err)
	}
	trigger := newKeyword(b)
	return engine, func(i int) {
		now := time.Now()
		key, err := soke.ParseKey(fmt.Sprint("sk_live_bench_hooks_", i/10)) // a key has few tests at a time
		if err != nil {
			b.Error(err)
			return
		}
		_, err = w.db.SubscribeTest(context.Background(), triggers.Testing{
			Subscribing: triggers.Subscribing{
				Opening:  triggers.Opening{Key: key, Research: json.RawMessage("{}"), Schedule: s, Trigger: trigger, Parameters: json.RawMessage("{}"), Now: now},
				Platform: "n8n", Target: fmt.Sprintf("%s/hook/%d", receiver.URL, i), Host: fmt.Sprintf("host%d", i%2000),
			},
			Until: now.Add(time.Hour), Sample: []json.RawMessage{json.RawMessage(`{"id":"evt_1","keyword":"home espresso"}`)},
		})
		if err != nil {
			b.Error(err)
		}
	}
}

// deliver runs an engine while act runs and until done is closed.
func deliver(engine *delivery.Engine, done <-chan struct{}, act func()) {
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- engine.Run(ctx) }()
	act()
	<-done
	cancel()
	<-stopped
	_ = engine.Drain(context.Background())
}

// BenchmarkWebhooks delivers what is in the outbox, one event each.
//
//	go test ./connector -run '^$' -bench Webhooks -benchtime 4000x
func BenchmarkWebhooks(b *testing.B) {
	w := newWatchBench(b)
	var count atomic.Int64
	all := make(chan struct{})
	engine, put := w.outbox(b, func(time.Duration) {
		if count.Add(1) == int64(b.N) {
			close(all)
		}
	})
	for i := range b.N {
		put(i)
	}
	b.ResetTimer()
	deliver(engine, all, func() {})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "webhooks/s")
}

// BenchmarkFirstAttempt puts 500 deliveries a second into the outbox and reports how long each waited
// for its first attempt, its durable commit included.
//
//	go test ./connector -run '^$' -bench FirstAttempt -benchtime 2500x
func BenchmarkFirstAttempt(b *testing.B) {
	w := newWatchBench(b)
	waits := make(chan time.Duration, b.N)
	all := make(chan struct{})
	var count atomic.Int64
	engine, put := w.outbox(b, func(waited time.Duration) {
		waits <- waited
		if count.Add(1) == int64(b.N) {
			close(all)
		}
	})
	b.ResetTimer()
	deliver(engine, all, func() {
		var puts sync.WaitGroup
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for i := range b.N {
			<-tick.C
			puts.Go(func() {
				put(i)
				engine.Wake()
			})
		}
		puts.Wait()
	})
	b.StopTimer()
	close(waits)
	sorted := slices.Sorted(func(yield func(time.Duration) bool) {
		for waited := range waits {
			if !yield(waited) {
				return
			}
		}
	})
	b.ReportMetric(float64(sorted[len(sorted)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkPosts is what BenchmarkWebhooks is compared with: a loop of bare http.Posts of the same
// event to the same kind of receiver, that remembers nothing and signs nothing, alone and 128 times.
//
//	go test ./connector -run '^$' -bench Posts -benchtime 4000x
func BenchmarkPosts(b *testing.B) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(receiver.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	b.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	for _, loops := range []int{1, 128} {
		b.Run(fmt.Sprintf("loops=%d", loops), func(b *testing.B) {
			var next atomic.Int64
			var all sync.WaitGroup
			for range loops {
				all.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						answer, err := client.Post(fmt.Sprintf("%s/hook/%d", receiver.URL, i), "application/json", strings.NewReader(`[{"id":"evt_1","keyword":"home espresso"}]`))
						if err != nil {
							b.Error(err)
							return
						}
						_, _ = io.Copy(io.Discard, answer.Body)
						_ = answer.Body.Close()
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "webhooks/s")
		})
	}
}

// BenchmarkCronLag is what BenchmarkLag is compared with: robfig/cron with 10,000 entries in memory,
// each due once a minute, that remember nothing and call nobody.
//
//	go test ./connector -run '^$' -bench CronLag -benchtime 1x
func BenchmarkCronLag(b *testing.B) {
	for range b.N {
		var mu sync.Mutex
		var lags []time.Duration
		clock := cron.New(cron.WithSeconds(), cron.WithLocation(time.UTC))
		for i := range 10_000 {
			if _, err := clock.AddFunc(fmt.Sprintf("%d * * * * *", i%60), func() {
				late := time.Since(time.Now().Truncate(time.Second))
				mu.Lock()
				defer mu.Unlock()
				lags = append(lags, late)
			}); err != nil {
				b.Fatal(err)
			}
		}
		clock.Start()
		<-time.After(61 * time.Second)
		<-clock.Stop().Done()
		slices.Sort(lags)
		b.ReportMetric(float64(lags[len(lags)*99/100].Milliseconds()), "p99-ms")
	}
}

// follow keeps the bench's clock with the real one until ctx ends.
func (w *watchBench) follow(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			w.now.Store(now.UnixMilli())
		case <-ctx.Done():
			return
		}
	}
}

// BenchmarkLag runs 10,000 watches that are due once a minute, spread over it, for a minute of real
// time, and reports how late they begin.
//
//	go test ./connector -run '^$' -bench Lag -benchtime 1x
func BenchmarkLag(b *testing.B) {
	const watches = 10_000
	const warmUp = 15 * time.Second // what became due during the preparation runs first
	for range b.N {
		w := newWatchBench(b)
		for i := range watches {
			w.open(b, i%500, i, "@every 1m")
		}
		w.drain(b, watches) // the first runs
		var mu sync.Mutex
		var lags []time.Duration
		ctx, cancel := context.WithTimeout(context.Background(), warmUp+time.Minute)
		go w.follow(ctx)
		measure := time.Now().Add(warmUp)
		w.observed = func(o scheduler.Observation) {
			mu.Lock()
			defer mu.Unlock()
			if time.Now().After(measure) {
				lags = append(lags, o.Lag)
			}
		}
		_ = w.scheduler.Run(ctx)
		cancel()
		_ = w.scheduler.Drain(context.Background())
		mu.Lock()
		slices.Sort(lags)
		b.ReportMetric(float64(len(lags)), "runs")
		b.ReportMetric(float64(lags[len(lags)/2].Milliseconds()), "p50-ms")
		b.ReportMetric(float64(lags[len(lags)*99/100].Milliseconds()), "p99-ms")
		mu.Unlock()
	}
}
