package triggers

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// alphabet sorts as text like the bytes it encodes.
var alphabet = base32.HexEncoding.WithPadding(base32.NoPadding)

// WatchID is the identity of a watch: what it is, not when it was made.
func WatchID(connectionID, accountID string, research []byte, s Schedule) string {
	return "wch_" + digest(16, connectionID, accountID, string(research), s.Expression(), s.Timezone())
}

// FeedID is the identity of what a trigger with its parameters reports of a watch.
func FeedID(watchID, trigger, parameters string) string {
	return "fee_" + digest(16, watchID, trigger, parameters)
}

// RunID is the identity of the run of a watch that was due at a time. A run that is repeated after
// a crash is the same run.
func RunID(watchID string, due time.Time) string {
	return "run_" + stamp(due) + digest(10, watchID, due.UTC().Format(time.RFC3339Nano))
}

// EventID is the identity of an event: a feed reports it once, of a keyword ("" for a whole run's
// report), in a version that counts the changes of the keyword. It sorts by the run's due time.
func EventID(due time.Time, feedID, keyword, version string) string {
	return "evt_" + stamp(due) + digest(15, feedID, Fold(keyword), version)
}

// Fold is the form in which keywords are compared: two spellings that a person would take for the
// same keyword fold to the same text (NFKC, case folding, single spaces).
func Fold(keyword string) string {
	folded := strings.Map(cherokee, cases.Fold().String(norm.NFKC.String(keyword)))
	return strings.Join(strings.Fields(norm.NFKC.String(folded)), " ")
}

// cherokee makes up for x/text, which swaps the cases of Cherokee letters instead of folding them:
// Unicode folds these, alone of all scripts, to upper case.
func cherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

// stamp is a time in milliseconds as ten characters that sort.
func stamp(t time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.UnixMilli()))
	return strings.ToLower(alphabet.EncodeToString(b[2:]))
}

// digest hashes parts, each with its length in front so that no two lists of parts meet.
func digest(size int, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(p)))
		h.Write([]byte(p))
	}
	return strings.ToLower(alphabet.EncodeToString(h.Sum(nil)[:size]))
}

// Nonce returns n random bytes as text that fits an id.
func Nonce(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails: the runtime would stop the process
	return strings.ToLower(alphabet.EncodeToString(b))
}

// DeliveryID is the identity of what a subscription is told of a run, or of what names the
// occasion of a delivery that tells of no run.
func DeliveryID(subscriptionID, occasion string) string {
	return "dlv_" + digest(16, subscriptionID, occasion)
}
