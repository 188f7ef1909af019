package connector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/triggers"
)

// described caches each service's own document, as the service serves it.
var described sync.Map // *service → routers.Router

func documentOf(t testing.TB, s *service) routers.Router {
	t.Helper()
	if r, ok := described.Load(s); ok {
		return r.(routers.Router)
	}
	resp, err := s.client.Get(s.url + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(raw)
	if err != nil {
		t.Fatalf("the OpenAPI document does not load: %v", err)
	}
	if err := doc.Validate(context.Background(), openapi3.IsOpenAPI31OrLater()); err != nil {
		t.Fatalf("the OpenAPI document is not valid: %v", err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	described.Store(s, router)
	t.Cleanup(func() { described.Delete(s) })
	return router
}

// validateAgainstOpenAPI holds every answer of every HTTP test to the service's own document.
// Paths that the document does not have are those that the service refuses.
func validateAgainstOpenAPI(t testing.TB, s *service, req *http.Request, a answer) {
	t.Helper()
	if req.URL.Path == "/openapi.json" || strings.Contains(a.header.Get("Content-Type"), "event-stream") {
		return
	}
	route, params, err := documentOf(t, s).FindRoute(req)
	if err != nil {
		return
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: req, PathParams: params, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
		},
		Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil {
		t.Errorf("%s %s answered %d outside its OpenAPI document: %v\n%s", req.Method, req.URL.Path, a.status, err, a.body)
	}
}

func TestOpenAPIDocumentsEveryRouteAndEveryOperation(t *testing.T) {
	s := startWatching(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	a := s.call(http.MethodGet, "/openapi.json", "")
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi is %q, want 3.1.0", doc.OpenAPI)
	}
	documentOf(t, s.service)
	want := []string{"/healthz", "/readyz", "/openapi.json", "/openai/v1/chat/completions", "/openai/v1/models"}
	for _, p := range platforms() {
		root := "/v1/" + string(p.Name())
		want = append(want, root+"/connection", root+"/connection/check", root+"/connection/rotate", root+"/catalog", root+"/estimate", root+"/soke/{path}")
		for _, a := range actions.All() {
			want = append(want, root+"/actions/"+a.Key)
		}
		for _, tr := range triggers.All() {
			base := root + "/triggers/" + tr.Key
			want = append(want, base+"/sample", base+"/poll", base+"/subscriptions", base+"/subscriptions/{id}")
		}
	}
	for _, path := range want {
		if doc.Paths[path] == nil {
			t.Errorf("the document lacks %s", path)
		}
	}
	if len(doc.Paths) != len(want) {
		t.Errorf("the document has %d paths, want %d", len(doc.Paths), len(want))
	}
}

func TestOpenAPISaysWhichCredentialsAnOperationTakes(t *testing.T) {
	s := start(t)
	var doc struct {
		Tags  []struct{ Name string }
		Paths map[string]map[string]struct {
			Tags     []string
			Security []map[string][]string
		}
	}
	if err := json.Unmarshal(s.call(http.MethodGet, "/openapi.json", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]map[string]string{
		"/v1/make/catalog":                   {"get": "[]"},
		"/v1/make/connection":                {"get": `[{"sokeKey":[]},{"bearer":[]}]`},
		"/v1/make/connection/check":          {"get": `[{"sokeKey":[]},{"bearer":[]},{}]`},
		"/v1/make/actions/research-keywords": {"post": `[{"sokeKey":[]},{"bearer":[]}]`},
		"/openai/v1/chat/completions":        {"post": `[{"sokeKey":[]},{"bearer":[]}]`},
		"/v1/make/soke/{path}":               {"get": `[{"sokeKey":[]},{"bearer":[]}]`},
	} {
		for method, security := range want {
			if got, err := json.Marshal(doc.Paths[path][method].Security); err != nil || string(got) != security {
				t.Errorf("%s %s takes %s, want %s", method, path, got, security)
			}
		}
	}
	known := map[string]bool{}
	for _, tag := range doc.Tags {
		known[tag.Name] = true
	}
	for path, methods := range doc.Paths {
		for method, operation := range methods {
			if len(operation.Tags) != 1 || !known[operation.Tags[0]] {
				t.Errorf("%s %s has tags %v, known are %v", method, path, operation.Tags, known)
			}
		}
	}
}
