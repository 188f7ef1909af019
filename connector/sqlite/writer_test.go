package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
)

// insert returns a write that keeps a mark, visible to marks.
func insert(mark string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO secrets (name, sealed) VALUES (?, x'00')", "mark "+mark)
		return err
	}
}

// marks returns the marks that the database holds, in order.
func marks(t testing.TB, db *DB) string {
	t.Helper()
	var all sql.NullString
	must(t, db.readers.QueryRow("SELECT group_concat(substr(name, 6), ' ') FROM (SELECT name FROM secrets WHERE name LIKE 'mark %' ORDER BY name)").Scan(&all))
	return all.String
}

// occupy makes the writer busy until the returned function is called.
func occupy(t testing.TB, db *DB) (release func()) {
	t.Helper()
	began, end := make(chan struct{}), make(chan struct{})
	go func() {
		_ = db.writer.alone(context.Background(), "occupy", func(*sql.DB) error {
			close(began)
			<-end
			return nil
		})
	}()
	<-began
	return sync.OnceFunc(func() { close(end) })
}

// queue puts writes behind one another in the writer's queue and returns their jobs.
func queue(t testing.TB, db *DB, writes ...func(context.Context, *sql.Tx) error) []*job {
	t.Helper()
	var jobs []*job
	for i, fn := range writes {
		j := &job{name: fmt.Sprint("write ", i), done: make(chan struct{})}
		j.shared = func(tx *sql.Tx) error { return fn(context.Background(), tx) }
		must(t, db.writer.enqueue(j))
		jobs = append(jobs, j)
	}
	return jobs
}

func TestAFailingWriteSpoilsNoneOfItsGroup(t *testing.T) {
	db := openNew(t)
	failure := errors.New("second thoughts")
	release := occupy(t, db)
	jobs := queue(t, db,
		insert("a"),
		func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(insert("half")(ctx, tx), failure)
		},
		insert("b"),
		insert("b"), // fails: the name is taken
		insert("c"),
	)
	release()
	ctx := t.Context()
	for i, j := range jobs {
		err := j.wait(ctx)
		switch i {
		case 1:
			if !errors.Is(err, failure) {
				t.Errorf("write %d returned %v, want its own failure", i, err)
			}
		case 3:
			if err == nil || errors.As(err, new(*StorageError)) {
				t.Errorf("write %d returned %v, want a violated constraint that is no storage error", i, err)
			}
		default:
			if err != nil {
				t.Errorf("write %d returned %v", i, err)
			}
		}
	}
	if got := marks(t, db); got != "a b c" {
		t.Errorf("the database holds %q, want a b c", got)
	}
}

func TestWritesThatWaitShareOneCommit(t *testing.T) {
	db := openNew(t)
	release := occupy(t, db)
	var before, after int64
	jobs := queue(t, db,
		func(context.Context, *sql.Tx) error { before = walSize(t, db); return nil },
		insert("a"), insert("b"), insert("c"),
		func(context.Context, *sql.Tx) error { after = walSize(t, db); return nil },
	)
	release()
	for _, j := range jobs {
		must(t, j.wait(t.Context()))
	}
	if before != after {
		t.Errorf("the log grew from %d to %d bytes within the group: it was committed in parts", before, after)
	}
	if got := marks(t, db); got != "a b c" {
		t.Errorf("the database holds %q", got)
	}
}

func walSize(t testing.TB, db *DB) int64 {
	t.Helper()
	size, err := fileSize(db.path + "-wal")
	must(t, err)
	return size
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	db := openNew(t)
	release := occupy(t, db)
	defer release()
	var jobs []*job
	for range queueSize {
		jobs = append(jobs, queue(t, db, func(context.Context, *sql.Tx) error { return nil })...)
	}
	if err := db.Writable(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("one write too many returned %v, want ErrBusy", err)
	}
	stats, err := db.Stats(t.Context())
	must(t, err)
	if stats.Queued != queueSize {
		t.Errorf("%d writes are said to wait, want %d", stats.Queued, queueSize)
	}
	release()
	for _, j := range jobs {
		must(t, j.wait(t.Context()))
	}
	must(t, db.Writable(t.Context()))
}

