package triggers_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/usesoke/soke-connector/triggers"
)

// golden holds identities that are in the databases of users and in the memory of platforms. A
// change of any of them repeats every event that was ever reported, so there is no flag to write
// the file anew.
type golden struct {
	Watches []struct{ Connection, Account, Research, Schedule, Timezone, ID string }
	Feeds   []struct{ Watch, Trigger, Parameters, ID string }
	Runs    []struct {
		Watch, ID string
		Due       time.Time
	}
	Events []struct {
		Feed, Keyword, Version, ID string
		Due                        time.Time
	}
	Deliveries []struct{ Subscription, Occasion, ID string }
	Folds      []struct{ Keyword, Fold string }
}

func TestIdentitiesNeverChange(t *testing.T) {
	text, err := os.ReadFile("testdata/identities.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	count := 0
	expect := func(got, want string) {
		t.Helper()
		if count++; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, w := range g.Watches {
		expect(triggers.WatchID(w.Connection, w.Account, []byte(w.Research), schedule(t, w.Schedule, w.Timezone)), w.ID)
	}
	for _, f := range g.Feeds {
		expect(triggers.FeedID(f.Watch, f.Trigger, f.Parameters), f.ID)
	}
	for _, r := range g.Runs {
		expect(triggers.RunID(r.Watch, r.Due), r.ID)
	}
	for _, e := range g.Events {
		expect(triggers.EventID(e.Due, e.Feed, e.Keyword, e.Version), e.ID)
	}
	for _, d := range g.Deliveries {
		expect(triggers.DeliveryID(d.Subscription, d.Occasion), d.ID)
	}
	for _, f := range g.Folds {
		expect(triggers.Fold(f.Keyword), f.Fold)
	}
	if count < 20 {
		t.Errorf("the file holds only %d identities", count)
	}
}

func TestIdentitiesAreShortEnoughForEveryPlatform(t *testing.T) {
	due := instant("2026-11-23T10:00:00Z")
	long := strings.Repeat("home espresso ", 500)
	for id, shape := range map[string]string{
		triggers.WatchID("con_1", "acc_main", []byte(long), schedule(t, "@daily", "UTC")): `^wch_[0-9a-v]{26}$`,
		triggers.FeedID("wch_1", "new-keyword", long):                                     `^fee_[0-9a-v]{26}$`,
		triggers.RunID("wch_1", due):                                                      `^run_[0-9a-v]{26}$`,
		triggers.EventID(due, "fee_1", long, "seen"):                                      `^evt_[0-9a-v]{34}$`,
		triggers.DeliveryID("sub_1", long):                                                `^dlv_[0-9a-v]{26}$`,
	} {
		if !regexp.MustCompile(shape).MatchString(id) {
			t.Errorf("%s is not like %s", id, shape)
		}
	}
}

func TestPartsOfAnIdentityDoNotRunIntoOneAnother(t *testing.T) {
	due := instant("2026-11-23T10:00:00Z")
	ids := map[string]string{}
	for what, id := range map[string]string{
		"feed and keyword":    triggers.EventID(due, "fee_1a", "b", "c"),
		"moved by one":        triggers.EventID(due, "fee_1", "ab", "c"),
		"keyword and version": triggers.EventID(due, "fee_1a", "bc", ""),
		"no keyword":          triggers.EventID(due, "fee_1a", "", "bc"),
		"another time":        triggers.EventID(due.Add(time.Millisecond), "fee_1a", "b", "c"),
	} {
		if other, taken := ids[id]; taken {
			t.Errorf("%s and %s share %s", what, other, id)
		}
		ids[id] = what
	}
}

func TestIDsSortByTheTimeOfTheirRun(t *testing.T) {
	latest := ""
	for _, due := range []string{"1970-01-01T00:00:00Z", "2001-09-09T01:46:39.999Z", "2001-09-09T01:46:40Z", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00.001Z", "2106-02-07T06:28:16Z", "9999-12-31T23:59:59Z"} {
		for _, keyword := range []string{"zzz", "aaa"} {
			id := triggers.EventID(instant(due), "fee_1", keyword, "seen")
			if stamp := id[:14]; stamp < latest {
				t.Errorf("%s of %s sorts before %s", id, due, latest)
			}
		}
		latest = triggers.EventID(instant(due), "fee_1", "aaa", "seen")[:14]
	}
}

func TestSpellingsThatAPersonTakesForOneKeywordFoldToOne(t *testing.T) {
	for _, w := range words {
		for _, s := range w.spellings {
			if got, want := triggers.Fold(s), triggers.Fold(w.spellings[0]); got != want {
				t.Errorf("%q folds to %q, %q to %q", s, got, w.spellings[0], want)
			}
		}
	}
	folds := map[string]string{}
	for _, distinct := range []string{"grinder", "grinders", "cafe", "café", "espresso 1", "espresso 2", "home espresso", "homeespresso", "c", "c++", "c#"} {
		if other, taken := folds[triggers.Fold(distinct)]; taken {
			t.Errorf("%q and %q are one keyword", distinct, other)
		}
		folds[triggers.Fold(distinct)] = distinct
	}
}

func TestNoCharacterIsFoldedTwiceNorApartFromItsOtherCases(t *testing.T) {
	for r := range unicode.MaxRune + 1 {
		if !unicode.IsGraphic(r) {
			continue
		}
		once := triggers.Fold(string(r))
		if again := triggers.Fold(once); again != once {
			t.Errorf("%+q folds to %+q and then to %+q", r, once, again)
		}
		if other := unicode.SimpleFold(r); triggers.Fold(string(other)) != once {
			t.Errorf("%+q folds to %+q, its other case %+q to %+q", r, once, other, triggers.Fold(string(other)))
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, w := range words {
		for _, s := range w.spellings {
			f.Add(s)
		}
	}
	f.Add("ǰ\u0323")
	f.Add("\u0345\u0301α")
	f.Fuzz(func(t *testing.T, s string) {
		once := triggers.Fold(s)
		if again := triggers.Fold(once); again != once {
			t.Errorf("%+q folds to %+q and then to %+q", s, once, again)
		}
		if strings.TrimSpace(once) != once || strings.Contains(once, "  ") {
			t.Errorf("%+q folds to %+q", s, once)
		}
	})
}
