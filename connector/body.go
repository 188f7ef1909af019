package connector

import (
	"errors"
	"io"
	"mime"
	"net/http"

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
	if err != nil {
		return nil, &soke.Error{Code: soke.InvalidInput, Message: "The request body broke off before its end.", Err: err}
	}
	return body, nil
}

// requireJSON refuses a body that is not declared as JSON.
func requireJSON(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &soke.Error{Code: soke.UnsupportedMediaType, Message: "Send the body as JSON with Content-Type: application/json."}
	}
	return nil
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
