package fault

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// answered are the faults that are well-formed HTTP and not what the upstream would say.
var answered = []Fault{
	{Name: "html-502", About: "a gateway's page: 502", inject: says(502, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>")},
	{Name: "html-503", About: "a gateway's page: 503, come again in 7 seconds", inject: says(503, "text/html", "<html>Maintenance</html>", "Retry-After", "7")},
	{Name: "html-429", About: "a gateway's page: 429, come again in 7 seconds", inject: says(429, "text/html", "<html>Slow down</html>", "Retry-After", "7")},
	{Name: "html-200", About: "a page in place of the answer", inject: says(200, "text/html", "<html>Sign in to the Wi-Fi</html>")},
	{Name: "empty-200", About: "a success without a body", inject: says(200, "application/json", "")},
	{Name: "truncated-json", About: "JSON that ends too soon, in a whole answer", inject: says(200, "application/json", half)},
	{Name: "wrong-content-type", About: "the right answer, declared as a page", Harmless: true, inject: wrongType},
	{Name: "no-envelope", About: "JSON that is not the API's", inject: says(200, "application/json", `{"message":"ok"}`)},
	{Name: "invalid-utf8", About: "JSON with bytes that are no text", inject: says(200, "application/json", "{\"success\":true,\"data\":{\"topic\":\"\xff\xfe\"}}")},
	{Name: "too-deep", About: "JSON nested 100,000 levels deep", inject: says(200, "application/json", `{"success":true,"data":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+"}")},
	{Name: "too-large", About: "an answer without an end", inject: tooLarge},
	{Name: "gzip-bomb", About: "a small answer that unpacks without an end", inject: bomb},
	{Name: "gzip-broken", About: "a packed answer that is cut off", inject: cutPack},
	{Name: "redirect", About: "a redirect to another address of the same server", inject: says(307, "text/html", "", "Location", "/api/v1/elsewhere")},
	{Name: "success-false-200", About: "a failure with the status of a success", inject: says(200, "application/json", `{"success":false,"error":{"code":"BAD_REQUEST","message":"niche is too long."},"meta":{"request_id":"fault-1"}}`)},
	{Name: "success-true-500", About: "a success with the status of a failure", inject: says(500, "application/json", whole)},
	{Name: "unknown-code-4xx", About: "a refusal with a code that nobody knows yet", inject: says(422, "application/json", `{"success":false,"error":{"code":"CHANNEL_LOCKED","message":"The channel is locked."},"meta":{"request_id":"fault-1"}}`)},
	{Name: "unknown-code-5xx", About: "a breakdown with a code that nobody knows yet", inject: says(507, "application/json", `{"success":false,"error":{"code":"VAULT_FULL","message":"The vault is full."},"meta":{"request_id":"fault-1"}}`)},
	{Name: "no-code", About: "a failure without a code", inject: says(400, "application/json", `{"success":false,"error":{"message":"no"},"meta":{"request_id":"fault-1"}}`)},
	{Name: "no-request-id", About: "a failure without a request id", inject: says(400, "application/json", `{"success":false,"error":{"code":"BAD_REQUEST","message":"niche is too long."}}`)},
	{Name: "echoed-key", About: "a failure that repeats the caller's key", inject: echoedKey},
}

// slow are the faults that only the caller's patience ends.
var slow = []Fault{
	{Name: "slow-head", About: "no answer comes", Slow: true, inject: func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }},
	{Name: "slow-body", About: "the answer stalls within its body", Slow: true, inject: slowBody},
	{Name: "dripping-body", About: "the answer comes byte by byte and does not end", Slow: true, inject: drip},
}

// says answers every request alike. pairs are headers.
func says(status int, kind, body string, pairs ...string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		h := w.Header()
		h.Set("Content-Type", kind)
		for i := 0; i+1 < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// wrongType passes the upstream's answer on under another type.
func wrongType(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(typed{w}, r)
}

// typed declares whatever it is given as a page.
type typed struct{ http.ResponseWriter }

func (t typed) WriteHeader(status int) {
	t.Header().Set("Content-Type", "text/html")
	t.ResponseWriter.WriteHeader(status)
}

func (t typed) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// enough is where even an answer without an end ends, in case that nobody stops reading it.
const enough = 1 << 30

func tooLarge(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"success":true,"data":"`)
	zeros := bytes.Repeat([]byte("0"), 64<<10)
	for sent := 0; sent < enough; sent += len(zeros) {
		if _, err := w.Write(zeros); err != nil {
			return
		}
	}
}

// bomb sends one packed mebibyte of zeros again and again: members of one gzip file.
func bomb(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	const size = 1 << 20
	var head, member bytes.Buffer
	pack(&head, `{"success":true,"data":"`)
	pack(&member, strings.Repeat("0", size))
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Encoding", "gzip")
	_, _ = head.WriteTo(w)
	for sent := 0; sent < enough; sent += size {
		if _, err := w.Write(member.Bytes()); err != nil {
			return
		}
	}
}

func cutPack(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	var packed bytes.Buffer
	pack(&packed, whole)
	packed.Truncate(packed.Len() / 2)
	says(200, "application/json", packed.String(), "Content-Encoding", "gzip")(w, r, nil)
}

func pack(into io.Writer, text string) {
	packer := gzip.NewWriter(into)
	_, _ = io.WriteString(packer, text)
	_ = packer.Close()
}

// echoedKey says the key wherever an answer has room for a text.
func echoedKey(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	key := r.Header.Get("X-Soke-Key")
	body := fmt.Sprintf(`{"success":false,"error":{"code":"BAD_REQUEST","message":"No such key: %[1]s.","details":{"key":%[1]q,"%[1]s":[%[1]q]}},"meta":{"request_id":%[1]q}}`, key)
	says(400, "application/json", body, "X-Request-Id", key, "X-Soke-Key", key, "X-Soke-Echo", key)(w, r, nil)
}

func slowBody(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	kind, part := "application/json", half
	if streams(r) {
		kind, part = "text/event-stream", chunk
	}
	w.Header().Set("X-Request-Id", "fault-1")
	says(200, kind, part)(w, r, nil)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// drip sends one byte of a JSON text after the other, each well within anyone's patience.
func drip(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	says(200, "application/json", `{"success":true,"data":"`)(w, r, nil)
	control, pace := http.NewResponseController(w), time.NewTicker(5*time.Millisecond)
	defer pace.Stop()
	for {
		if _, err := io.WriteString(w, "0"); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-pace.C:
		case <-r.Context().Done():
			return
		}
	}
}
