package delivery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

// Headers of a signed delivery, named by Standard Webhooks 1.0.
const (
	headerID        = "Webhook-Id"        // stable over the attempts of a delivery
	headerTimestamp = "Webhook-Timestamp" // Unix seconds of this attempt
	headerSignature = "Webhook-Signature" // one v1 signature per secret, a space between
)

const (
	secretPrefix  = "whsec_"
	secretPurpose = "soke-connector/webhook/v1/"
)

// ErrSecretForm says that a delivery cannot be signed: there is no secret, or one that is
// not whsec_ followed by base64. It never quotes the secret.
var ErrSecretForm = errors.New("a signing secret is whsec_ followed by base64")

// SigningSecret returns the secret of a subscription, whsec_ and base64. It is derived from
// the connection's key, so that a receiver that holds the key need not store a second secret.
// Receivers compute it too, so the derivation is fixed: HMAC-SHA256 under the key's text.
func SigningSecret(key soke.Key, subscriptionID string) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(secretPurpose + subscriptionID))
	return secretPrefix + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Sign returns the three Standard Webhooks headers for one attempt: the message's ID, the
// time of the attempt and a signature by each secret in order. During a rotation there are
// two secrets, and a receiver accepts the delivery if either signature fits. It fails with
// ErrSecretForm rather than send what no receiver could verify.
func Sign(secrets []string, messageID string, at time.Time, body []byte) (http.Header, error) {
	if len(secrets) == 0 {
		return nil, ErrSecretForm
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		encoded, ok := strings.CutPrefix(secret, secretPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) == 0 {
			return nil, ErrSecretForm
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(messageID + "." + timestamp + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	header := make(http.Header, 3)
	header.Set(headerID, messageID)
	header.Set(headerTimestamp, timestamp)
	header.Set(headerSignature, strings.Join(signatures, " "))
	return header, nil
}
