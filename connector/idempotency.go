package connector

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/usesoke/soke-connector/connector/soke"
)

// answerLife is how long the answer of a paid call can be had again for nothing.
const answerLife = 24 * time.Hour

// Answer is the answer of a paid call, as it is kept for repeats.
type Answer struct {
	// InputHash tells a repeat from another call under the same idempotency key.
	InputHash [32]byte
	// Body is the output as JSON.
	Body []byte
	// RequestID is Soke's.
	RequestID string

	limits soke.Limits
}

// AnswerStore keeps the answers of paid calls, encrypted.
type AnswerStore interface {
	// AnswerID is the name of a call under (credential, account, action, idempotency key): a
	// keyed hash that gives none of them away.
	AnswerID(credential, account, action, key string) [32]byte
	// FindAnswer returns a kept answer that has not expired.
	FindAnswer(ctx context.Context, id [32]byte, now time.Time) (Answer, bool, error)
	// KeepAnswer keeps an answer until expiresAt. The first one under an id stays.
	KeepAnswer(ctx context.Context, id [32]byte, a Answer, expiresAt time.Time) error
}

// claim is a caller's wish that a call be paid once.
type claim struct {
	credential  soke.Credential
	action, key string
	input       any
}

// paidOnce makes repeated calls cost what one does. A repeat of an answered call is served from
// the store, a repeat of a running one waits for it. The running call does not end when its
// caller leaves: it may have been charged already, and the caller's next try will ask for it.
type paidOnce struct {
	store   AnswerStore
	timeout time.Duration
	now     func() time.Time
	logger  *slog.Logger

	mu      sync.Mutex
	running map[[32]byte]*flight
}

// flight is a paid call under way. answer and err may be read once done is closed.
type flight struct {
	inputHash [32]byte
	done      chan struct{}
	answer    Answer
	replayed  bool
	err       error
}

func newPaidOnce(store AnswerStore, timeout time.Duration, now func() time.Time, logger *slog.Logger) *paidOnce {
	return &paidOnce{store: store, timeout: timeout, now: now, logger: logger, running: map[[32]byte]*flight{}}
}

// do returns the answer under a claim, and whether it was had without a new call.
func (p *paidOnce) do(ctx context.Context, c claim, pay func(context.Context) (Answer, error)) (Answer, bool, error) {
	input, err := json.Marshal(c.input)
	if err != nil {
		return Answer{}, false, fmt.Errorf("encoding the input of %s: %w", c.action, err)
	}
	hash := sha256.Sum256(input)
	secret := c.credential.Key.Reveal()
	if secret == "" {
		secret = c.credential.Token.Reveal()
	}
	id := p.store.AnswerID(secret, c.credential.AccountID, c.action, c.key)

	f, first := p.board(id, hash)
	if f.inputHash != hash {
		return Answer{}, false, mismatch()
	}
	if first {
		go p.fly(context.WithoutCancel(ctx), id, f, pay)
	}
	select {
	case <-f.done:
		return f.answer, f.replayed || (!first && f.err == nil), f.err
	case <-ctx.Done():
		return Answer{}, false, ctx.Err()
	}
}

// board joins the running call under id, or opens one.
func (p *paidOnce) board(id, hash [32]byte) (f *flight, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.running[id]; ok {
		return f, false
	}
	f = &flight{inputHash: hash, done: make(chan struct{})}
	p.running[id] = f
	return f, true
}

// fly answers a flight from the store, or by the paid call.
func (p *paidOnce) fly(ctx context.Context, id [32]byte, f *flight, pay func(context.Context) (Answer, error)) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	f.err = errPanicked
	defer func() {
		if v := recover(); v != nil {
			f.err = fmt.Errorf("%w: %v", errPanicked, v)
		}
		p.mu.Lock()
		delete(p.running, id)
		p.mu.Unlock()
		close(f.done)
	}()

	kept, found, err := p.store.FindAnswer(ctx, id, p.now())
	switch {
	case err != nil:
		// Without the store the promise of one payment cannot be kept, so nothing is paid.
		f.err = storageUnavailable(err)
		return
	case found && kept.InputHash != f.inputHash:
		f.err = mismatch()
		return
	case found:
		f.answer, f.replayed, f.err = kept, true, nil
		return
	}
	if f.answer, f.err = pay(ctx); f.err != nil {
		return
	}
	f.answer.InputHash = f.inputHash
	// An answer that came at the last moment is kept like any other.
	if err := p.store.KeepAnswer(context.WithoutCancel(ctx), id, f.answer, p.now().Add(answerLife)); err != nil {
		// The user has paid: the answer is theirs even if it cannot be kept for a repeat.
		p.logger.ErrorContext(ctx, "a paid answer could not be kept for repeats", "cause", err.Error())
	}
}

// drain waits for the running calls.
func (p *paidOnce) drain(ctx context.Context) error {
	for {
		f := p.anyFlight()
		if f == nil {
			return nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// anyFlight returns a call under way, or nil.
func (p *paidOnce) anyFlight() *flight {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.running {
		return f
	}
	return nil
}

var errPanicked = fmt.Errorf("a paid call panicked")

func mismatch() error {
	return &soke.Error{
		Code: soke.IdempotencyMismatch, NotSent: true,
		Message: "This Idempotency-Key was used with another input in the last 24 hours. Send a new key with a new input.",
	}
}

// storageUnavailable is the refusal of what needs the database when the database cannot serve.
func storageUnavailable(err error) error {
	return &soke.Error{
		Code: soke.ConnectorError, Status: 503, RetryAfter: time.Minute, NotSent: true, Err: err,
	}
}
