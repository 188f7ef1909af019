package connector_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// fullDisk is a store that cannot keep some things for a while.
type fullDisk struct {
	*sqlite.DB
	starts, answers, settlements atomic.Int32 // how many more of each fail
	kept                         chan []byte  // answers
	settled                      chan time.Time
}

func withFullDisk(d *fullDisk) option {
	d.kept, d.settled = make(chan []byte, 10), make(chan time.Time, 10)
	return func(s *setup) {
		s.callbacks = func(db *sqlite.DB) connector.CallbackStore {
			d.DB = db
			return d
		}
	}
}

var errDiskFull = errors.New("database or disk is full")

func (d *fullDisk) StartCallback(ctx context.Context, id string) (bool, error) {
	if d.starts.Add(-1) >= 0 {
		return false, errDiskFull
	}
	return d.DB.StartCallback(ctx, id)
}

func (d *fullDisk) AnswerCallback(ctx context.Context, c connector.Callback, now time.Time) error {
	if d.answers.Add(-1) >= 0 {
		return errDiskFull
	}
	err := d.DB.AnswerCallback(ctx, c, now)
	d.kept <- c.Answer
	return err
}

func (d *fullDisk) SettleCallback(ctx context.Context, id string, s delivery.State, next time.Time) error {
	if d.settlements.Add(-1) >= 0 {
		return errDiskFull
	}
	err := d.DB.SettleCallback(ctx, id, s, next)
	d.settled <- next
	return err
}

func TestACallbackIsPaidAndPostedOnceThoughTheDiskIsFullForAWhile(t *testing.T) {
	d := &fullDisk{}
	d.starts.Store(2)
	d.answers.Store(1)
	d.settlements.Store(2)
	c := start(t, withFullDisk(d))
	url, got := answers(t)
	if a := c.post("/v1/zapier/actions/chat-completion", question, "X-Callback-Url", url); a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if next := <-d.settled; !next.IsZero() {
		t.Errorf("it is tried again at %s", next)
	}
	if body := <-got; body["status"] != "success" {
		t.Errorf("posted was %v", body)
	}
	if len(got) != 0 || c.sandbox.CallCount("chat/completions") != 1 {
		t.Errorf("%d more posts and %d calls to Soke", len(got), c.sandbox.CallCount("chat/completions"))
	}
}

func TestAPaidAnswerThatWasNotTakenIsKeptAsSoonAsThereIsRoom(t *testing.T) {
	d := &fullDisk{}
	d.answers.Store(3)
	c := start(t, withFullDisk(d))
	url, got := answers(t, http.StatusInternalServerError)
	if a := c.post("/v1/zapier/actions/chat-completion", question, "X-Callback-Url", url); a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if kept := <-d.kept; !bytes.Contains(kept, []byte(`"status":"success"`)) {
		t.Errorf("kept was %s", kept)
	}
	if next := <-d.settled; !next.After(time.Now()) {
		t.Errorf("the next try is at %s", next)
	}
	if body := <-got; body["status"] != "success" || len(got) != 0 {
		t.Errorf("posted was %v, and %d more", body, len(got))
	}
}
