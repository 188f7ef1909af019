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

	"github.com/cenkalti/backoff/v5"

	"github.com/usesoke/soke-connector/connector/background"
	"github.com/usesoke/soke-connector/connector/soke"
)

const (
	// answerLife is how long the answer of a paid call can be had again for nothing.
	answerLife = 24 * time.Hour
	// keepInsists is for how long a store that fails is asked again to keep a paid answer.
	keepInsists = 10 * time.Minute
)

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

// ErrAnswerTooLarge says that an answer is too large to be kept, however often it is tried.
var ErrAnswerTooLarge = errors.New("an answer of more than 8 MiB cannot be kept for repeats")

// AnswerStore keeps the answers of paid calls, encrypted.
type AnswerStore interface {
	// AnswerID is the name of a call under (credential, account, action, idempotency key): a
	// keyed hash that gives none of them away.
	AnswerID(credential, account, action, key string) [32]byte
	// FindAnswer returns a kept answer that has not expired.
	FindAnswer(ctx context.Context, id [32]byte, now time.Time) (Answer, bool, error)
	// KeepAnswer keeps an answer until expiresAt. The first one under an id stays. It fails with
	// ErrAnswerTooLarge.
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
	id := p.id(c)
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
		return Answer{}, false, outOfTime(ctx)
	}
}

// kept returns the answer of a call that an earlier one under its idempotency key has paid.
func (p *paidOnce) kept(ctx context.Context, c paidCall) (Answer, bool, error) {
	return p.store.FindAnswer(ctx, p.id(c), p.now())
}

func (p *paidOnce) id(c paidCall) [32]byte {
	secret := c.credential.Key.Reveal()
	if secret == "" {
		secret = c.credential.Token.Reveal()
	}
	return p.store.AnswerID(secret, c.credential.AccountID, c.action, c.key)
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

// run answers a call from the store, or by paying it. The call counts as running until its answer is
// kept: a repeat that comes before must not pay again.
func (p *paidOnce) run(ctx context.Context, id [32]byte, call *payment, pay func(context.Context) (Answer, error)) {
	answered := sync.OnceFunc(func() { close(call.done) })
	defer answered()
	defer p.forget(id)
	p.answer(ctx, id, call, pay)
	if call.err != nil || call.replayed {
		return
	}
	call.answer.InputHash = call.inputHash
	expires := p.now().Add(answerLife)
	keep := func() (struct{}, error) {
		return struct{}{}, p.store.KeepAnswer(ctx, id, call.answer, expires)
	}
	_, err := keep()
	if err == nil {
		return
	}
	p.logger.ErrorContext(ctx, "a paid answer could not be kept for repeats yet", "cause", err.Error())
	answered() // the user has paid: the answer is theirs all the same
	if errors.Is(err, ErrAnswerTooLarge) {
		return
	}
	if _, err := backoff.Retry(ctx, keep, backoff.WithMaxElapsedTime(keepInsists)); err != nil {
		p.logger.ErrorContext(ctx, "a paid answer could not be kept for repeats", "cause", err.Error())
	}
}

// answer has the call answered within its time.
func (p *paidOnce) answer(ctx context.Context, id [32]byte, call *payment, pay func(context.Context) (Answer, error)) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	call.err = errPanicked // also where pay ends its goroutine
	defer func() {
		if v := recover(); v != nil {
			call.err = fmt.Errorf("%w: %v", errPanicked, v)
		}
	}()
	kept, found, err := p.store.FindAnswer(ctx, id, p.now())
	switch {
	case err != nil:
		// Without the store the promise of one payment cannot be kept, so nothing is paid.
		call.err = storageUnavailable(err)
	case found && kept.InputHash != call.inputHash:
		call.err = mismatch()
	case found:
		call.answer, call.replayed, call.err = kept, true, nil
	default:
		call.answer, call.err = pay(ctx)
	}
}

func (p *paidOnce) forget(id [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, id)
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
