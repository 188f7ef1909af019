package connector

import (
	"net/http"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/triggers"
)

// route is one line of the service's surface. The router, the labels of logs and metrics and
// the OpenAPI document are all made from the same lines.
type route struct {
	method, path string
	// operation labels logs and metrics.
	operation string
	summary   string
	// dialect is whose words the route speaks; nil outside the platforms.
	dialect platform.Dialect
	// credits is what a successful call costs, for the message of a failed one.
	credits int
	// free marks a route whose calls to Soke cost nothing.
	free bool
	// test marks the test of a connection, whose refusals some platforms show differently.
	test bool
	// open routes need no credential; takes are those that one takes all the same, by their names in
	// the OpenAPI document.
	open  bool
	takes []string
	// body and answer are the schemas of both sides; nil where there is no body, or any JSON.
	body, answer *jsonschema.Schema
	query        []string
	// created marks a route that answers with 201 when it has made something.
	created bool
	// accepted marks a route that may answer with 202.
	accepted bool
	// streams marks a route that may answer in events.
	streams bool
	// anyStatus marks a route that may succeed with any status of Soke's.
	anyStatus bool
	// unready marks a route whose answer may also come with 503.
	unready bool
	// headers are the request headers of the route beyond the credential's.
	headers []string
	// doc is the path as OpenAPI shows it, where the router's own form differs.
	doc    string
	handle func(echo.Context, *call) error
}

// table is the whole surface.
func (s *Server) table() []route {
	all := []route{
		{method: http.MethodGet, path: healthPath, operation: "healthz", open: true, summary: "Is the process alive?", answer: answerSchema[statusAnswer](), handle: s.health},
		{method: http.MethodGet, path: "/readyz", operation: "readyz", open: true, summary: "Can it do its work?", answer: answerSchema[statusAnswer](), unready: true, handle: s.ready},
		{method: http.MethodGet, path: "/openapi.json", operation: "openapi", open: true, summary: "This document", handle: s.serveOpenAPI},
		{method: http.MethodPost, path: "/openai/v1/chat/completions", operation: "openai-chat", credits: actions.ChatCredits, summary: "Chat as OpenAI's clients speak it, streaming included", streams: true, handle: s.openAIChat},
		{method: http.MethodGet, path: "/openai/v1/models", operation: "openai-models", summary: "The models that the chat knows", handle: s.openAIModels},
	}
	for _, p := range s.Platforms {
		all = append(all, s.platformTable(p)...)
	}
	return all
}

// platformTable is the surface below /v1/{platform}.
func (s *Server) platformTable(p platform.Dialect) []route {
	root := "/v1/" + string(p.Name())
	all := []route{
		{method: http.MethodGet, path: root + "/connection", operation: "connection", test: true, free: true, summary: "Tests the connection without spending a credit", answer: answerSchema[connectionAnswer](), handle: s.testConnection},
		{method: http.MethodGet, path: root + "/connection/check", operation: "connection-check", test: true, free: true, open: true, takes: []string{"sokeKey", "bearer"}, summary: "The same test, always answered with 200", answer: connectionCheckSchema(), handle: s.checkConnection},
		{method: http.MethodGet, path: root + "/catalog", operation: "catalog", open: true, summary: "The catalogue as data", answer: answerSchema[catalogueAnswer](), handle: s.catalogue},
		{method: http.MethodPost, path: root + "/estimate", operation: "estimate", summary: "What an operation costs; spends and stores nothing", body: estimateInputSchema(), answer: answerSchema[estimateAnswer](), handle: func(c echo.Context, k *call) error { return orStorage(s.estimate(c, k)) }},
		{method: http.MethodPost, path: root + "/actions/:action", operation: "action", open: true, handle: s.unknownAction},
	}
	for _, a := range s.Catalogue.Actions {
		all = append(all, route{
			method: http.MethodPost, path: root + "/actions/" + a.Key, operation: a.Key,
			credits: a.Credits, summary: a.Description,
			body: a.Input.Schema, answer: a.Output.Schema, headers: []string{headerIdempotencyKey, headerCallbackURL}, accepted: true,
			handle: func(c echo.Context, k *call) error { return s.runAction(c, k, a) },
		})
	}
	if len(s.Catalogue.Triggers) > 0 {
		all = append(all, s.triggerTable(p, root)...)
	}
	for _, method := range rawMethods() {
		all = append(all, route{
			method: method, path: root + "/soke/*", doc: root + "/soke/{path}", operation: "soke",
			summary: "An authorised call to any Soke endpoint below /api/v1/ except auth/",
			streams: true, anyStatus: true, handle: s.rawCall,
		})
	}
	for i := range all {
		all[i].dialect = p
	}
	return all
}

// triggerTable is the surface of the triggers.
func (s *Server) triggerTable(p platform.Dialect, root string) []route {
	all := []route{
		{method: http.MethodPost, path: root + "/connection/rotate", operation: "connection-rotate", free: true, summary: "Moves everything made with a previous key to this one", body: inputSchema[rotateInput](), answer: answerSchema[rotateAnswer](), handle: func(c echo.Context, k *call) error { return orStorage(s.rotate(c, k)) }},
	}
	for _, line := range []struct{ method, path string }{
		{http.MethodGet, "/sample"}, {http.MethodPost, "/poll"}, {http.MethodPost, "/subscriptions"}, {http.MethodGet, "/subscriptions"},
		{http.MethodGet, "/subscriptions/:id"}, {http.MethodDelete, "/subscriptions/:id"},
	} {
		all = append(all, route{method: line.method, path: root + "/triggers/:trigger" + line.path, operation: "trigger", open: true, handle: s.unknownTrigger})
	}
	for _, t := range s.Catalogue.Triggers {
		base := root + "/triggers/" + t.Key
		with := func(handle func(echo.Context, *call, triggers.Trigger) error) func(echo.Context, *call) error {
			return func(c echo.Context, k *call) error { return orStorage(handle(c, k, t)) }
		}
		state := answerSchema[subscriptionAnswer]()
		for _, r := range []route{
			{method: http.MethodGet, path: base + "/sample", summary: "What events look like", answer: &jsonschema.Schema{Type: "array", Items: t.Output.Schema}, handle: with(s.sample)},
			{method: http.MethodPost, path: base + "/poll", summary: t.Description, body: pollSchema(t, p.Paging()), answer: listSchema(t, p.Paging()), handle: with(s.poll)},
			{method: http.MethodPost, path: base + "/subscriptions", free: true, summary: "Pushes events to a URL", body: besides(t, inputSchema[subscribeHead]()), answer: answerSchema[subscribedAnswer](), created: true, handle: with(s.subscribe)},
			{method: http.MethodGet, path: base + "/subscriptions", summary: "The caller's subscription with a target", query: []string{"targetUrl"}, answer: state, handle: with(s.findTarget)},
			{method: http.MethodGet, path: base + "/subscriptions/:id", doc: base + "/subscriptions/{id}", summary: "The state of a subscription", answer: state, handle: with(s.showSubscription)},
			{method: http.MethodDelete, path: base + "/subscriptions/:id", doc: base + "/subscriptions/{id}", summary: "Ends a subscription, for its key or its token", open: true, takes: []string{"sokeKey", "token"}, answer: answerSchema[deletedAnswer](), handle: with(s.unsubscribe)},
		} {
			r.operation, r.credits = t.Key, t.Credits
			all = append(all, r)
		}
	}
	return all
}
