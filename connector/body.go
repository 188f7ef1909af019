package connector

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

// maxBody bounds what a caller may send.
const maxBody = 1 << 20

// readBody reads a request's body whole. Its errors are *soke.Error.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := &soke.Error{Code: soke.PayloadTooLarge, Message: "The request body is larger than 1 MiB."}
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		return nil, tooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &soke.Error{Code: soke.InvalidInput, Message: "The request body did not arrive in time. Send it again at once.", NotSent: true, Err: err}
	}
	if err != nil {
		return nil, &soke.Error{Code: soke.InvalidInput, Message: "The request body broke off before its end.", NotSent: true, Err: err}
	}
	// What follows may take long, and no deadline of the body's may end it.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// boundBody gives the caller a time to send the body in. It holds for every request, because
// net/http waits for the rest of a body that nobody has read, too. A request without a body must
// not have it: net/http would take the deadline for a caller that has left.
func (s *Server) boundBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.BodyTimeout))
}

// requireJSON refuses a body that is not declared as JSON in UTF-8, uncompressed.
func requireJSON(r *http.Request) error {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, coding := parameters["charset"], r.Header.Get("Content-Encoding")
	switch {
	case err != nil || kind != "application/json":
		return unsupported("Send the body as JSON with Content-Type: application/json.")
	case charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii"):
		return unsupported("Send the body in UTF-8, which is what JSON is written in.")
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return unsupported("Send the body uncompressed, without Content-Encoding.")
	}
	return nil
}

func unsupported(message string) error {
	return &soke.Error{Code: soke.UnsupportedMediaType, Message: message}
}

// readForm reads a JSON object. Its errors are *soke.Error or *schemas.FieldError.
func readForm(w http.ResponseWriter, r *http.Request) (*schemas.Object, error) {
	if err := requireJSON(r); err != nil {
		return nil, err
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	return schemas.ParseObject(body)
}
