package connector

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
)

// connectionAnswer is what the test of a connection found.
type connectionAnswer struct {
	OK           bool      `json:"ok" title:"OK"`
	Label        string    `json:"label" title:"Label" help:"Names the connection without giving its key away."`
	AccountID    *string   `json:"accountId" title:"Account ID" help:"The selected account; null is the user's default one."`
	Subscription string    `json:"subscription" title:"Subscription"`
	RateLimit    rateLimit `json:"rateLimit" title:"Rate limit" help:"Requests a minute, as Soke counts them. Null where Soke did not say."`
}

type rateLimit struct {
	Limit     *int    `json:"limit" title:"Limit"`
	Remaining *int    `json:"remaining" title:"Remaining"`
	Reset     *string `json:"reset" title:"Reset" help:"When the minute ends, RFC 3339."`
}

// testConnection proves key, account and subscription by a call that Soke does not charge.
func (s *Server) testConnection(c echo.Context, k *call) error {
	found, err := s.probe(c.Request().Context(), k.session)
	if err != nil {
		return err
	}
	meta := k.session.Meta()
	sokeHeaders(c.Response().Header(), meta.RequestID, meta.Limits)
	return c.JSON(http.StatusOK, found)
}

// checkConnection is the same test for callers that read only bodies of 200s: n8n's test of a
// credential shows nothing but the HTTP reason of any other status.
func (s *Server) checkConnection(c echo.Context, k *call) error {
	cred, err := credentialOf(c.Request().Header)
	if err == nil {
		var found connectionAnswer
		k.session = s.Soke.Session(cred)
		found, err = s.probe(c.Request().Context(), k.session)
		meta := k.session.Meta()
		sokeHeaders(c.Response().Header(), meta.RequestID, meta.Limits)
		if err == nil {
			return c.JSON(http.StatusOK, found)
		}
	}
	return c.JSON(http.StatusOK, struct {
		OK    bool                 `json:"ok"`
		Error platform.NativeError `json:"error"`
	}{Error: k.native(err)})
}

func (s *Server) probe(ctx context.Context, session *soke.Session) (connectionAnswer, error) {
	if _, err := session.Check(ctx); err != nil {
		return connectionAnswer{}, err
	}
	cred, limits := session.Credential(), session.Meta().Limits
	s.recheck(ctx, cred.Key)
	answer := connectionAnswer{
		OK: true, Label: label(cred), Subscription: "active",
		RateLimit: rateLimit{Limit: limits.Limit, Remaining: limits.Remaining},
	}
	if cred.AccountID != "" {
		answer.AccountID = &cred.AccountID
	}
	if limits.Reset != nil {
		reset := limits.Reset.UTC().Format(time.RFC3339)
		answer.RateLimit.Reset = &reset
	}
	return answer, nil
}

// label names a connection for people who have several.
func label(cred soke.Credential) string {
	s := "Soke ••••" + cred.Key.LastFour()
	if cred.Key.IsZero() {
		s = "Soke (signed in)"
	}
	if cred.AccountID != "" {
		s += " (" + cred.AccountID + ")"
	}
	return s
}
