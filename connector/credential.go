package connector

import (
	"net/http"
	"strings"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
)

// credentialOf reads the caller's credential: X-Soke-Key, else a bearer, which is an API key in
// the hands of OpenAI's clients and a Soke access token otherwise. What cannot be a credential is
// refused here, without a call to Soke.
func credentialOf(h http.Header) (soke.Credential, error) {
	var cred soke.Credential
	var err error
	if cred.AccountID, err = soke.ParseAccountID(strings.TrimSpace(h.Get(headerAccountID))); err != nil {
		return soke.Credential{}, &schemas.FieldError{
			Field: headerAccountID, Label: "Account ID", Problem: "it is not an account ID",
			Accepted: "1 to 128 letters, digits, _ . : or - and no API key, or nothing for the default account",
		}
	}
	if key := strings.TrimSpace(h.Get(headerKey)); key != "" {
		cred.Key, err = soke.ParseKey(key)
		return cred, refused(err)
	}
	scheme, bearer, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	bearer = strings.TrimSpace(bearer)
	switch {
	case !strings.EqualFold(scheme, "Bearer") || bearer == "":
		return soke.Credential{}, refused(soke.ErrKeyForm)
	case strings.HasPrefix(bearer, "sk_"):
		cred.Key, err = soke.ParseKey(bearer)
	default:
		cred.Token, err = soke.ParseToken(bearer)
	}
	return cred, refused(err)
}

func refused(err error) error {
	if err == nil {
		return nil
	}
	return &soke.Error{Code: soke.Unauthorized, NotSent: true, Err: err}
}
