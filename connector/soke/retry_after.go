package soke

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter bounds the wait that an answer can ask for.
const MaxRetryAfter = 24 * time.Hour

// ParseRetryAfter reads a Retry-After header, whole seconds or a date (RFC 9110, 10.2.3), as a wait
// from now between 0 and MaxRetryAfter. What it cannot read, or what has passed, is 0.
func ParseRetryAfter(header string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(header, 10, 64)
	switch {
	case err == nil && seconds <= uint64(MaxRetryAfter/time.Second):
		return time.Duration(seconds) * time.Second
	case err == nil, errors.Is(err, strconv.ErrRange):
		return MaxRetryAfter
	}
	date, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), MaxRetryAfter)
}

// seconds reads a wait that Soke sent as a number or as a text; 0 is none.
func seconds(v any) time.Duration {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return boundedWait(n)
}

// boundedWait makes a duration of seconds, at most MaxRetryAfter; what is no wait is 0.
func boundedWait(seconds float64) time.Duration {
	if !(seconds > 0) { // NaN, too
		return 0
	}
	return time.Duration(min(seconds, MaxRetryAfter.Seconds()) * float64(time.Second))
}
