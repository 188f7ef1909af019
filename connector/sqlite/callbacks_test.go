package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

// callbackOf is a callback of a key that has just been accepted.
func callbackOf(t *testing.T, key, id string) connector.Callback {
	t.Helper()
	k, err := soke.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return connector.Callback{
		ID: id, Platform: "zapier", Action: "chat-completion", Created: noon,
		Secret: connector.CallbackSecret{Credential: soke.Credential{Key: k}, Input: []byte(`{"prompt":"` + strings.Repeat("a", 10_000) + `"}`), Target: "https://hooks.zapier.com/1"},
	}
}

func TestOfACallbackOnlyWhatIsStillNeededIsKept(t *testing.T) {
	db := openNew(t)
	c := callbackOf(t, "sk_live_callback_1", "cbk_1")
	must(t, db.AddCallback(t.Context(), c))
	c.Answer = []byte(`{"status":"failed"}`)
	must(t, db.AnswerCallback(t.Context(), c, noon))
	due, _, err := db.DueCallbacks(t.Context(), noon, 10, 10, nil)
	must(t, err)
	if len(due) != 1 || due[0].Secret.Target != c.Secret.Target || string(due[0].Answer) != string(c.Answer) {
		t.Fatalf("due are %+v", due)
	}
	if !due[0].Secret.Credential.Key.IsZero() || len(due[0].Secret.Input) > len("null") {
		t.Errorf("an answered callback still holds %s and an input of %d bytes", due[0].Secret.Credential.Key, len(due[0].Secret.Input))
	}
	must(t, db.SettleCallback(t.Context(), c.ID, delivery.State{Attempts: 1, Failures: 1, FailingSince: noon}, noon.Add(time.Hour)))
	if due, next, err := db.DueCallbacks(t.Context(), noon, 10, 10, nil); err != nil || len(due) != 0 || !next.Equal(noon.Add(time.Hour)) {
		t.Errorf("%d are due, the next at %s, %v", len(due), next, err)
	}
	must(t, db.SettleCallback(t.Context(), c.ID, delivery.State{}, time.Time{}))
	var rows int
	must(t, db.readers.QueryRow("SELECT count(*) FROM callbacks").Scan(&rows))
	if rows != 0 {
		t.Errorf("%d rows are kept of a callback that is done", rows)
	}
}

func TestTheCallbacksOfOneKeyLeaveRoomForOthers(t *testing.T) {
	db := openNew(t)
	for i := range callbacksOfOne {
		must(t, db.AddCallback(t.Context(), callbackOf(t, "sk_live_callback_1", fmt.Sprint("cbk_", i))))
	}
	if err := db.AddCallback(t.Context(), callbackOf(t, "sk_live_callback_1", "cbk_more")); !errors.Is(err, connector.ErrTooManyCallbacks) {
		t.Errorf("one more was answered with %v", err)
	}
	must(t, db.AddCallback(t.Context(), callbackOf(t, "sk_live_callback_2", "cbk_other")))
	var busy []string
	for range 3 {
		due, _, err := db.DueCallbacks(t.Context(), noon, 100, 20, busy)
		must(t, err)
		for _, c := range due {
			busy = append(busy, c.ID)
		}
	}
	if len(busy) != 21 || !slices.Contains(busy, "cbk_other") {
		t.Errorf("%d are at work, want 20 of the one key and that of the other: %v", len(busy), busy)
	}
}

func TestACallbackThatAClockAheadHasPutOffIsDueWhenTheClockIsRightAgain(t *testing.T) {
	h, db := newHarness(t)
	due := func() int {
		t.Helper()
		all, _, err := db.DueCallbacks(t.Context(), h.Clock(), 10, 10, nil)
		must(t, err)
		return len(all)
	}
	c := connector.Callback{ID: "cbk_1", Platform: "zapier", Action: "chat-completion", State: connector.CallbackAccepted}
	c.Secret.Credential.Key, c.Secret.Input = h.Key("a"), []byte("{}")
	h.Pass(20 * time.Hour)
	c.Created = h.Clock()
	must(t, db.AddCallback(t.Context(), c))
	h.Pass(-20 * time.Hour)
	if n := due(); n != 1 {
		t.Errorf("%d accepted callbacks are due", n)
	}
	h.Pass(20 * time.Hour)
	must(t, db.SettleCallback(t.Context(), c.ID, delivery.State{Attempts: 1, Failures: 1, FailingSince: h.Clock()}, h.Clock().Add(time.Hour)))
	if n := due(); n != 0 {
		t.Errorf("%d callbacks are due before their time", n)
	}
	h.Pass(-time.Second)
	if n := due(); n != 0 {
		t.Errorf("%d callbacks are due after a small step of the clock", n)
	}
	h.Pass(-20 * time.Hour)
	if n := due(); n != 1 {
		t.Errorf("%d callbacks are due that were put off by a clock ahead", n)
	}
}
