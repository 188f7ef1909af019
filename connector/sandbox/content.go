package sandbox

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The endpoints that the connector reaches by raw calls alone: their shapes are faithful, their
// texts are plain.

func (s *Server) researchContent(x *exchange) {
	var r struct {
		Keywords []string `json:"keywords"`
		Platform string   `json:"platform"`
	}
	if !x.decode(&r) || !x.platform(r.Platform) {
		return
	}
	if len(r.Keywords) == 0 && x.account == secondAccount {
		x.refuse(refusal{400, "KEYWORDS_REQUIRED", "Keywords are required because no channel is connected.", nil})
		return
	}
	if len(r.Keywords) > 10 {
		x.refuse(badRequest("keywords", "keywords must hold at most 10 entries."))
		return
	}
	for i, k := range r.Keywords {
		if utf8.RuneCountInString(k) > 100 {
			x.refuse(badRequest(fmt.Sprintf("keywords[%d]", i), "a keyword must be at most 100 characters."))
			return
		}
	}
	topic := strings.Join(r.Keywords, " ")
	if topic == "" {
		topic = channelTopic
	}
	x.succeed(map[string]any{"videos": videos(x.account, topic)})
}

func (s *Server) optimizeTitle(x *exchange) {
	var r struct {
		DraftTitle string `json:"draftTitle"`
		Platform   string `json:"platform"`
	}
	if !x.decode(&r) || !x.platform(r.Platform) {
		return
	}
	if r.DraftTitle == "" {
		x.refuse(badRequest("draftTitle", "draftTitle is required."))
		return
	}
	alternatives := make([]map[string]any, len(titles))
	for i, title := range titles {
		alternatives[i] = map[string]any{"title": fmt.Sprintf(title, r.DraftTitle), "score": 90 - 5*i, "reasoning": "Says early what the viewer gets."}
	}
	x.succeed(map[string]any{"originalTitle": r.DraftTitle, "alternatives": alternatives})
}

func (s *Server) scoreContent(x *exchange) {
	var r struct {
		Content  string `json:"content"`
		Platform string `json:"platform"`
	}
	if !x.decode(&r) || !x.platform(r.Platform) {
		return
	}
	if r.Content == "" {
		x.refuse(badRequest("content", "content is required."))
		return
	}
	x.succeed(map[string]any{"content": r.Content, "overallScore": 72, "breakdown": map[string]any{
		"keywordPlacement": map[string]any{"value": 68, "dimension": "keywordPlacement", "suggestion": "Move the main keyword to the first sentence."},
	}})
}

func (s *Server) generateDescription(x *exchange) {
	var r struct {
		Title    string   `json:"title"`
		Platform string   `json:"platform"`
		Keywords []string `json:"keywords"`
	}
	if !x.decode(&r) || !x.platform(r.Platform) {
		return
	}
	if r.Title == "" {
		x.refuse(badRequest("title", "title is required."))
		return
	}
	description := r.Title + ": everything in one video, from the first step to the result."
	x.succeed(map[string]any{
		"description": description, "wordCount": len(strings.Fields(description)),
		"keywordsIncluded": append([]string{}, r.Keywords...), "sections": []string{"hook", "summary", "links"},
	})
}

func (s *Server) suggestTags(x *exchange) {
	var r struct {
		Topic    string `json:"topic"`
		Platform string `json:"platform"`
	}
	if !x.decode(&r) || !x.platform(r.Platform) {
		return
	}
	if r.Topic == "" {
		r.Topic = channelTopic
	}
	tags := make([]string, 8)
	for i := range tags {
		tags[i] = fmt.Sprintf(evergreen[i], r.Topic)
	}
	x.succeed(map[string]any{"tags": tags})
}

func (s *Server) repurpose(x *exchange) {
	var r struct {
		Content  string `json:"content"`
		Platform string `json:"platform"`
	}
	if !x.decode(&r) || !x.platform(r.Platform) {
		return
	}
	x.succeed(map[string]any{"pieces": []map[string]any{{"format": "short", "text": "In one sentence: " + r.Content}}})
}