func TestAWriteWhoseCallerLeftIsNotRun(t *testing.T) {
	db := openNew(t)
	release := occupy(t, db)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	j := queue(t, db, insert("left"))[0]
	cancel()
	if err := j.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the write returned %v, want that it was cancelled", err)
	}
	if err := db.write(ctx, "late", insert("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("a write with an ended context returned %v", err)
	}
	release()
	must(t, db.write(t.Context(), "next", insert("next")))
	if got := marks(t, db); got != "next" {
		t.Errorf("the database holds %q, want next alone", got)
	}
}

func TestAWriteThatHasBegunIsFinishedThoughItsCallerLeaves(t *testing.T) {
	db := openNew(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.write(ctx, "begun", func(ctx context.Context, tx *sql.Tx) error {
		cancel()
		return errors.Join(ctx.Err(), insert("begun")(ctx, tx))
	})
	if err != nil {
		t.Errorf("the write returned %v, want that it was kept", err)
	}
	if got := marks(t, db); got != "begun" {
		t.Errorf("the database holds %q", got)
	}
}

func TestAPanicReachesItsCallerAndNobodyElse(t *testing.T) {
	db := openNew(t)
	release := occupy(t, db)
	jobs := queue(t, db,
		insert("a"),
		func(ctx context.Context, tx *sql.Tx) error {
			must(t, insert("half")(ctx, tx))
			panic("out of cheese")
		},
		insert("b"),
	)
	release()
	func() {
		defer func() {
			if v := recover(); v != "out of cheese" {
				t.Errorf("the caller met %v, want the panic of its write", v)
			}
		}()
		_ = jobs[1].wait(t.Context())
	}()
	must(t, jobs[0].wait(t.Context()))
	must(t, jobs[2].wait(t.Context()))
	if got := marks(t, db); got != "a b" {
		t.Errorf("the database holds %q, want a b", got)
	}
}

func TestManyWritersAndReadersAtOnce(t *testing.T) {
	const writers = 200
	db := openNew(t)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			ctx := t.Context()
			id := db.AnswerID("secret", "", "action", fmt.Sprint(i))
			if err := db.KeepAnswer(ctx, id, connector.Answer{Body: fmt.Append(nil, i)}, noon.Add(time.Hour)); err != nil {
				t.Errorf("keeping %d: %v", i, err)
				return
			}
			a, found, err := db.FindAnswer(ctx, id, noon)
			if err != nil || !found || string(a.Body) != fmt.Sprint(i) {
				t.Errorf("answer %d is %q, %v, %v", i, a.Body, found, err)
			}
			switch i % 20 {
			case 0:
				if err := db.Maintain(ctx); err != nil {
					t.Errorf("maintaining: %v", err)
				}
			case 1:
				if _, err := db.PruneAnswers(ctx, noon, 10); err != nil {
					t.Errorf("pruning: %v", err)
				}
			case 2:
				if _, err := db.Stats(ctx); err != nil {
					t.Errorf("stats: %v", err)
				}
			case 3:
				if err := db.RotateMasterKey(ctx); err != nil {
					t.Errorf("rotating: %v", err)
				}
			}
		})
	}
	all.Wait()
	var n int
	must(t, db.readers.QueryRow("SELECT count(*) FROM answers").Scan(&n))
	if n != writers {
		t.Errorf("%d answers are kept, want %d", n, writers)
	}
	if keys := db.vault.keys.Load(); keys.retired() != 0 {
		t.Errorf("%d old master keys are left", keys.retired())
	}
}

func TestStatementsArePreparedOnce(t *testing.T) {
	db := openNew(t)
	for range 5 {
		must(t, db.Writable(t.Context()))
	}
	must(t, db.writer.alone(t.Context(), "look", func(*sql.DB) error {
		if n := len(db.writer.statements); n != 3 { // the savepoint, its release, the heartbeat
			t.Errorf("%d statements are kept, want 3", n)
		}
		if n := len(db.writer.missed); n != 0 {
			t.Errorf("%d statements are still to be prepared", n)
		}
		return nil
	}))
}
