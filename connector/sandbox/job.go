package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// job is work that takes a few look-ups to end. It ends with a result, or fails.
type job struct {
	owner           string
	lookUps         int
	result, failure any
}

// look is what one look-up of a job shows.
type look struct {
	status          string
	percent         int
	result, failure any
}

// progress is how a job stands at each look-up before it ends.
var progress = []look{{status: "queued", percent: 0}, {status: "processing", percent: 50}}

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
	j := &job{owner: x.id, result: map[string]any{"summary": "Done.", "topics": []string{channelTopic}}}
	if strings.HasSuffix(x.r.URL.Path, "/analyze") {
		if r.ChannelURL == "" {
			x.refuse(badRequest("channelUrl", "channelUrl is required."))
			return
		}
		if !onYouTube(r.ChannelURL) {
			j.result, j.failure = nil, map[string]any{"code": "NOT_FOUND", "message": "There is no channel at this address."}
		}
	}
	x.succeed(map[string]any{"jobId": s.addJob(j), "status": "queued", "estimatedCompletionSeconds": 4})
}

// onYouTube tells the channels that can be analysed from those whose job fails.
func onYouTube(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Hostname() == "youtube.com" || strings.HasSuffix(u.Hostname(), ".youtube.com"))
}

func (s *Server) addJob(j *job) string {
	id := uuid.NewString()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs.put(id, j)
	return id
}

// advance looks a job up; every look-up brings it further.
func (s *Server) advance(x *exchange, id string) (look, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs.get(id)
	if !ok || j.owner != x.id {
		return look{}, false
	}
	at := j.lookUps
	j.lookUps++
	switch {
	case at < len(progress):
		return progress[at], true
	case j.failure != nil:
		return look{status: "failed", percent: progress[len(progress)-1].percent, failure: j.failure}, true
	default:
		return look{status: "completed", percent: 100, result: j.result}, true
	}
}

func (s *Server) lookUpJob(x *exchange) {
	id := x.r.PathValue("id")
	l, found := s.advance(x, id)
	if !found {
		x.refuse(notFound("job", "jobId", id))
		return
	}
	x.succeed(map[string]any{"jobId": id, "status": l.status, "progress": l.percent, "result": l.result, "error": l.failure})
}

// maxUpload is the largest file that Soke transcribes, in bytes.
const maxUpload = 25 << 20

func (s *Server) startTranscription(x *exchange) {
	source, refused := x.transcribed()
	if refused != nil {
		x.refuse(*refused)
		return
	}
	id := s.addJob(&job{owner: x.id, result: map[string]any{"text": "Welcome back to the channel."}})
	x.succeed(map[string]any{"id": id, "status": "queued", "sourceUrl": source})
}

// transcribed names what a request asks to be transcribed: a URL, or an uploaded file. JSON does
// as well as a form.
func (x *exchange) transcribed() (source string, refused *refusal) {
	refuse := func(field, message string) (string, *refusal) {
		b := badRequest(field, message)
		return "", &b
	}
	var r struct {
		URL string `json:"url"`
	}
	if !isForm(x.r) {
		if json.Unmarshal(x.body, &r) != nil || r.URL == "" {
			return refuse("url", "url or file is required.")
		}
		return r.URL, nil
	}
	form := &http.Request{Method: x.r.Method, Header: x.r.Header, Body: io.NopCloser(bytes.NewReader(x.body))}
	if err := form.ParseMultipartForm(bodyLimit(x.r)); err != nil {
		return refuse("body", "The body is not the form that this endpoint takes.")
	}
	if source = form.FormValue("url"); source != "" {
		return source, nil
	}
	files := form.MultipartForm.File["file"]
	switch {
	case len(files) == 0:
		return refuse("url", "url or file is required.")
	case files[0].Size > maxUpload:
		return refuse("file", "file must be at most 25 MB.")
	}
	return files[0].Filename, nil
}

func (s *Server) transcription(x *exchange) {
	id := x.r.PathValue("id")
	l, found := s.advance(x, id)
	if !found {
		x.refuse(notFound("transcription", "id", id))
		return
	}
	x.succeed(map[string]any{"id": id, "status": l.status, "result": l.result})
}

// isForm reports whether a request's body is multipart.
func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/")
}
