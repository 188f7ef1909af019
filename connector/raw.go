package connector

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

// rawMethods are the methods of Soke's API.
func rawMethods() []string {
	return []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
}

// rawCall forwards an authorised call to any endpoint of Soke's: what Make's mandatory "Make an
// API call" and n8n's custom call are for.
func (s *Server) rawCall(c echo.Context, k *call) error {
	r := c.Request()
	_, escaped, _ := strings.Cut(r.URL.EscapedPath(), "/soke/")
	path, err := sokePath(escaped)
	if err != nil {
		return err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &schemas.FieldError{Field: "query", Label: "Query", Problem: "it cannot be decoded", Accepted: "name=value pairs with & between them, percent-encoded"}
	}
	body, err := readRawBody(c)
	if err != nil {
		return err
	}
	call := soke.Call{Operation: k.route.operation, Method: r.Method, Path: path, Query: query, Body: body}
	if path == "chat/completions" && wantsStream(body) {
		return s.rawStream(c, k, call)
	}
	answer, err := k.session.Do(r.Context(), call)
	if err != nil {
		return err
	}
	return writeRaw(c, answer)
}

// rawStream forwards a call whose answer comes in events, or whole where Soke does not stream.
func (s *Server) rawStream(c echo.Context, k *call, call soke.Call) error {
	stream, err := k.session.Stream(c.Request().Context(), call)
	if err != nil {
		return err
	}
	defer stream.Close()
	if answer := stream.Whole(); answer != nil {
		return writeRaw(c, answer)
	}
	return s.relay(c, k, stream)
}

// writeRaw answers with what Soke sent.
func writeRaw(c echo.Context, answer *soke.Answer) error {
	sokeHeaders(c.Response().Header(), answer.RequestID, answer.Limits)
	if len(answer.Body) == 0 {
		return c.NoContent(answer.Status)
	}
	return c.JSONBlob(answer.Status, answer.Body)
}

func readRawBody(c echo.Context) ([]byte, error) {
	body, err := readBody(c.Response(), c.Request())
	if err != nil || len(body) == 0 {
		return nil, err
	}
	if err := requireJSON(c.Request()); err != nil {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, &schemas.FieldError{Field: "body", Label: "Body", Problem: "it is not JSON", Accepted: "one JSON value"}
	}
	return body, nil
}

func wantsStream(body []byte) bool {
	var asked struct {
		Stream bool `json:"stream"`
	}
	return json.Unmarshal(body, &asked) == nil && asked.Stream
}

var segmentForm = regexp.MustCompile(`^[A-Za-z0-9._~:@-]{1,200}$`)

// sokePath returns the path of an endpoint below /api/v1/, decoded and proved unable to leave it:
// every segment is made of characters that mean nothing to any server on the way, so neither a
// second decoding nor a rewriting can turn it into another path. People paste paths with a slash
// or with /api/v1 in front; both are taken off.
func sokePath(escaped string) (string, error) {
	decoded, err := url.PathUnescape(escaped)
	if err != nil || len(decoded) > 1000 {
		return "", pathError("it cannot be decoded or is too long")
	}
	path := strings.Trim(decoded, "/")
	path = strings.TrimPrefix(path, "api/v1/")
	for segment := range strings.SplitSeq(path, "/") {
		if !segmentForm.MatchString(segment) || strings.Trim(segment, ".") == "" {
			return "", pathError("the segment " + schemas.Quote(segment) + " is not part of any endpoint")
		}
	}
	first, _, _ := strings.Cut(path, "/")
	if strings.EqualFold(first, "auth") {
		return "", pathError("signing in is not possible through the connector")
	}
	return path, nil
}

func pathError(problem string) error {
	return &schemas.FieldError{
		Field: "path", Label: "Path", Problem: problem,
		Accepted: "a Soke endpoint below /api/v1/ such as research/keywords, except auth/",
	}
}
