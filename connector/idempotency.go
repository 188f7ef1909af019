package connector

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/usesoke/soke-connector/connector/background"
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

// paidCall is a call that is to be paid once.
type paidCall struct {
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
	jobs    background.Jobs

	mu      sync.Mutex
	running map[[32]byte]*payment
}

// payment is a paid call under way. answer and err may be read once done is closed.
type payment struct {
	inputHash [32]byte
	done      chan struct{}
	answer    Answer
	replayed  bool
	err       error
}

func newPaidOnce(store AnswerStore, timeout time.Duration, now func() time.Time, logger *slog.Logger) *paidOnce {
	return &paidOnce{store: store, timeout: timeout, now: now, logger: logger, running: map[[32]byte]*payment{}}
}

// do returns the answer of a call, and whether it was had without a new call.
func (p *paidOnce) do(ctx context.Context, c paidCall, pay func(context.Context) (Answer, error)) (Answer, bool, error) {
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

	call, first := p.join(id, hash)
	if call.inputHash != hash {
		return Answer{}, false, mismatch()
	}
	if first {
		p.jobs.Begin(func() { p.run(context.WithoutCancel(ctx), id, call, pay) })
	}
	select {
	case <-call.done:
		return call.answer, call.replayed || (!first && call.err == nil), call.err
	case <-ctx.Done():
		return Answer{}, false, ctx.Err()
	}
}

// join returns the running call under id, or begins one.
func (p *paidOnce) join(id, hash [32]byte) (call *payment, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if call, ok := p.running[id]; ok {
		return call, false
	}
	call = &payment{inputHash: hash, done: make(chan struct{})}
	p.running[id] = call
	return call, true
}

// run answers a call from the store, or by paying it.
func (p *paidOnce) run(ctx context.Context, id [32]byte, call *payment, pay func(context.Context) (Answer, error)) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	call.err = errPanicked // stands if pay ends its goroutine by runtime.Goexit, which recover does not see
	defer func() {
		if v := recover(); v != nil {
			call.err = fmt.Errorf("%w: %v", errPanicked, v)
		}
		p.mu.Lock()
		delete(p.running, id)
		p.mu.Unlock()
		close(call.done)
	}()

	kept, found, err := p.store.FindAnswer(ctx, id, p.now())
	switch {
	case err != nil:
		// Without the store the promise of one payment cannot be kept, so nothing is paid.
		call.err = storageUnavailable(err)
		return
	case found && kept.InputHash != call.inputHash:
		call.err = mismatch()
		return
	case found:
		call.answer, call.replayed, call.err = kept, true, nil
		return
	}
	if call.answer, call.err = pay(ctx); call.err != nil {
		return
	}
	call.answer.InputHash = call.inputHash
	// An answer that came at the last moment is kept like any other.
	if err := p.store.KeepAnswer(context.WithoutCancel(ctx), id, call.answer, p.now().Add(answerLife)); err != nil {
		// The user has paid: the answer is theirs even if it cannot be kept for a repeat.
		p.logger.ErrorContext(ctx, "a paid answer could not be kept for repeats", "cause", err.Error())
	}
}

// drain waits for the running calls.
func (p *paidOnce) drain(ctx context.Context) error { return p.jobs.Settled(ctx) }

var errPanicked = errors.New("a paid call panicked")

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
