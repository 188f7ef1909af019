package connector_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/sandbox/fault"
)

// judge holds one answer to what has been promised of its fault.
type judge struct {
	*testing.T
	about  string
	fault  fault.Fault
	name   platform.Name
	call   faultCall
	answer answer
	code   string // "" is success
	status int
}

func (j judge) errorf(format string, args ...any) {
	j.Helper()
	j.Errorf("%s: %s\n%d %.500s", j.about, fmt.Sprintf(format, args...), j.answer.status, j.answer.body)
}

func (j judge) judge() {
	j.Helper()
	if got := j.answer.header.Get("X-Request-Id"); got != "case-1" {
		j.errorf("X-Request-Id is %q", got)
	}
	kind := j.answer.header.Get("Content-Type")
	switch {
	case strings.HasPrefix(kind, "text/event-stream"):
		j.stream()
		return
	case !strings.HasPrefix(kind, "application/json"):
		j.errorf("the answer is %q", kind)
	case j.call.check && j.answer.status == http.StatusOK:
		j.check()
		return
	case j.answer.status != j.status || j.call.check:
		j.errorf("status %d, want %d", j.answer.status, j.status)
	}
	if j.code != "" {
		j.failure(j.answer.body)
	}
}

// stream judges events: a whole stream ends with [DONE], a broken one with its failure.
func (j judge) stream() {
	j.Helper()
	events := strings.Split(strings.TrimSpace(string(j.answer.body)), "\n\n")
	last, ok := strings.CutPrefix(events[len(events)-1], "data: ")
	switch {
	case !j.call.stream || !ok || j.answer.status != http.StatusOK:
		j.errorf("events, or what should be some")
	case j.code == "" && (last != "[DONE]" || len(events) < 3):
		j.errorf("the stream does not end as it should")
	case j.code != "" && strings.Contains(string(j.answer.body), "[DONE]"):
		j.errorf("a broken stream pretends to be whole")
	case j.code != "":
		j.failure([]byte(last))
	}
}

func (j judge) check() {
	j.Helper()
	var said struct {
		OK    bool
		Error *platform.NativeError
	}
	if err := json.Unmarshal(j.answer.body, &said); err != nil || said.OK != (j.code == "") {
		j.errorf("the check says ok=%v (%v)", said.OK, err)
		return
	}
	if j.code != "" {
		j.native(*said.Error)
	}
}

// failure judges a body in the caller's dialect; a field that the dialect does not have is a fault.
func (j judge) failure(body []byte) {
	j.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if j.name == "openai" {
		var said struct {
			Error struct {
				Message, Type, Code string
				Param               *string
			}
		}
		if err := decoder.Decode(&said); err != nil {
			j.errorf("not OpenAI's shape: %v", err)
		}
		if said.Error.Code != j.code || said.Error.Type == "" {
			j.errorf("%+v, want %s", said.Error, j.code)
		}
		j.message(said.Error.Message)
		if retry := j.answer.header.Get("X-Should-Retry"); j.answer.status != http.StatusOK && retry != fmt.Sprint(j.fault.Early) {
			j.errorf("X-Should-Retry is %q", retry)
		}
		return
	}
	var said platform.Body
	if err := decoder.Decode(&said); err != nil {
		j.errorf("not the native shape: %v", err)
		return
	}
	if said.Success || said.Meta.Platform == nil || *said.Meta.Platform != j.name || said.Meta.RequestID == "" {
		j.errorf("the envelope is %+v", said)
	}
	if !strings.HasSuffix(said.Error.Message, "(request "+said.Meta.RequestID+")") {
		j.errorf("the message does not end with the request id")
	}
	if wait := j.answer.header.Get("Retry-After"); j.answer.status != http.StatusOK && said.Error.RetryAfter != nil && wait != fmt.Sprint(*said.Error.RetryAfter) {
		j.errorf("Retry-After is %q", wait)
	}
	j.native(said.Error)
}

// native judges the error and the class that the platform's package raises for it.
func (j judge) native(e platform.NativeError) {
	j.Helper()
	kind := "NodeApiError"
	switch {
	case j.name == platform.Zapier && j.fault.Early:
		kind = "ThrottledError"
	case j.name == platform.Zapier:
		kind = "Error"
	case j.name == platform.Make && j.status >= http.StatusInternalServerError:
		kind = "ConnectionError"
	case j.name == platform.Make:
		kind = "DataError"
	}
	if string(e.Code) != j.code || e.Type != kind || e.Title == "" || utf8.RuneCountInString(e.Title) > 80 {
		j.errorf("%s %s %q, want %s %s", e.Code, e.Type, e.Title, j.code, kind)
	}
	j.message(e.Message)
}

func (j judge) message(m string) {
	j.Helper()
	if m == "" || utf8.RuneCountInString(m) > 250 || strings.ContainsAny(m, "<>{}\n") {
		j.errorf("the message is %q", m)
	}
}
