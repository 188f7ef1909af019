package soke

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// patient is a body whose chunks come with a pause before each, read with a pause after each. It
// returns how many chunks were read until the end or until patience ended.
func patient(t *testing.T, patience, before, after time.Duration, chunks int) (n int, err error) {
	t.Helper()
	in, out := io.Pipe()
	ctx, cancel := context.WithCancelCause(t.Context())
	context.AfterFunc(ctx, func() { _ = out.CloseWithError(context.Cause(ctx)) })
	go func() {
		for range chunks {
			if sleep(ctx, before) != nil {
				return
			}
			_, _ = out.Write([]byte("x"))
		}
		_ = out.Close()
	}()
	body := newPatientBody(in, patience, cancel)
	for b := make([]byte, 8); ; n++ {
		if _, err = body.Read(b); err != nil {
			cancel(nil)
			return n, err
		}
		_ = sleep(ctx, after)
	}
}

func TestPatienceWithAStreamIsForEachChunkAndNotForItsReader(t *testing.T) {
	const patience = time.Minute
	for name, c := range map[string]struct {
		before, after time.Duration
		read          int
		err           error
	}{
		"chunks that come in time":    {patience - time.Second, 0, 100, io.EOF},
		"a reader who takes hours":    {patience - time.Second, 5 * time.Hour, 100, io.EOF},
		"a first chunk that is late":  {patience + time.Second, 0, 0, errImpatient},
		"a Soke that has all at once": {0, 0, 100, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, err := patient(t, patience, c.before, c.after, 100)
				if n != c.read || !errors.Is(err, c.err) {
					t.Errorf("read %d chunks until %v, want %d until %v", n, err, c.read, c.err)
				}
			})
		})
	}
}
