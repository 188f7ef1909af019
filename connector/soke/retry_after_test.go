package soke_test

import (
	"testing"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

func TestRetryAfterIsReadInBothFormsAndBounded(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                                  0,
		"0":                                 0,
		"120":                               2 * time.Minute,
		"86400":                             24 * time.Hour,
		"86401":                             24 * time.Hour,
		"9223372037":                        24 * time.Hour,
		"99999999999999999999999999":        24 * time.Hour,
		"-5":                                0,
		"1.5":                               0,
		"soon":                              0,
		"Mon, 23 Nov 2026 09:00:30 GMT":     30 * time.Second,
		"Monday, 23-Nov-26 09:01:00 GMT":    time.Minute,
		"Mon Nov 23 10:00:00 2026":          time.Hour,
		"Mon, 23 Nov 2026 08:59:59 GMT":     0,
		"Sun, 06 Nov 1994 08:49:37 GMT":     0,
		"Fri, 31 Dec 9999 23:59:59 GMT":     24 * time.Hour,
		"Mon, 23 Nov 2026 09:00:30 GMT now": 0,
	} {
		if got := soke.ParseRetryAfter(header, now); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "1", "-1", "86401", "18446744073709551616", "1e9", "Mon, 23 Nov 2026 09:00:30 GMT", "Thu, 01 Jan 0000 00:00:00 GMT"} {
		f.Add(seed, int64(1_795_424_400))
	}
	f.Fuzz(func(t *testing.T, header string, unix int64) {
		if wait := soke.ParseRetryAfter(header, time.Unix(unix, 0)); wait < 0 || wait > soke.MaxRetryAfter {
			t.Errorf("%q gave %v", header, wait)
		}
	})
}
