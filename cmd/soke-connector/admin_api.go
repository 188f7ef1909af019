package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/usesoke/soke-connector/connector/sqlite"
	"github.com/usesoke/soke-connector/triggers"
)

// adminHeader must come with every call of the operator's API. No browser lets a page send a header
// that begins with Sec-, not even to the page's own host: a website whose name has been turned to
// this machine's address reaches the listener, and is refused.
const adminHeader = "Sec-Soke-Admin"

// adminAPI is what the operator's commands talk to. It is served by the running connector, beside
// metrics, because the database belongs to one process.
type adminAPI struct {
	db     *sqlite.DB
	outbox interface{ Wake() }
	logger *slog.Logger
}

// handler puts the API in front of what else the admin listener serves.
func (a *adminAPI) handler(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.HandleFunc("GET /admin/watches", a.answer(a.list))
	mux.HandleFunc("GET /admin/watches/{id}", a.answer(a.show))
	mux.HandleFunc("GET /admin/watches/{id}/explain", a.answer(a.explain))
	mux.HandleFunc("GET /admin/subscriptions/{id}/deliveries", a.answer(a.deliveries))
	mux.HandleFunc("POST /admin/subscriptions/{id}/replay", a.answer(a.replay))
	mux.HandleFunc("POST /admin/master-key/rotate", a.answer(a.rotate))
	return mux
}

// adminError is a refusal in words.
type adminError struct {
	Status int    `json:"-"`
	Reason string `json:"error"`
}

func (f *adminError) Error() string { return f.Reason }

