package connector

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

// serveOpenAPI serves the document made when the server was built.
func (s *Server) serveOpenAPI(c echo.Context, _ *call) error {
	return c.JSONBlob(http.StatusOK, s.openAPI)
}

// doc is one object of the OpenAPI document.
type doc = map[string]any

// document renders the routes as OpenAPI 3.1.
func (s *Server) document() ([]byte, error) {
	paths := doc{}
	for _, r := range s.routes {
		if r.summary == "" {
			continue // A route that only words a refusal is not an operation.
		}
		path := r.path
		if r.doc != "" {
			path = r.doc
		}
		item, ok := paths[path].(doc)
		if !ok {
			item = doc{}
			paths[path] = item
		}
		item[strings.ToLower(r.method)] = s.operation(r, path)
	}
	d := doc{
		"openapi": "3.1.0",
		"info": doc{
			"title":       "Soke connector",
			"version":     s.Version,
			"description": "Keyword research and chat for YouTube creators in Zapier, n8n and Make.",
			"license":     doc{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers": []doc{{"url": cmp.Or(s.PublicURL, "/")}},
		"tags":    s.tags(),
		"paths":   paths,
		"components": doc{
			"securitySchemes": doc{
				"sokeKey": doc{"type": "apiKey", "in": "header", "name": headerKey, "description": "An API key from Soke's Settings > API Keys."},
				"bearer":  doc{"type": "http", "scheme": "bearer", "description": "A Soke access token, or an API key where a client can send only a bearer."},
				"token":   doc{"type": "apiKey", "in": "header", "name": headerUnsubscribeToken, "description": "What a subscription was answered with; it ends that one where there is no key."},
			},
			"schemas": doc{"Failure": failureSchema(), "OpenAIFailure": openAIFailureSchema()},
		},
	}
	return json.Marshal(d)
}

// tags group the operations: by platform, OpenAI's dialect, and what belongs to neither.
func (s *Server) tags() []doc {
	all := make([]doc, 0, len(s.Platforms)+2)
	for _, p := range s.Platforms {
		all = append(all, doc{"name": string(p.Name()), "description": "What the connector's package for " + string(p.Name()) + " calls."})
	}
	return append(all,
		doc{"name": "openai", "description": "What OpenAI's clients call."},
		doc{"name": "service", "description": "About the connector itself."})
}

func (r route) tag() string {
	switch {
	case r.dialect != nil:
		return string(r.dialect.Name())
	case strings.HasPrefix(r.path, "/openai/"):
		return "openai"
	}
	return "service"
}

var operationIDForm = regexp.MustCompile(`[^A-Za-z0-9]+`)

// operation renders one route.
func (s *Server) operation(r route, path string) doc {
	op := doc{
		"operationId": strings.Trim(operationIDForm.ReplaceAllString(strings.ToLower(r.method)+"-"+path, "-"), "-"),
		"summary":     r.summary,
		"tags":        []string{r.tag()},
		"responses":   responses(r),
	}
	var parameters []doc
	if strings.Contains(path, "{path}") {
		parameters = append(parameters, parameter("path", "path", "The endpoint below /api/v1/."))
	}
	if strings.Contains(path, "{id}") {
		parameters = append(parameters, parameter("path", "id", "The subscription's id."))
	}
	for _, name := range r.headers {
		parameters = append(parameters, parameter("header", name, ""))
	}
	for _, name := range r.query {
		parameters = append(parameters, parameter("query", name, ""))
	}
	if r.dialect != nil && !r.open {
		parameters = append(parameters, parameter("header", headerPrefer, "wait=25 asks for an answer within so many seconds, be it that Soke took too long."))
	}
	op["security"] = r.security()
	if !r.open || r.takes != nil {
		parameters = append(parameters, parameter("header", headerAccountID, "One of several connected accounts; absent is the default one."))
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if takesBody(r) {
		op["requestBody"] = doc{
			"required": r.body != nil,
			"content":  doc{"application/json": doc{"schema": schemaOr(r.body)}},
		}
	}
	return op
}

// security names the credentials that a route takes, each by itself enough. An open one that takes
// some can be called without, too.
func (r route) security() []doc {
	all := []doc{}
	takes := r.takes
	if !r.open {
		takes = []string{"sokeKey", "bearer"}
	}
	for _, name := range takes {
		all = append(all, doc{name: []string{}})
	}
	if r.open && takes != nil {
		all = append(all, doc{})
	}
	return all
}

func parameter(in, name, description string) doc {
	p := doc{"in": in, "name": name, "required": in == "path", "schema": doc{"type": "string"}}
	if description != "" {
		p["description"] = description
	}
	return p
}

func takesBody(r route) bool {
	return r.method == http.MethodPost || r.method == http.MethodPut || r.method == http.MethodPatch
}

// responses names the success and, in the dialect of the path, every failure.
func responses(r route) doc {
	failure := "Failure"
	if strings.HasPrefix(r.path, "/openai/") {
		failure = "OpenAIFailure"
	}
	success := doc{"application/json": doc{"schema": schemaOr(r.answer)}}
	if r.streams {
		success["text/event-stream"] = doc{"schema": doc{"type": "string"}}
	}
	out := doc{"200": doc{"description": "Success", "content": success}}
	if r.created {
		out["201"] = doc{"description": "Made", "content": success}
	}
	if r.accepted {
		out["202"] = doc{"description": "Accepted; the answer is posted to the callback", "content": doc{"application/json": doc{"schema": answerSchema[acceptedAnswer]()}}}
	}
	if r.anyStatus {
		out["2XX"] = doc{"description": "Success, with the status Soke answered", "content": success}
	}
	if r.unready {
		out["503"] = doc{"description": "Not ready", "content": success}
	}
	for _, status := range []string{"4XX", "5XX"} {
		out[status] = doc{
			"description": "A failure in the caller's own dialect",
			"content":     doc{"application/json": doc{"schema": doc{"$ref": "#/components/schemas/" + failure}}},
		}
	}
	return out
}

func schemaOr(s *jsonschema.Schema) any {
	if s == nil {
		return doc{}
	}
	return s
}

// connectionCheckSchema is open: a connection, or a failure, stands beside ok.
func connectionCheckSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Required: []string{"ok"}}
	s.Properties = map[string]*jsonschema.Schema{"ok": {Type: "boolean"}}
	return s
}

// estimateInputSchema is open: the operation's own input may stand beside its name.
func estimateInputSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type:  "object",
		OneOf: []*jsonschema.Schema{{Required: []string{"action"}}, {Required: []string{"trigger"}}},
		Properties: map[string]*jsonschema.Schema{
			"action": {Type: "string", Title: "Action"}, "trigger": {Type: "string", Title: "Trigger"},
		},
	}
}

