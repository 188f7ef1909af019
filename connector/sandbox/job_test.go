package sandbox_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"testing"
)

func TestAJobComesFurtherWithEveryLookUpAndIsItsOwnersAlone(t *testing.T) {
	for _, c := range []struct {
		e    endpoint
		want string
	}{
		{endpoint{method: "GET", path: "trends/scan"}, "[queued 0 processing 50 completed 100 completed 100]"},
		{endpoint{method: "POST", path: "thumbnail/generate", body: `{}`}, "[queued 0 processing 50 completed 100 completed 100]"},
		{endpoint{method: "POST", path: "competitor/analyze", body: `{"channelUrl":"https://example.com/x"}`}, "[queued 0 processing 50 failed 50 failed 50]"},
	} {
		b := open(t)
		started := b.call(c.e, key("active")...)
		id := started.text("jobId")
		if started.text("status") != "queued" || started.part("data")["estimatedCompletionSeconds"] == nil {
			t.Errorf("%s starts with %s", c.e.path, started.raw)
		}
		charged := b.server.Charged(active)
		var went []any
		var last reply
		for range 4 {
			last = b.ask("GET", "jobs/"+id, "", key("active")...)
			went = append(went, last.text("status"), last.part("data")["progress"])
		}
		data := last.part("data")
		failed := data["status"] == "failed"
		if fmt.Sprint(went) != c.want || (data["result"] == nil) != failed || (data["error"] != nil) != failed {
			t.Errorf("%s goes %v and ends with %s", c.e.path, went, last.raw)
		}
		if r := b.ask("GET", "jobs/"+id, "", key("somebody_else")...); r.status != 404 {
			t.Errorf("somebody else sees the job: %d", r.status)
		}
		if n := b.server.Charged(active); n != charged {
			t.Errorf("look-ups cost %d credits", n-charged)
		}
	}
}

func TestATranscriptionTakesAURLOrAFileOf25MB(t *testing.T) {
	const address = "https://www.youtube.com/watch?v=1"
	form := func(field, value string, size int) (body, contentType string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if size < 0 {
			_ = w.WriteField(field, value) // a buffer takes everything
		} else if part, err := w.CreateFormFile(field, value); err == nil {
			_, _ = part.Write(make([]byte, size))
		}
		_ = w.Close()
		return b.String(), w.FormDataContentType()
	}
	for _, c := range []struct {
		field, value string
		size, status int
	}{
		{"url", address, -1, 200}, {"file", "talk.mp3", 25 << 20, 200},
		{"file", "talk.mp3", 25<<20 + 1, 400}, {"file", "talk.mp3", 27 << 20, 400}, {"other", "x", -1, 400},
	} {
		b := open(t)
		body, contentType := form(c.field, c.value, c.size)
		r := b.ask("POST", "transcription", body, append(key("active"), "Content-Type", contentType)...)
		if r.status != c.status || r.status == 200 && (r.text("sourceUrl") != c.value || r.text("status") != "queued") {
			t.Errorf("%s of %d bytes: %d %s, want %d", c.field, c.size, r.status, r.raw, c.status)
		}
		if r.status != 200 {
			continue
		}
		var went []string
		for range 3 {
			went = append(went, b.ask("GET", "transcription/"+r.text("id"), "", key("active")...).text("status"))
		}
		if fmt.Sprint(went) != "[queued processing completed]" {
			t.Errorf("it goes %v", went)
		}
	}
}
