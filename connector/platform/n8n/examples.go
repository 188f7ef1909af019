package n8n

import (
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

// addExamples writes workflows to import: one with the package's nodes, and one that needs nothing
// installed but what n8n has, for where community nodes are not allowed.
func (Dialect) addExamples(files platform.Files, e platform.Export) error {
	for path, w := range map[string]workflow{
		"examples/new-keywords.json": chain("Soke: new keywords",
			node{Name: "Soke Trigger", Type: "n8n-nodes-soke.sokeTrigger", TypeVersion: 1, Parameters: map[string]any{"event": "new-keyword", "topic": "home espresso", "schedule": "@daily"}},
			node{Name: "Ask", Type: "n8n-nodes-soke.soke", TypeVersion: 1, Parameters: map[string]any{"resource": "chat", "operation": "chat-completion", "input": "prompt", "prompt": "=Give me three video titles for: {{ $json.keyword }}"}},
		),
		"examples/without-the-node.json": chain("Soke: keyword research over HTTP",
			node{Name: "Start", Type: "n8n-nodes-base.manualTrigger", TypeVersion: 1, Parameters: map[string]any{}},
			node{Name: "Research keywords", Type: "n8n-nodes-base.httpRequest", TypeVersion: 4.2, Parameters: map[string]any{
				"method": "POST", "url": e.URL + "/v1/n8n/actions/research-keywords", "sendHeaders": true,
				"headerParameters": map[string]any{"parameters": []map[string]string{{"name": "X-Soke-Key", "value": "sk_live_your_key"}}},
				"sendBody":         true, "specifyBody": "json", "jsonBody": `{"topic": "home espresso", "maxResults": 10}`,
			}},
		),
	} {
		content, err := encode(w)
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
		nodes[i].ID, nodes[i].Position = "node-"+string(rune('1'+i)), [2]int{240 * i, 0}
		if i > 0 {
			w.Connections[nodes[i-1].Name] = map[string][][]link{"main": {{{Node: nodes[i].Name, Type: "main"}}}}
		}
	}
	return w
}
