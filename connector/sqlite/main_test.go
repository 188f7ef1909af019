package sqlite

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usesoke/soke-connector/connector"
)

// openVariable makes the test binary a second process: it opens the database that the variable
// names, says what came of it and ends.
const openVariable = "SOKE_TEST_OPEN"

// TestMain keeps the property tests, each of whose checks opens databases, to what CI has time for;
// -rapid.checks asks for more.
func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "12")
	if path := os.Getenv(openVariable); path != "" {
		db, err := Open(context.Background(), Options{Path: path})
		if err != nil {
			fmt.Fprintln(os.Stdout, err)
			os.Exit(1)
		}
		fmt.Fprintln(os.Stdout, "opened")
		if err := db.Close(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// openAt opens the database at path, with the clock at noon, until the test ends.
func openAt(t testing.TB, path string) *DB {
	t.Helper()
	return openClocked(t, path, func() time.Time { return noon })
}

func openClocked(t testing.TB, path string, now func() time.Time) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{
		Path: path, Now: now, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	must(t, err)
	t.Cleanup(func() { closeDB(t, db) })
	return db
}

func openNew(t testing.TB) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "connector.db"))
}

func closeDB(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keep keeps an answer under id for an hour.
func keep(t testing.TB, db *DB, id byte, body string) {
	t.Helper()
	must(t, db.KeepAnswer(context.Background(), [32]byte{id}, connector.Answer{Body: []byte(body)}, noon.Add(time.Hour)))
}

// find returns the body kept under id, "" if there is none.
func find(t testing.TB, db *DB, id byte) string {
	t.Helper()
	a, found, err := db.FindAnswer(context.Background(), [32]byte{id}, noon)
	must(t, err)
	if !found {
		return ""
	}
	return string(a.Body)
}
