package platform

import (
	"net/http"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Classes that Zapier's, n8n's and Make's packages raise. The sources are
// zapier-platform/packages/core/src/errors.js, n8n-workflow's NodeApiError and npm's imt-proto.
const (
	zError     = "Error"            // stops the run, tells the user, can be replayed
	zExpired   = "ExpiredAuthError" // marks the connection expired and holds its runs
	zThrottled = "ThrottledError"   // runs again after a delay, no failure counted

	mConfiguration = "InvalidConfigurationError" // switches the scenario off: only a person can help
	mToken         = "InvalidAccessTokenError"   // the same, and asks for a new key
	mData          = "DataError"                 // the bundle can be mended and resumed
	mRate          = "RateLimitError"            // the next run is delayed
	mConnection    = "ConnectionError"           // retried with back-off
	mRuntime       = "RuntimeError"              // ends the run

	nodeAPI = "NodeApiError"
)

// native is how one failure is said everywhere.
type native struct {
	status       int
	zapier, make string
	retryable    bool
	title        string
	// advice says what happened and what to do, from what is known of this failure.
	advice func(*soke.Error, Call) string
	// quotes tells that Soke's own sentence belongs behind the advice: only Soke knows the cause.
	quotes bool
}

// rows is the one mapping from codes to what users see. Every platform's column stands in it, so
// that the platforms can be compared line by line.
var rows = map[soke.Code]native{
	soke.SubscriptionRequired:   {403, zError, mConfiguration, false, "Active Soke subscription required", subscriptionAdvice, false},
	soke.Unauthorized:           {401, zExpired, mToken, false, "The Soke API key was not accepted", keyAdvice, false},
	soke.Forbidden:              {403, zError, mConfiguration, false, "This key may not do that in Soke", forbiddenAdvice, true},
	soke.InsufficientCredits:    {402, zError, mRuntime, false, "Not enough Soke credits", creditsAdvice, false},
	soke.RateLimitExceeded:      {429, zThrottled, mRate, true, "Too many requests to Soke in this minute", rateAdvice, false},
	soke.InvalidInput:           {400, zError, mData, false, "An input needs attention", inputAdvice, false},
	soke.BadRequest:             {400, zError, mData, false, "Soke could not use this input", badRequestAdvice, true},
	soke.TopicRequired:          {400, zError, mData, false, "A topic is needed", topicAdvice, false},
	soke.KeywordsRequired:       {400, zError, mData, false, "Keywords are needed", keywordsAdvice, false},
	soke.IdempotencyMismatch:    {409, zError, mData, false, "This idempotency key belongs to another call", ownAdvice, false},
	soke.NotFound:               {404, zError, mData, false, "Not found", notFoundAdvice, false},
	soke.MethodNotAllowed:       {405, zError, mData, false, "This address takes another HTTP method", methodAdvice, false},
	soke.PayloadTooLarge:        {413, zError, mData, false, "The request is too large", ownAdvice, false},
	soke.UnsupportedMediaType:   {415, zError, mData, false, "The request must be JSON", ownAdvice, false},
	soke.PlatformNotImplemented: {501, zError, mData, false, "Soke does not cover this platform", platformAdvice, false},
	soke.InternalError:          {500, zError, mConnection, true, "Soke had trouble with this call", internalAdvice, false},
	soke.UpstreamUnavailable:    {502, zError, mConnection, true, "No usable answer from Soke", unavailableAdvice, false},
	soke.UpstreamTimeout:        {504, zError, mConnection, true, "Soke took too long to answer", timeoutAdvice, false},
	soke.ConnectorError:         {500, zError, mConnection, true, "The Soke connector had trouble", connectorAdvice, false},
}

// rowOf returns the row of a code. A code that Soke has invented since is treated by its status.
func rowOf(e *soke.Error) native {
	row, known := rows[e.Code]
	if !known {
		row = native{status: http.StatusBadGateway, zapier: zError, make: mData, title: "Soke refused the call", advice: unknownAdvice, quotes: true}
	}
	if e.Status >= http.StatusBadRequest && e.Status < 600 && e.Code != soke.UpstreamUnavailable && e.Code != soke.UpstreamTimeout {
		row.status = e.Status
	}
	if !known && row.status >= http.StatusInternalServerError {
		row.make, row.retryable = mConnection, true
	}
	return row
}

// throttle is how long Zapier waits before it runs a step again by itself, in seconds.
const throttle = 60

// native returns the class a platform raises, and the wait that goes with it.
func (f Failure) native(name Name, call Call) (kind string, retryAfter *int) {
	retryAfter = f.RetryAfter
	switch name {
	case N8n:
		return nodeAPI, retryAfter
	case Make:
		return f.row.make, retryAfter
	case Zapier:
	default:
		return zError, retryAfter
	}
	kind = f.row.zapier
	switch {
	case f.Code == soke.Unauthorized && call.ConnectionTest:
		// There is no connection yet that could expire.
		kind = zError
	case f.Code == soke.UpstreamUnavailable && f.notSent,
		f.Code == soke.ConnectorError && f.Status == http.StatusServiceUnavailable:
		// Nothing was done, so Zapier may run the step again by itself.
		kind = zThrottled
	}
	if kind == zThrottled && retryAfter == nil {
		wait := throttle
		retryAfter = &wait
	}
	return kind, retryAfter
}
