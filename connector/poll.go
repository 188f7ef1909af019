package connector

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/schemas"
	"github.com/usesoke/soke-connector/triggers"
)

const (
	// firstRunWait is how long a poll waits for the first research of its watch; platforms give a
	// poll 30 s in all.
	firstRunWait = 20 * time.Second
	// tryAgainAfter is how long a first research that failed is left alone.
	tryAgainAfter = time.Minute
)

// pollLimit is the part of a poll's body that every platform has.
type pollLimit struct {
	Limit int `json:"limit,omitempty" title:"Limit" help:"How many events to return, from 1 to 100." default:"100" validate:"min=1,max=100"`
}

// pollCursor is what a platform adds that keeps a cursor.
type pollCursor struct {
	Cursor string `json:"cursor,omitempty" title:"Cursor" help:"The cursor of the poll before; absent for the newest events." validate:"omitempty,max=200"`
}

// pollSince is what a platform adds that keeps the time of the newest event.
type pollSince struct {
	Since *time.Time `json:"since,omitempty" title:"Since" help:"Events from this time on, inclusive, RFC 3339; used where there is no cursor."`
}

// pollHead is how much of a feed a poll asks for.
type pollHead struct {
	limit  int
	cursor string
	since  time.Time
}

func readPollHead(form *schemas.Object, paging platform.Paging) (h pollHead, err error) {
	limit, err := schemas.Take[pollLimit](form)
	if err != nil {
		return h, err
	}
	h.limit = limit.Limit
	if paging.Cursor {
		cursor, err := schemas.Take[pollCursor](form)
		if err != nil {
			return h, err
		}
		if h.cursor = cursor.Cursor; h.cursor != "" && !isCursor(h.cursor) {
			return h, errCursor()
		}
	}
	if paging.Since {
		since, err := schemas.Take[pollSince](form)
		if err != nil {
			return h, err
		}
		if since.Since != nil {
			h.since = since.Since.UTC()
		}
	}
	return h, nil
}

// poll answers with the events of a feed out of the store. Only the very first poll of a watch has
// Soke asked, and is the watch's first run.
func (s *Server) poll(c echo.Context, k *call, t triggers.Trigger) error {
	form, err := readForm(c.Response(), c.Request())
	if err != nil {
		return t.Input.Labelled(err)
	}
	head, err := readPollHead(form, k.route.dialect.Paging())
	if err != nil {
		return err
	}
	opening, err := s.opening(k.session.Credential(), t, form)
	if err != nil {
		return err
	}
	opening.Polled = true
	ctx := c.Request().Context()
	opened, err := s.Watching.Store.OpenFeed(ctx, opening)
	if err != nil {
		return err
	}
	watch := opened.Watch
	if watch.Runs == 0 && watch.State == triggers.Active {
		if watch, err = s.firstRun(ctx, watch); err != nil {
			return err
		}
	} else if opened.Due {
		s.Watching.Runner.Wake()
	}
	if watch.Failure != nil && (watch.State == triggers.Paused || watch.Runs == 0) {
		return watch.Failure.Error()
	}
	page, err := s.page(ctx, opened.Feed.ID, head)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, k.route.dialect.List(page))
}

// firstRun runs a new watch at once and returns what it is then. If that takes too long the run
// goes on and the poll is answered without it.
func (s *Server) firstRun(ctx context.Context, watch triggers.Watch) (triggers.Watch, error) {
	limited, cancel := context.WithTimeout(ctx, firstRunWait)
	defer cancel()
	// What may have been charged is not tried again by a poll, however often platforms poll.
	if f := watch.Failure; f != nil && f.Passes() && s.Now().Sub(f.At) > max(tryAgainAfter, f.RetryAfter) {
		if err := s.Watching.Store.TryAgain(ctx, watch.ID, s.Now()); err != nil {
			return watch, err
		}
	}
	err := s.Watching.Runner.RunNow(limited, watch)
	var refused *soke.Error
	switch {
	case errors.As(err, &refused):
		return watch, refused
	case ctx.Err() != nil:
		return watch, outOfTime(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return watch, nil
	case err != nil:
		return watch, err
	}
	return s.Watching.Store.FindWatch(ctx, watch.ID)
}

// page reads the part of a feed that was asked for.
func (s *Server) page(ctx context.Context, feedID string, h pollHead) (platform.Page, error) {
	query := triggers.EventQuery{FeedID: feedID, Limit: h.limit, Since: h.since}
	if h.cursor != "" {
		after, err := parseCursor(h.cursor, feedID)
		if err != nil {
			return platform.Page{}, err
		}
		query.After = &after
	}
	found, more, err := s.Watching.Store.Events(ctx, query)
	if err != nil {
		return platform.Page{}, err
	}
	newest := query.After == nil && query.Since.IsZero()
	if newest {
		slices.Reverse(found)
	}
	page := platform.Page{Events: make([]json.RawMessage, len(found)), HasMore: more && !newest}
	var last int64
	for i, e := range found {
		page.Events[i], last = e.Body, e.Place
	}
	switch {
	case len(found) > 0:
	case query.After != nil:
		last = *query.After
	case !newest:
		if last, err = s.lastPlace(ctx, feedID); err != nil {
			return platform.Page{}, err
		}
	}
	page.Cursor = formatCursor(last, feedID)
	return page, nil
}

// lastPlace returns the place of a feed's newest event, 0 if it has none.
func (s *Server) lastPlace(ctx context.Context, feedID string) (int64, error) {
	newest, _, err := s.Watching.Store.Events(ctx, triggers.EventQuery{FeedID: feedID, Limit: 1})
	if err != nil || len(newest) == 0 {
		return 0, err
	}
	return newest[0].Place, nil
}

// sample answers with what events of a trigger look like.
func (s *Server) sample(c echo.Context, _ *call, t triggers.Trigger) error {
	return c.JSON(http.StatusOK, t.Sample)
}