func (a *adminAPI) answer(handle func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		body, err := any(nil), error(&adminError{Status: http.StatusForbidden, Reason: "the header " + adminHeader + " is missing"})
		if r.Header.Get(adminHeader) != "" {
			body, err = handle(r.Context(), r)
		}
		var failure *adminError
		switch {
		case errors.As(err, &failure):
			status, body = failure.Status, failure
		case errors.Is(err, triggers.ErrNoWatch), errors.Is(err, triggers.ErrNoSubscription):
			status, body = http.StatusNotFound, &adminError{Reason: err.Error()}
		case err != nil:
			a.logger.ErrorContext(r.Context(), "admin call failed", "cause", err.Error())
			status, body = http.StatusServiceUnavailable, &adminError{Reason: err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // a caller that has left misses nothing
	}
}

// watchView is a watch in the operator's words. It names no key.
type watchView struct {
	ID           string          `json:"id"`
	ConnectionID string          `json:"connectionId"`
	AccountID    string          `json:"accountId"`
	Research     json.RawMessage `json:"research"`
	Schedule     string          `json:"schedule"`
	Timezone     string          `json:"timezone"`
	State        string          `json:"state"`
	Reason       string          `json:"reason"`
	Runs         int             `json:"runs"`
	LastRunAt    time.Time       `json:"lastRunAt,omitzero"`
	NextRunAt    time.Time       `json:"nextRunAt,omitzero"`
	PolledAt     time.Time       `json:"polledAt"`
}

func viewOf(w triggers.Watch) watchView {
	v := watchView{
		ID: w.ID, ConnectionID: w.ConnectionID, AccountID: w.AccountID, Research: w.Research,
		Schedule: w.Schedule.Expression(), Timezone: w.Schedule.Timezone(), State: string(w.State),
		Runs: w.Runs, LastRunAt: w.LastRunAt, NextRunAt: w.DueAt, PolledAt: w.PolledAt,
	}
	if w.Failure != nil {
		v.Reason = string(w.Failure.Code)
	}
	return v
}

// pageSize is how many watches one page lists.
const pageSize = 100

func (a *adminAPI) list(ctx context.Context, r *http.Request) (any, error) {
	all, err := a.db.Watches(ctx, r.URL.Query().Get("after"), pageSize)
	views := make([]watchView, len(all))
	for i, w := range all {
		views[i] = viewOf(w)
	}
	return views, err
}

// inspectionView is a watch with what belongs to it.
type inspectionView struct {
	watchView
	Feeds         []feedView         `json:"feeds"`
	Subscriptions []subscriptionView `json:"subscriptions"`
	Occurrences   []occurrenceView   `json:"occurrences"`
}

type feedView struct {
	ID         string          `json:"id"`
	Trigger    string          `json:"trigger"`
	Parameters json.RawMessage `json:"parameters"`
}

type subscriptionView struct {
	ID          string `json:"id"`
	Platform    string `json:"platform"`
	Trigger     string `json:"trigger"`
	State       string `json:"state"`
	Reason      string `json:"reason"`
	Host        string `json:"host"`
	Undelivered int    `json:"undelivered"`
}

type occurrenceView struct {
	Due     time.Time `json:"due"`
	Outcome string    `json:"outcome"`
	Reason  string    `json:"reason"`
	Count   int       `json:"count"`
	// Run is what a run found; absent where there was none, or when it is no longer kept.
	Run *runView `json:"run,omitempty"`
}

type runView struct {
	Keywords  int    `json:"keywords"`
	Events    int    `json:"events"`
	RequestID string `json:"requestId"`
}

func (a *adminAPI) show(ctx context.Context, r *http.Request) (any, error) {
	found, err := a.db.Inspect(ctx, r.PathValue("id"), limitOf(r, "occurrences"))
	if err != nil {
		return nil, err
	}
	view := inspectionView{watchView: viewOf(found.Watch), Feeds: []feedView{}, Subscriptions: []subscriptionView{}, Occurrences: []occurrenceView{}}
	for _, f := range found.Feeds {
		view.Feeds = append(view.Feeds, feedView{f.ID, f.Trigger, f.Parameters})
	}
	for _, s := range found.Subscriptions {
		view.Subscriptions = append(view.Subscriptions, subscriptionView{s.ID, s.Platform, s.Trigger, string(s.State), s.Reason, s.Host, s.Undelivered})
	}
	runs := map[time.Time]*runView{}
	for _, run := range found.Runs {
		runs[run.Due] = &runView{run.Keywords, run.Events, run.RequestID}
	}
	for _, o := range found.Occurrences {
		one := occurrenceView{Due: o.Due, Outcome: string(o.Outcome), Reason: o.Reason, Count: o.Count}
		if o.Outcome == triggers.Ran || o.Outcome == triggers.Late {
			one.Run = runs[o.Due]
		}
		view.Occurrences = append(view.Occurrences, one)
	}
	return view, nil
}

// limitOf reads how many of something a person wants to see.
func limitOf(r *http.Request, name string) int {
	limit, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || limit < 1 || limit > 1000 {
		return 20
	}
	return limit
}

// deliveryView is a delivery without its target and what it says.
type deliveryView struct {
	ID       string        `json:"id"`
	Kind     string        `json:"kind"`
	State    string        `json:"state"`
	Created  time.Time     `json:"createdAt"`
	Attempts []attemptView `json:"attempts"`
}

type attemptView struct {
	Number  int       `json:"number"`
	At      time.Time `json:"at"`
	TookMS  int64     `json:"tookMs"`
	Outcome string    `json:"outcome"`
}

func (a *adminAPI) deliveries(ctx context.Context, r *http.Request) (any, error) {
	found, err := a.db.Deliveries(ctx, r.PathValue("id"), limitOf(r, "limit"))
	if err != nil {
		return nil, err
	}
	views := make([]deliveryView, len(found))
	for i, d := range found {
		views[i] = deliveryView{ID: d.ID, Kind: string(d.Kind), State: d.State, Created: d.Created, Attempts: []attemptView{}}
		for _, t := range d.Attempts {
			views[i].Attempts = append(views[i].Attempts, attemptView{t.Number, t.At, t.Took.Milliseconds(), t.Outcome})
		}
	}
	return views, nil
}

func (a *adminAPI) explain(ctx context.Context, r *http.Request) (any, error) {
	keyword := r.URL.Query().Get("keyword")
	if keyword == "" {
		return nil, &adminError{http.StatusBadRequest, "name a keyword"}
	}
	trace, err := a.db.Trace(ctx, r.PathValue("id"), keyword)
	if err != nil {
		return nil, err
	}
	return struct {
		Lines []string `json:"lines"`
	}{explain(trace, keyword)}, nil
}

func (a *adminAPI) replay(ctx context.Context, r *http.Request) (any, error) {
	var since time.Time
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, &adminError{http.StatusBadRequest, "since must be a time such as 2026-11-23T09:00:00Z"}
		}
	}
	count, err := a.db.Replay(ctx, r.PathValue("id"), since, time.Now())
	if err != nil {
		return nil, err
	}
	a.outbox.Wake()
	return struct {
		Deliveries int `json:"deliveries"`
	}{count}, nil
}

func (a *adminAPI) rotate(ctx context.Context, _ *http.Request) (any, error) {
	if err := a.db.RotateMasterKey(ctx); err != nil {
		return nil, err
	}
	return struct {
		Rotated bool `json:"rotated"`
	}{true}, nil
}
