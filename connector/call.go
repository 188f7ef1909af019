package connector

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
)

// Headers that callers send and read.
const (
	headerRequestID      = "X-Request-Id"
	headerSokeRequestID  = "X-Soke-Request-Id"
	headerKey            = "X-Soke-Key"
	headerAccountID      = "X-Soke-Account-Id"
	headerIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotent-Replayed"
	headerPrefer         = "Prefer"
)

// call is one request on its way through the connector: what its log line, its metrics and the
// words of its failure need to know.
type call struct {
	requestID string
	begun     time.Time
	route     route
	session   *soke.Session // nil until the credential is accepted
	code      soke.Code     // of the failure, if it failed
}

const callKey = "soke-connector/call"

func callOf(c echo.Context) *call { return c.Get(callKey).(*call) }

// callersID is the form of a request id that is taken over from a caller.
var callersID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// newCall opens the books on a request. The dialect is taken from the path, so that even a path
// that leads nowhere is refused in the right words.
func (s *Server) newCall(r *http.Request) *call {
	k := &call{requestID: r.Header.Get(headerRequestID), begun: s.Now(), route: route{operation: "none"}}
	if !callersID.MatchString(k.requestID) || soke.Mask(k.requestID) != k.requestID {
		k.requestID = uuid.NewString()
	}
	for _, p := range s.Platforms {
		root := "/v1/" + string(p.Name())
		if r.URL.Path == root || strings.HasPrefix(r.URL.Path, root+"/") {
			k.route.dialect = p
		}
	}
	return k
}

// platform names whoever called, "" outside the platforms.
func (k *call) platform() platform.Name {
	if k.route.dialect == nil {
		return ""
	}
	return k.route.dialect.Name()
}

// words is what a failure's message needs to know of the call.
func (k *call) words() platform.Call {
	return platform.Call{
		Credits:        k.route.credits,
		Free:           k.route.free,
		ConnectionTest: k.route.test,
		RequestID:      k.requestID,
	}
}

// enter leads a request into its route: the credential first, unless the route is open.
func (s *Server) enter(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		k := callOf(c)
		k.route = r
		if !r.open {
			cred, err := credentialOf(c.Request().Header)
			if err != nil {
				return err
			}
			k.session = s.Soke.Session(cred)
		}
		if wait := preferredWait(c.Request().Header); wait > 0 && r.dialect != nil {
			whole := c.Request()
			defer c.SetRequest(whole) // what comes after the answer has its own time
			limited, cancel := context.WithTimeout(whole.Context(), wait)
			defer cancel()
			c.SetRequest(whole.WithContext(limited))
		}
		return r.handle(c, k)
	}
}

var waitForm = regexp.MustCompile(`(?i)(?:^|[,;\s])wait\s*=\s*"?([0-9]{1,3})"?(?:$|[,;\s])`)

// preferredWait is how long a caller wants to wait for an answer (RFC 7240, Prefer: wait=25), 0 if it
// does not say: a platform that gives up after half a minute has its users see our words, and not its
// own. A paid call under an Idempotency-Key goes on for the next try.
func preferredWait(h http.Header) time.Duration {
	for _, line := range h.Values(headerPrefer) {
		if found := waitForm.FindStringSubmatch(line); found != nil {
			seconds, _ := strconv.Atoi(found[1])
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// outOfTime says why the context of a call has ended before its answer was there.
func outOfTime(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &soke.Error{Code: soke.UpstreamTimeout, Err: ctx.Err()}
	}
	return ctx.Err()
}

// protect keeps answers from being guessed at, or kept where they hold a user's data. A request in
// chunks is the last on its connection: net/http does not tell whether a Content-Length stood beside
// the chunks, and a proxy that believed it would see another request behind this one.
func protect(c echo.Context) {
	h := c.Response().Header()
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	if path := c.Request().URL.Path; strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/openai/") {
		h.Set(echo.HeaderCacheControl, "no-store")
	}
	if len(c.Request().TransferEncoding) > 0 {
		h.Set(echo.HeaderConnection, "close")
	}
}

// sokeHeaders passes on what Soke said of the request and of the caller's limits.
func sokeHeaders(h http.Header, requestID string, limits soke.Limits) {
	for name, values := range limits.Header {
		h[name] = values
	}
	if requestID != "" {
		h.Set(headerSokeRequestID, requestID)
	}
}
