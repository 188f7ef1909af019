package connector

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"github.com/usesoke/soke-connector/schemas"
)

// A cursor is a place in a feed, with a checksum of both, so that one that was cut, made up or
// taken from another feed is refused instead of losing events.
const (
	placeSize = 8
	checkSize = 8
)

func formatCursor(place int64, feedID string) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(place))
	return base64.RawURLEncoding.EncodeToString(append(b, cursorCheck(b, feedID)...))
}

// isCursor reports whether a text can be a cursor, of whatever feed.
func isCursor(text string) bool {
	_, ok := decodeCursor(text)
	return ok
}

func decodeCursor(text string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return b, err == nil && len(b) == placeSize+checkSize
}

func parseCursor(text, feedID string) (int64, error) {
	b, ok := decodeCursor(text)
	if !ok || subtle.ConstantTimeCompare(b[placeSize:], cursorCheck(b[:placeSize], feedID)) != 1 {
		return 0, errCursor()
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

func errCursor() error {
	return &schemas.FieldError{
		Field: "cursor", Label: "Cursor", Problem: "it is not a cursor of this trigger with this input",
		Accepted: "the cursor of the poll before, or nothing to begin anew",
	}
}

func cursorCheck(place []byte, feedID string) []byte {
	sum := sha256.Sum256(append([]byte(feedID), place...))
	return sum[:checkSize]
}
