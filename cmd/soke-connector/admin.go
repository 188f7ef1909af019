package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"
)

// admin is where the operator's commands find the running connector.
type admin struct {
	Admin string `default:"http://127.0.0.1:8081" placeholder:"URL" help:"The admin listener of the running connector."`
}

type watchesCommand struct {
	List    watchesListCommand    `cmd:"" default:"withargs" help:"List the watches."`
	Show    watchesShowCommand    `cmd:"" help:"Show one watch with its latest occurrences."`
	Explain watchesExplainCommand `cmd:"" help:"Say why a watch has reported a keyword, or why not."`
}

type watchesListCommand struct {
	admin
}

type watchesShowCommand struct {
	admin
	Watch       string `required:"" placeholder:"WCH" help:"The watch's id."`
	Occurrences int    `default:"20" help:"How many occurrences to show."`
}

type watchesExplainCommand struct {
	admin
	Watch   string `required:"" placeholder:"WCH" help:"The watch's id."`
	Keyword string `required:"" help:"The keyword to explain."`
}

type deliveriesCommand struct {
	Show   deliveriesShowCommand   `cmd:"" help:"Show the latest deliveries of a subscription with their attempts."`
	Replay deliveriesReplayCommand `cmd:"" help:"Deliver again what a subscription was told."`
}

type deliveriesShowCommand struct {
	admin
	Subscription string `required:"" placeholder:"SUB" help:"The subscription's id."`
	Limit        int    `default:"20" help:"How many deliveries to show."`
}

type deliveriesReplayCommand struct {
	admin
	Subscription string    `required:"" placeholder:"SUB" help:"The subscription's id."`
	Since        time.Time `optional:"" format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME" help:"From this time on, such as 2026-11-23T09:00:00Z; absent is everything that is kept."`
}

type masterKeyCommand struct {
	Rotate masterKeyRotateCommand `cmd:"" help:"Encrypt everything under a new master key, while the connector runs."`
}

type masterKeyRotateCommand struct {
	admin
}

// Run lists all watches, a line each.
func (c *watchesListCommand) Run(ctx context.Context, p process) error {
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WATCH\tSTATE\tREASON\tSCHEDULE\tRUNS\tNEXT RUN\tRESEARCH")
	for after := ""; ; {
		var page []watchView
		if err := c.call(ctx, http.MethodGet, "/admin/watches", url.Values{"after": {after}}, &page); err != nil {
			return err
		}
		for _, w := range page {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s (%s)\t%d\t%s\t%s\n", w.ID, w.State, w.Reason, w.Schedule, w.Timezone, w.Runs, timeText(w.NextRunAt), w.Research)
			after = w.ID
		}
		if len(page) < pageSize {
			return table.Flush()
		}
	}
}

// Run shows a watch.
func (c *watchesShowCommand) Run(ctx context.Context, p process) error {
	var w inspectionView
	query := url.Values{"occurrences": {fmt.Sprint(c.Occurrences)}}
	if err := c.call(ctx, http.MethodGet, "/admin/watches/"+url.PathEscape(c.Watch), query, &w); err != nil {
		return err
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "watch\t%s\nstate\t%s %s\nresearch\t%s\nschedule\t%s (%s)\nruns\t%d\nlast run\t%s\nnext run\t%s\nlast asked\t%s\n",
		w.ID, w.State, w.Reason, w.Research, w.Schedule, w.Timezone, w.Runs, timeText(w.LastRunAt), timeText(w.NextRunAt), timeText(w.PolledAt))
	for _, f := range w.Feeds {
		fmt.Fprintf(table, "feed\t%s %s\n", f.Trigger, f.Parameters)
	}
	for _, s := range w.Subscriptions {
		fmt.Fprintf(table, "subscription\t%s %s %s %s %s, %d undelivered\n", s.ID, s.Platform, s.Trigger, s.State, s.Reason, s.Undelivered)
	}
	for _, o := range w.Occurrences {
		fmt.Fprintf(table, "%s\t%s x%d %s", timeText(o.Due), o.Outcome, o.Count, o.Reason)
		if o.Run != nil {
			fmt.Fprintf(table, "%d keywords, %d events (%s)", o.Run.Keywords, o.Run.Events, o.Run.RequestID)
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

// Run explains a keyword.
func (c *watchesExplainCommand) Run(ctx context.Context, p process) error {
	var said struct {
		Lines []string `json:"lines"`
	}
	if err := c.call(ctx, http.MethodGet, "/admin/watches/"+url.PathEscape(c.Watch)+"/explain", url.Values{"keyword": {c.Keyword}}, &said); err != nil {
		return err
	}
	for _, line := range said.Lines {
		fmt.Fprintln(p.stdout, line)
	}
	return nil
}

// Run shows deliveries, a line for each and for each attempt.
func (c *deliveriesShowCommand) Run(ctx context.Context, p process) error {
	var all []deliveryView
	query := url.Values{"limit": {fmt.Sprint(c.Limit)}}
	if err := c.call(ctx, http.MethodGet, "/admin/subscriptions/"+url.PathEscape(c.Subscription)+"/deliveries", query, &all); err != nil {
		return err
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DELIVERY\tKIND\tSTATE\tSINCE")
	for _, d := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.ID, d.Kind, d.State, timeText(d.Created))
		for _, a := range d.Attempts {
			fmt.Fprintf(table, "  attempt %d\t%s\t%d ms\t%s\n", a.Number, a.Outcome, a.TookMS, timeText(a.At))
		}
	}
	return table.Flush()
}

// Run replays deliveries.
func (c *deliveriesReplayCommand) Run(ctx context.Context, p process) error {
	query := url.Values{}
	if !c.Since.IsZero() {
		query.Set("since", c.Since.UTC().Format(time.RFC3339))
	}
	var done struct {
		Deliveries int `json:"deliveries"`
	}
	if err := c.call(ctx, http.MethodPost, "/admin/subscriptions/"+url.PathEscape(c.Subscription)+"/replay", query, &done); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%d deliveries go out again\n", done.Deliveries)
	return nil
}

// Run rotates the master key.
func (c *masterKeyRotateCommand) Run(ctx context.Context, p process) error {
	var done struct {
		Rotated bool `json:"rotated"`
	}
	if err := c.call(ctx, http.MethodPost, "/admin/master-key/rotate", nil, &done); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "everything is encrypted under a new master key; back up the key file again")
	return nil
}

// call asks the running connector.
func (a admin) call(ctx context.Context, method, path string, query url.Values, into any) error {
	base, err := url.Parse(a.Admin)
	if err != nil || base.Host == "" {
		// It is not quoted: it may hold a password.
		return usageError{errors.New("--admin is not a URL such as http://127.0.0.1:8081")}
	}
	target := base.JoinPath(path)
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set(adminHeader, "1")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no connector answers at %s: start it, or name its admin listener with --admin", base.Redacted())
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		var failure adminError
		_ = json.Unmarshal(body, &failure) // an answer without words is worded below
		if failure.Reason == "" {
			failure.Reason = answer.Status
		}
		return &failure
	}
	return json.Unmarshal(body, into)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
