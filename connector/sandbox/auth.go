package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Kinds and lives of tokens.
const (
	accessToken  = "access"
	refreshToken = "refresh"
	accessLife   = 15 * time.Minute
	refreshLife  = 30 * 24 * time.Hour
)

// The one user who can sign in.
const (
	demoEmail    = "demo@example.com"
	demoPassword = "sandbox"
)

type claims struct {
	Kind string `json:"kind"`
	jwt.RegisteredClaims
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Email, Password string
	}
	x, ok := s.authExchange(w, r, &asked)
	if !ok {
		return
	}
	if asked.Email != demoEmail || asked.Password != demoPassword {
		x.refuse(unauthorized)
		return
	}
	s.grant(x, demoEmail)
}

func (s *Server) refresh(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		RefreshToken string `json:"refreshToken"`
	}
	x, ok := s.authExchange(w, r, &asked)
	if !ok {
		return
	}
	subject := s.subject(asked.RefreshToken, refreshToken)
	if subject == "" {
		x.refuse(unauthorized)
		return
	}
	s.grant(x, subject)
}

func (s *Server) authExchange(w http.ResponseWriter, r *http.Request, into any) (*exchange, bool) {
	x := newExchange(s, w, r)
	if refused := s.countStranger(x); refused != nil {
		x.refuse(*refused)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil || json.Unmarshal(body, into) != nil {
		x.refuse(badRequest("body", "The body is not the JSON that this endpoint takes."))
		return nil, false
	}
	return x, true
}

func (s *Server) grant(x *exchange, subject string) {
	expires := s.now().Add(accessLife)
	x.answer(map[string]any{
		"accessToken":  s.sign(subject, accessToken, expires),
		"refreshToken": s.sign(subject, refreshToken, s.now().Add(refreshLife)),
		"expiresAt":    expires.UTC().Format(time.RFC3339),
	})
}

func (s *Server) sign(subject, kind string, expires time.Time) string {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{Kind: kind, RegisteredClaims: jwt.RegisteredClaims{
		ID: uuid.NewString(), Subject: subject, IssuedAt: jwt.NewNumericDate(s.now()), ExpiresAt: jwt.NewNumericDate(expires),
	}})
	signed, _ := token.SignedString(s.secret) // HMAC signs whatever it is given
	return signed
}

// subject returns whom a token is for, or "" for a token that is not good for its kind of use.
func (s *Server) subject(token, kind string) string {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(s.now), jwt.WithExpirationRequired())
	if err != nil || c.Kind != kind {
		return ""
	}
	return c.Subject
}
