package state

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what stores write; one value serves all stores of a process.
type Metrics struct {
	commits  prometheus.Counter
	bytes    prometheus.Counter
	seconds  prometheus.Histogram
	failures prometheus.Counter
}

// NewMetrics registers the metrics of this package with r; nil registers nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "crosswalk_state_commits_total", Help: "Batches that were made durable.",
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "crosswalk_state_commit_bytes_total", Help: "Bytes in batches that were made durable.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "crosswalk_state_commit_seconds", Help: "Time of a commit until it is on disk.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "crosswalk_state_failures_total", Help: "Stores that take no more commits because of their disk.",
		}),
	}
	if r != nil {
		r.MustRegister(m.commits, m.bytes, m.seconds, m.failures)
	}
	return m
}

func (m *Metrics) committed(bytes int, took time.Duration) {
	m.commits.Inc()
	m.bytes.Add(float64(bytes))
	m.seconds.Observe(took.Seconds())
}
