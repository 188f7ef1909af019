package sqlite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/connector/storetest"
	"github.com/usesoke/soke-connector/triggers/delivery"
)

func TestKeysTargetsAndTokensLieNowhereInClear(t *testing.T) {
	h, db := newHarness(t)
	populate(h)
	s, err := h.Subscribe(t.Context(), h.Subscribing("a", "new-keyword", "espresso", "https://five.example/canary-five"))
	must(t, err)
	c := connector.Callback{ID: "cbk_1", Platform: "zapier", Action: "chat-completion", RequestID: "r-1", Created: h.Clock()}
	c.Secret = connector.CallbackSecret{
		Credential: soke.Credential{Key: h.Key("callback"), AccountID: "acc_canary"}, IdempotencyKey: "canary-idempotency",
		Input: json.RawMessage(`{"prompt":"canary prompt"}`), Target: "https://hooks.zapier.com/canary",
	}
	must(t, db.AddCallback(t.Context(), c))
	c.ID = "cbk_2" // an answered one keeps less
	must(t, db.AddCallback(t.Context(), c))
	c.Answer = []byte(`{"content":"canary answer"}`)
	must(t, db.AnswerCallback(t.Context(), c, h.Clock()))
	canaries := []string{"sk_live_storetest", "canary", strings.TrimPrefix(s.Token, "unsub_")}
	look := func(when string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Dir(db.path) + "/*")
		must(t, err)
		if len(files) < 3 {
			t.Fatalf("%s there are only %q", when, files)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			must(t, err)
			for _, c := range canaries {
				if bytes.Contains(content, []byte(c)) {
					t.Errorf("%s %s holds %q in clear", when, filepath.Base(file), c)
				}
			}
			if !strings.HasSuffix(file, ".key") && !strings.HasSuffix(file, ".lock") && !strings.HasSuffix(file, "-shm") && !bytes.Contains(content, []byte("espresso")) {
				t.Errorf("%s %s does not even hold what is in clear", when, filepath.Base(file))
			}
		}
	}
	must(t, db.checkpoint(t.Context()))
	h.Research(s.WatchID, storetest.Words("so that the log is not empty either", "espresso")...)
	look("while open")
	must(t, db.RotateMasterKey(t.Context()))
	h.Research(s.WatchID, storetest.Words("espresso once more")...)
	look("after a rotation of the master key")
}

func TestARotationOfTheMasterKeySealsConnectionsAndSubscriptionsAnew(t *testing.T) {
	h, db := newHarness(t)
	populate(h)
	sealed := map[string]int{"connections.key": 2, "connections.previous_key": 1, "subscriptions.target": 4, "subscriptions.token": 4}
	old := string(db.vault.keys.Load().mark)
	must(t, db.RotateMasterKey(t.Context()))
	mark := string(db.vault.keys.Load().mark)
	if mark == old {
		t.Fatal("the master key is the same")
	}
	for place, want := range sealed {
		table, column, _ := strings.Cut(place, ".")
		query := fmt.Sprintf("SELECT count(*) FROM %s WHERE %s IS NOT NULL AND substr(%[2]s, 1, %d) = x'%x'", table, column, len(mark), mark)
		if got := count(t, db, query); got != want {
			t.Errorf("%d values of %s are sealed under the new key, want %d", got, place, want)
		}
	}
	closeDB(t, db)
	db = openClocked(t, db.path, h.Clock)
	h.Store = db
	targets := map[string]bool{}
	due, _, err := db.DueDeliveries(t.Context(), h.Clock().Add(time.Hour), delivery.Room{Limit: 100, Each: 100})
	must(t, err)
	for _, d := range due {
		targets[d.Target] = true
		if d.Key.IsZero() {
			t.Errorf("the delivery to %s has no key", d.Host)
		}
	}
	if len(targets) != 4 || !targets["https://one.example/canary-one?token=canary-query"] {
		t.Errorf("delivered to %v", targets)
	}
	for _, d := range due {
		if d.Host == "one.example" && d.PreviousKey.Reveal() != h.Key("canary_old").Reveal() {
			t.Error("the previous key is lost")
		}
	}
}

func TestAKeyThatReturnsAfterARotationHasAConnectionOfItsOwn(t *testing.T) {
	h, db := newHarness(t)
	first := h.Open("a", "new-keyword", "espresso").Watch
	_, err := db.Rotate(t.Context(), h.Key("a"), h.Key("b"), h.Clock())
	must(t, err)
	back := h.Open("a", "new-keyword", "espresso").Watch
	if back.ID == first.ID || back.ConnectionID == first.ConnectionID {
		t.Errorf("the key that was rotated away is back in %s", first.ConnectionID)
	}
	again := h.Open("a", "new-keyword", "espresso").Watch
	if again.ID != back.ID {
		t.Errorf("it has the watches %s and %s", back.ID, again.ID)
	}
}

func TestARotationLooksAtNoRowOfAnybodyElse(t *testing.T) {
	db := openNew(t)
	for _, query := range slices.Concat([]string{writeDown}, mergeWatches, mergeConnections, forgetPauses) {
		plan := explain(t, db, query, "one", "other", "[]")
		for _, line := range plan {
			if strings.HasPrefix(line, "SCAN") && !strings.HasPrefix(line, "SCAN p VIRTUAL TABLE") {
				t.Errorf("%s: %q", query, plan)
			}
		}
	}
}
