package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/usesoke/soke-connector/connector/sqlite"
)

// storageMetrics reads the database's own numbers and what waits in it, whenever they are asked for.
type storageMetrics struct {
	db                                  *sqlite.DB
	file, wal, pages, free, queued      *prometheus.Desc
	due, pending, pendingAge, callbacks *prometheus.Desc
}

func newStorageMetrics(db *sqlite.DB) *storageMetrics {
	gauge := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("soke_connector_"+name, help, nil, nil)
	}
	return &storageMetrics{
		db:         db,
		file:       gauge("database_bytes", "Size of the database file."),
		wal:        gauge("database_wal_bytes", "Size of the write-ahead log."),
		pages:      gauge("database_pages", "Pages of the database."),
		free:       gauge("database_free_pages", "Pages of the database that hold nothing."),
		queued:     gauge("database_queued_writes", "Writes that wait for the writer."),
		due:        gauge("oldest_due_seconds", "How long the watch has waited that is most overdue."),
		pending:    gauge("outbox_deliveries", "Deliveries that wait."),
		pendingAge: gauge("outbox_oldest_seconds", "Age of the oldest delivery that waits."),
		callbacks:  gauge("callbacks_open", "Callbacks that are not done."),
	}
}

// Describe implements prometheus.Collector.
func (m *storageMetrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector. Numbers that cannot be read are left out.
func (m *storageMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	send := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	if s, err := m.db.Stats(ctx); err == nil {
		send(m.file, float64(s.FileBytes))
		send(m.wal, float64(s.WALBytes))
		send(m.pages, float64(s.Pages))
		send(m.free, float64(s.FreePages))
		send(m.queued, float64(s.Queued))
	}
	now := time.Now()
	if b, err := m.db.Backlog(ctx, now); err == nil {
		send(m.due, age(b.OldestDue, now))
		send(m.pending, float64(b.Pending))
		send(m.pendingAge, age(b.OldestPending, now))
		send(m.callbacks, float64(b.Callbacks))
	}
}

func age(since, now time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return now.Sub(since).Seconds()
}
