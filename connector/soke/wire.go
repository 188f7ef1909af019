package soke

import "encoding/json"

// KeywordsRequest is the body of POST /research/keywords. Zero fields are left out, for Soke's own
// defaults.
type KeywordsRequest struct {
	Topic       string `json:"topic,omitempty"`
	Platform    string `json:"platform,omitempty"`
	Niche       string `json:"niche,omitempty"`
	Region      string `json:"region,omitempty"`
	MaxResults  int    `json:"maxResults,omitempty"`
	RecencyDays int    `json:"recencyDays,omitempty"`
}

// Keywords is the answer to a keyword research. Topic and Platform are empty where Soke did not
// repeat them.
type Keywords struct {
	Topic     string
	Platform  string
	Keywords  []Keyword
	TopVideos []json.RawMessage // nil where Soke sent none
	RequestID string
	Limits    Limits
}
