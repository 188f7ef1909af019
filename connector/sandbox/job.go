package sandbox

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"
)

// job is work that takes a few look-ups to complete.
type job struct {
	owner   string
	lookUps int
	result  any
}

// progress is how a job stands after each look-up.
var progress = []struct {
	status  string
	percent int
}{{"queued", 0}, {"processing", 50}, {"completed", 100}}

func (s *Server) startJob(x *exchange) {
	var r struct {
		Platform   string `json:"platform"`
		ChannelURL string `json:"channelUrl"`
	}
	r.Platform = x.r.URL.Query().Get("platform")
	if len(x.body) > 0 && !x.decode(&r) {
		return
	}
	if !x.platform(r.Platform) {
		return
	}
	if strings.HasSuffix(x.r.URL.Path, "/analyze") && r.ChannelURL == "" {
		x.refuse(badRequest("channelUrl", "channelUrl is required."))
		return
	}
	id := s.addJob(x.id, map[string]any{"summary": "Done.", "topics": []string{channelTopic}})
	x.succeed(map[string]any{"jobId": id, "status": "queued", "estimatedCompletionSeconds": 4})
}

func (s *Server) addJob(owner string, result any) string {
	id := uuid.NewString()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs.put(id, &job{owner: owner, result: result})
	return id
}

// advance looks a job up; every look-up brings it further.
func (s *Server) advance(x *exchange, id string) (status string, percent int, result any, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs.get(id)
	if !ok || j.owner != x.id {
		return "", 0, nil, false
	}
	at := progress[min(j.lookUps, len(progress)-1)]
	j.lookUps++
	if at.percent == 100 {
		result = j.result
	}
	return at.status, at.percent, result, true
}

func (s *Server) lookUpJob(x *exchange) {
	id := x.r.PathValue("id")
	status, percent, result, found := s.advance(x, id)
	if !found {
		x.refuse(notFound("job", "jobId", id))
		return
	}
	x.succeed(map[string]any{"jobId": id, "status": status, "progress": percent, "result": result, "error": nil})
}

func (s *Server) startTranscription(x *exchange) {
	var r struct {
		URL string `json:"url"`
	}
	if strings.HasPrefix(x.r.Header.Get("Content-Type"), "multipart/") {
		r.URL = "upload"
	} else if json.Unmarshal(x.body, &r) != nil || r.URL == "" {
		x.refuse(badRequest("url", "url or file is required."))
		return
	}
	id := s.addJob(x.id, map[string]any{"text": "Welcome back to the channel."})
	x.succeed(map[string]any{"id": id, "status": "queued", "sourceUrl": r.URL})
}

func (s *Server) transcription(x *exchange) {
	id := x.r.PathValue("id")
	status, _, result, found := s.advance(x, id)
	if !found {
		x.refuse(notFound("transcription", "id", id))
		return
	}
	x.succeed(map[string]any{"id": id, "status": status, "result": result})
}
