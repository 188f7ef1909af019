package n8n

import (
	"strconv"

	"github.com/usesoke/soke-connector/connector/platform"
)

// node and workflow are as much of n8n's workflow files as the examples need.
type node struct {
	Parameters  map[string]any `json:"parameters"`
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Type        string         `json:"type"`
	TypeVersion float64        `json:"typeVersion"`
	Position    [2]int         `json:"position"`
}

type link struct {
	Node  string `json:"node"`
	Type  string `json:"type"`
	Index int    `json:"index"`
}

type workflow struct {
	Name        string                         `json:"name"`
	Nodes       []node                         `json:"nodes"`
	Connections map[string]map[string][][]link `json:"connections"`
	Settings    map[string]any                 `json:"settings"`
}

// addExamples writes workflows to import: one with the package's nodes, and two that need nothing
// installed but what n8n has, for where community nodes are not allowed.
func addExamples(files platform.Files, e platform.Export) error {
	for path, w := range map[string]workflow{
		"examples/new-keywords.json": chain("Soke: new keywords",
			node{Name: "Soke Trigger", Type: "n8n-nodes-soke.sokeTrigger", TypeVersion: 1, Parameters: map[string]any{"event": "new-keyword", "topic": "home espresso", "schedule": "@daily"}},
			node{Name: "Ask", Type: "n8n-nodes-soke.soke", TypeVersion: 1, Parameters: map[string]any{"resource": "chat", "operation": "chat-completion", "input": "prompt", "prompt": "=Give me three video titles for: {{ $json.keyword }}"}},
		),
		"examples/research-without-the-node.json": withNote(chain("Soke: keyword research over HTTP",
			node{Name: "Start", Type: "n8n-nodes-base.manualTrigger", TypeVersion: 1, Parameters: map[string]any{}},
			post("Research keywords", e.URL+"/v1/n8n/actions/research-keywords", `{"topic": "home espresso", "maxResults": 10}`),
		)),
		"examples/watch-without-the-node.json": withNote(chain("Soke: new keywords over HTTP",
			node{Name: "Every hour", Type: "n8n-nodes-base.scheduleTrigger", TypeVersion: 1.2, Parameters: map[string]any{"rule": map[string]any{"interval": []any{map[string]any{"field": "hours"}}}}},
			post("Poll for events", e.URL+"/v1/n8n/triggers/new-keyword/poll", `{"topic": "home espresso", "schedule": "@daily"}`),
			node{Name: "One by one", Type: "n8n-nodes-base.splitOut", TypeVersion: 1, Parameters: map[string]any{"fieldToSplitOut": "events", "options": map[string]any{}}},
			node{Name: "Only news", Type: "n8n-nodes-base.filter", TypeVersion: 2, Parameters: notBaseline()},
			node{Name: "Each once", Type: "n8n-nodes-base.removeDuplicates", TypeVersion: 2, Parameters: map[string]any{"operation": "removeItemsSeenInPreviousExecutions", "dedupeValue": "={{ $json.id }}", "options": map[string]any{}}},
		)),
	} {
		content, err := platform.PrettyJSON(w)
		if err != nil {
			return err
		}
		files[path] = content
	}
	return nil
}

// chain links nodes one after the other.
func chain(name string, nodes ...node) workflow {
	w := workflow{Name: name, Nodes: nodes, Connections: map[string]map[string][][]link{}, Settings: map[string]any{"executionOrder": "v1"}}
	for i := range nodes {
		nodes[i].ID, nodes[i].Position = "node-"+strconv.Itoa(i+1), [2]int{240 * i, 0}
		if i > 0 {
			w.Connections[nodes[i-1].Name] = map[string][][]link{"main": {{{Node: nodes[i].Name, Type: "main"}}}}
		}
	}
	return w
}

// post calls the connector with n8n's own HTTP node. The key is in a credential, because workflows
// are shared.
func post(name, url, body string) node {
	return node{Name: name, Type: "n8n-nodes-base.httpRequest", TypeVersion: 4.2, Parameters: map[string]any{
		"method": "POST", "url": url, "authentication": "genericCredentialType", "genericAuthType": "httpHeaderAuth",
		"sendBody": true, "specifyBody": "json", "jsonBody": body, "options": map[string]any{},
	}}
}

// withNote adds what a reader has to do first.
func withNote(w workflow) workflow {
	w.Nodes = append(w.Nodes, node{
		ID: "note", Name: "Note", Type: "n8n-nodes-base.stickyNote", TypeVersion: 1, Position: [2]int{0, -240},
		Parameters: map[string]any{"width": 440, "height": 180, "content": "## The key\nMake a credential of the type **Header Auth**: name `X-Soke-Key`, value your Soke API key. Choose it in the node that calls Soke."},
	})
	return w
}

// notBaseline leaves out what a new watch begins with: it was there before anybody looked.
func notBaseline() map[string]any {
	return map[string]any{
		"conditions": map[string]any{
			"options":    map[string]any{"caseSensitive": true, "leftValue": "", "typeValidation": "strict"},
			"combinator": "and",
			"conditions": []any{map[string]any{
				"id": "baseline", "leftValue": "={{ $json.baseline }}", "rightValue": "",
				"operator": map[string]any{"type": "boolean", "operation": "false", "singleValue": true},
			}},
		},
		"options": map[string]any{},
	}
}
