package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueSize is how many writes may wait. At a few thousand writes a second that is well
	// below a second of waiting; beyond it callers are better told to come back.
	queueSize = 1024
	// A group is committed after so many writes or so long a time, even if more wait.
	groupSize = 256
	groupTime = 25 * time.Millisecond
)

// writer is the one goroutine that writes. It takes whatever waits into one transaction and
// commits it as soon as nothing waits any more: alone, a write is committed at once; in a crowd,
// many share the cost of one commit.
type writer struct {
	pool *sql.DB // one connection, used by the goroutine only

	mu     sync.RWMutex // guards closed, and the queue against being closed while used
	closed bool
	queue  chan *job
	solo   chan *job // jobs that want no transaction shared with others
	done   chan struct{}

	// Only the goroutine touches these. missed are texts to prepare once the transaction is over:
	// the one connection is not free before.
	statements map[string]*sql.Stmt
	missed     []string
}

// job is a piece of work for the writer. Exactly one of shared and alone is set.
type job struct {
	name   string
	shared func(*sql.Tx) error
	alone  func(*sql.DB) error

	// claimed is set by the first of two: the writer, which then runs the job, or a caller that
	// gives up waiting, whose job is then not run.
	claimed atomic.Bool
	done    chan struct{} // closed when err and panicked may be read
	err     error
	// panicked is what the job panicked with: it goes to the goroutine that asked for the job.
	panicked any
}

func startWriter(pool *sql.DB) *writer {
	w := &writer{
		pool:       pool,
		queue:      make(chan *job, queueSize),
		solo:       make(chan *job),
		done:       make(chan struct{}),
		statements: map[string]*sql.Stmt{},
	}
	go w.run()
	return w
}

// do runs fn inside the next group and returns when the group is committed.
func (w *writer) do(ctx context.Context, name string, fn func(*sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{name: name, shared: fn, done: make(chan struct{})}
	if err := w.enqueue(j); err != nil {
		return err
	}
	return j.wait(ctx)
}

func (w *writer) enqueue(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.queue <- j:
		return nil
	default:
		return ErrBusy
	}
}

// alone runs fn between two groups, with the connection to itself. It waits its turn instead of
// failing with ErrBusy, so it is for housekeeping and not for requests.
func (w *writer) alone(ctx context.Context, name string, fn func(*sql.DB) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{name: name, alone: fn, done: make(chan struct{})}
	select {
	case w.solo <- j:
		return j.wait(ctx)
	case <-w.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns what became of the job. It leaves early only if the job has not begun, so its
// caller always knows whether the write was kept.
func (j *job) wait(ctx context.Context) error {
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.claim() {
			return ctx.Err()
		}
		<-j.done
	}
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.err
}

func (j *job) claim() bool { return j.claimed.CompareAndSwap(false, true) }

func (j *job) finish(err error) {
	j.err = storageError(j.name, err)
	close(j.done)
}

// call runs fn and turns a panic into one of the job's.
func (j *job) call(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			j.panicked, err = v, errPanicked
		}
	}()
	return fn()
}

// close runs what waits, folds the log in and closes the connection.
func (w *writer) close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.done
	for _, s := range w.statements {
		_ = s.Close() // The connection is closed below, whatever its statements say.
	}
	// A log that cannot be folded in now is folded in by the next start: nothing is lost.
	_ = foldLog(context.Background(), w.pool)
	return w.pool.Close()
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case j, open := <-w.queue:
			if !open {
				return
			}
			w.group(j)
			w.prepareMissed()
		case j := <-w.solo:
			if j.claim() {
				j.finish(j.call(func() error { return j.alone(w.pool) }))
			}
		}
	}
}
