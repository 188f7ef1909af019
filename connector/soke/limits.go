package soke

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// IsRequestID tells what may be shown and passed on as a request id.
func IsRequestID(id string) bool {
	return requestIDForm.MatchString(id) && !secretForms.MatchString(id)
}

// headerRequestID is the request id in the headers, for answers without an envelope.
func headerRequestID(h http.Header) string {
	for _, name := range []string{"X-Soke-Request-Id", "X-Request-Id"} {
		if id := h.Get(name); IsRequestID(id) {
			return id
		}
	}
	return ""
}

// limitForm is what the value of a limit header may look like, so that nothing else is passed on.
var limitForm = regexp.MustCompile(`^[A-Za-z0-9 .:,=;/_-]{1,64}$`)

// limitsOf reads the X-Soke-* headers of an answer.
func limitsOf(h http.Header) Limits {
	l := Limits{
		Limit:            headerInt(h, "X-Soke-Limit"),
		Remaining:        headerInt(h, "X-Soke-Remaining"),
		CreditsRemaining: headerInt(h, "X-Soke-Credits-Remaining"),
	}
	if unix := headerInt(h, "X-Soke-Reset"); unix != nil && *unix > 0 && int64(*unix) < 1<<40 {
		at := time.Unix(int64(*unix), 0).UTC()
		l.Reset = &at
	}
	for name, values := range h {
		if !strings.HasPrefix(name, "X-Soke-") || name == "X-Soke-Request-Id" || name == "X-Soke-Key" || len(values) == 0 {
			continue
		}
		if limitForm.MatchString(values[0]) && !secretForms.MatchString(values[0]) {
			if l.Header == nil {
				l.Header = make(http.Header, 4)
			}
			l.Header[name] = values[:1:1]
		}
	}
	return l
}

func headerInt(h http.Header, name string) *int {
	sent := h.Get(name)
	if sent == "" { // an answer without limits is nobody's fault, and an error would be made of it
		return nil
	}
	n, err := strconv.Atoi(sent)
	if err != nil {
		return nil
	}
	return &n
}