// besides is a trigger's input with what stands beside it in a body.
func besides(t triggers.Trigger, heads ...*jsonschema.Schema) *jsonschema.Schema {
	whole := *t.Input.Schema
	whole.Properties, whole.PropertyOrder = maps.Clone(whole.Properties), slices.Clone(whole.PropertyOrder)
	for _, head := range heads {
		maps.Copy(whole.Properties, head.Properties)
		whole.PropertyOrder = append(whole.PropertyOrder, head.PropertyOrder...)
		whole.Required = append(slices.Clone(whole.Required), head.Required...)
	}
	return &whole
}

func pollSchema(t triggers.Trigger, paging platform.Paging) *jsonschema.Schema {
	heads := []*jsonschema.Schema{inputSchema[pollLimit]()}
	if paging.Cursor {
		heads = append(heads, inputSchema[pollCursor]())
	}
	if paging.Since {
		heads = append(heads, inputSchema[pollSince]())
	}
	return besides(t, heads...)
}

// listSchema is what a poll answers with.
func listSchema(t triggers.Trigger, paging platform.Paging) *jsonschema.Schema {
	events := &jsonschema.Schema{Type: "array", Items: t.Output.Schema}
	if !paging.Cursor {
		return events
	}
	page := *answerSchema[platform.PagedList]() // shared: only the copy may be changed
	page.Properties = maps.Clone(page.Properties)
	page.Properties["events"] = events
	return &page
}

func inputSchema[T any]() *jsonschema.Schema {
	form, err := schemas.Input[T]()
	if err != nil {
		panic(fmt.Sprintf("the schema of a body: %v", err))
	}
	return form.Schema
}

func answerSchema[T any]() *jsonschema.Schema {
	form, err := schemas.Output[T]()
	if err != nil {
		panic(fmt.Sprintf("the schema of an answer: %v", err))
	}
	return form.Schema
}

// failureSchema is the shape of platform.Body.
func failureSchema() doc {
	nullable := func(t string) doc { return doc{"type": []string{t, "null"}} }
	str := doc{"type": "string"}
	return doc{
		"type": "object", "required": []string{"success", "error", "meta"},
		"properties": doc{
			"success": doc{"const": false},
			"error": doc{
				"type":     "object",
				"required": []string{"code", "title", "message", "type", "retryable", "retryAfter", "field", "details"},
				"properties": doc{
					"code": str, "title": doc{"type": "string", "maxLength": 80}, "message": doc{"type": "string", "maxLength": 250},
					"type": str, "retryable": doc{"type": "boolean"}, "retryAfter": nullable("integer"),
					"field": nullable("string"), "details": doc{"type": "object"},
				},
			},
			"meta": doc{
				"type": "object", "required": []string{"request_id", "platform"},
				"properties": doc{"request_id": str, "platform": nullable("string")},
			},
		},
	}
}

func openAIFailureSchema() doc {
	return doc{
		"type": "object", "required": []string{"error"},
		"properties": doc{"error": doc{
			"type": "object", "required": []string{"message", "type", "param", "code"},
			"properties": doc{
				"message": doc{"type": "string"}, "type": doc{"type": "string"},
				"param": doc{"type": []string{"string", "null"}}, "code": doc{"type": []string{"string", "null"}},
			},
		}},
	}
}
