package sqlite

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector"
)

func TestAnAnswerIsFoundAsItWasKeptUntilItExpires(t *testing.T) {
	db := openNew(t)
	tests := map[string]connector.Answer{
		"usual":      {InputHash: sha256.Sum256([]byte("in")), Body: []byte(`{"ok":true}`), RequestID: "3d8e"},
		"empty":      {Body: []byte{}},
		"no request": {Body: []byte("b")},
		"largest":    {Body: bytes.Repeat([]byte("x"), maxAnswer), RequestID: strings.Repeat("r", 300)},
	}
	for name, want := range tests {
		id := db.AnswerID("secret", "", "action", name)
		must(t, db.KeepAnswer(t.Context(), id, want, noon.Add(24*time.Hour)))
		for when, expected := range map[time.Time]bool{
			noon: true, noon.Add(24*time.Hour - time.Millisecond): true,
			noon.Add(24 * time.Hour): false, noon.Add(48 * time.Hour): false,
		} {
			got, found, err := db.FindAnswer(t.Context(), id, when)
			must(t, err)
			if found != expected {
				t.Errorf("%s: at %v found is %v", name, when, found)
			}
			if found && (got.InputHash != want.InputHash || got.RequestID != want.RequestID || !bytes.Equal(got.Body, want.Body)) {
				t.Errorf("%s: the answer came back changed", name)
			}
		}
	}
	if _, found, err := db.FindAnswer(t.Context(), [32]byte{9}, noon); found || err != nil {
		t.Errorf("an answer that was never kept is found: %v, %v", found, err)
	}
}

func TestTheFirstAnswerStays(t *testing.T) {
	db := openNew(t)
	keep(t, db, 1, "first")
	keep(t, db, 1, "second")
	if got := find(t, db, 1); got != "first" {
		t.Errorf("the answer is %q, want first", got)
	}
}

func TestAnExpiredAnswerGivesItsPlaceUp(t *testing.T) {
	db := openNew(t)
	must(t, db.KeepAnswer(t.Context(), [32]byte{1}, connector.Answer{Body: []byte("first")}, noon.Add(-time.Second)))
	keep(t, db, 1, "second")
	if got := find(t, db, 1); got != "second" {
		t.Errorf("the answer is %q, want second: the first had expired", got)
	}
}

func TestATooLargeAnswerIsRefused(t *testing.T) {
	db := openNew(t)
	err := db.KeepAnswer(t.Context(), [32]byte{1}, connector.Answer{Body: make([]byte, maxAnswer+1)}, noon.Add(time.Hour))
	if !errors.Is(err, connector.ErrAnswerTooLarge) {
		t.Errorf("keeping it returned %v", err)
	}
}

func TestEveryPartOfACallIsInItsID(t *testing.T) {
	db := openNew(t)
	seen := map[[32]byte][4]string{}
	for _, call := range [][4]string{
		{"k", "a", "x", "1"}, {"k2", "a", "x", "1"}, {"k", "b", "x", "1"}, {"k", "a", "y", "1"}, {"k", "a", "x", "2"},
		{"ka", "", "x", "1"}, {"", "ka", "x", "1"}, {"k", "ax", "", "1"}, {"k", "a", "x1", ""}, {"", "", "", ""},
	} {
		id := db.AnswerID(call[0], call[1], call[2], call[3])
		if other, taken := seen[id]; taken {
			t.Errorf("%q and %q have the same id", call, other)
		}
		seen[id] = call
	}
}

func TestPruningDeletesTheExpiredInBatches(t *testing.T) {
	db := openNew(t)
	for i := range byte(10) {
		must(t, db.KeepAnswer(t.Context(), [32]byte{i}, connector.Answer{Body: []byte{i}}, noon.Add(time.Duration(i)*time.Minute)))
	}
	now := noon.Add(6 * time.Minute) // 0 to 6 have expired: seven.
	for call, want := range []int{3, 3, 1, 0} {
		got, err := db.PruneAnswers(t.Context(), now, 3)
		must(t, err)
		if got != want {
			t.Errorf("call %d deleted %d, want %d", call, got, want)
		}
		if call == 0 && (find(t, db, 3) == "" || find(t, db, 2) != "") {
			t.Error("the first call did not delete the oldest")
		}
	}
	for _, limit := range []int{0, -1} {
		if got, err := db.PruneAnswers(t.Context(), noon.Add(time.Hour), limit); got != 0 || err != nil {
			t.Errorf("with limit %d it deleted %d, %v", limit, got, err)
		}
	}
	for i := range byte(10) {
		if kept := find(t, db, i) != ""; kept != (i > 6) {
			t.Errorf("answer %d is kept: %v", i, kept)
		}
	}
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add(encodeAnswer(connector.Answer{Body: []byte("body"), RequestID: "id"}))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAnswer(b)
		if err == nil && !bytes.Equal(encodeAnswer(a), b) {
			t.Errorf("%x was read as %+v, which is written otherwise", b, a)
		}
	})
}
