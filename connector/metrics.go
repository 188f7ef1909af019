package connector

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/usesoke/soke-connector/connector/soke"
	"github.com/usesoke/soke-connector/triggers/delivery"
	"github.com/usesoke/soke-connector/triggers/scheduler"
)

// Metrics counts what the connector does. Every label is from a closed set, so that no caller can
// make a series of their own.
type Metrics struct {
	Registry *prometheus.Registry

	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	upstream  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	credits   *prometheus.CounterVec

	runs       *prometheus.CounterVec
	lag        prometheus.Histogram
	events     *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	wait       *prometheus.HistogramVec
}

// NewMetrics registers the connector's metrics in a registry of their own.
func NewMetrics() *Metrics {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soke_connector_requests_total", Help: "Answered requests.",
		}, []string{"platform", "operation", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "soke_connector_request_duration_seconds", Help: "Time from a request to the end of its answer.", Buckets: buckets,
		}, []string{"platform", "operation"}),
		upstream: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soke_connector_soke_calls_total", Help: "Attempts of calls to Soke by outcome; code is OK or the failure's.",
		}, []string{"operation", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "soke_connector_soke_call_duration_seconds", Help: "Time of one attempt of a call to Soke.", Buckets: buckets,
		}, []string{"operation"}),
		credits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soke_connector_credits_spent_total", Help: "Soke credits spent by successful calls of the catalogue's operations.",
		}, []string{"operation"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soke_connector_runs_total", Help: "Runs of watches, by how they ended.",
		}, []string{"outcome"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "soke_connector_run_lag_seconds", Help: "Time from when a run was due to when it began.", Buckets: buckets,
		}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soke_connector_events_total", Help: "Events found by runs, without baselines.",
		}, []string{"trigger"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "soke_connector_delivery_attempts_total", Help: "Attempts to deliver, by the receiver's answer.",
		}, []string{"platform", "outcome"}),
		wait: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "soke_connector_delivery_wait_seconds", Help: "Time from the commit of a delivery to an attempt.", Buckets: buckets,
		}, []string{"platform"}),
	}
	m.Registry.MustRegister(
		m.requests, m.durations, m.upstream, m.latency, m.credits,
		m.runs, m.lag, m.events, m.deliveries, m.wait,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// countInFlight shows a server's own count of the requests that it is answering.
func (m *Metrics) countInFlight(n *atomic.Int64) error {
	return m.Registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "soke_connector_requests_in_flight", Help: "Requests that are being answered.",
	}, func() float64 { return float64(n.Load()) }))
}

func (m *Metrics) answered(platform, operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(platform, operation, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(platform, operation).Observe(took.Seconds())
}

func (m *Metrics) spent(operation string, credits int) {
	m.credits.WithLabelValues(operation).Add(float64(credits))
}

// ObserveSoke counts one attempt of a call to Soke; it is the client's Observe option.
func (m *Metrics) ObserveSoke(o soke.Observation) {
	m.upstream.WithLabelValues(o.Operation, codeLabel(o.Code)).Inc()
	m.latency.WithLabelValues(o.Operation).Observe(o.Duration.Seconds())
}

// ObserveRun counts a run; it is the scheduler's Observe option.
func (m *Metrics) ObserveRun(o scheduler.Observation) {
	m.runs.WithLabelValues(string(o.Outcome)).Inc()
	m.lag.Observe(o.Lag.Seconds())
	for trigger, n := range o.Events {
		m.events.WithLabelValues(trigger).Add(float64(n))
	}
	if o.Credits > 0 {
		m.credits.WithLabelValues("watch").Add(float64(o.Credits))
	}
}

// ObserveDelivery counts an attempt to deliver; it is the outbox's Observe option.
func (m *Metrics) ObserveDelivery(platform string, o delivery.Outcome, waited time.Duration) {
	outcome := string(o.Failure)
	if o.Status != 0 {
		outcome = strconv.Itoa(o.Status/100) + "xx"
	}
	m.deliveries.WithLabelValues(platform, outcome).Inc()
	m.wait.WithLabelValues(platform).Observe(waited.Seconds())
}

// codeLabel keeps codes that Soke invents from growing the set of series.
func codeLabel(code soke.Code) string {
	switch {
	case code == "":
		return "OK"
	case code.Known():
		return string(code)
	default:
		return "OTHER"
	}
}
