package bayeux

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what clients do; see the package comment for the names. Several clients may share one.
type Metrics struct {
	events        prometheus.Counter
	replyBytes    prometheus.Counter
	connects      prometheus.Counter
	handshakes    prometheus.Counter
	lost          *prometheus.CounterVec
	subscriptions prometheus.Gauge
	buffered      prometheus.Gauge
	handle        prometheus.Histogram
}

// NewMetrics makes the metrics and registers them with r, nowhere when r is nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "crosswalk_bayeux_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "crosswalk_bayeux_" + name, Help: help})
	}
	m := &Metrics{
		events:     counter("events_total", "Events handed over, duplicates included."),
		replyBytes: counter("reply_bytes_total", "Bytes of replies, decompressed."),
		connects:   counter("connects_total", "Requests for events (/meta/connect) that were answered well."),
		handshakes: counter("handshakes_total", "Streaming sessions begun."),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "crosswalk_bayeux_sessions_lost_total",
			Help: "Streaming sessions, or attempts at one, that ended, by cause.",
		}, []string{"cause"}),
		subscriptions: gauge("subscriptions", "Channels that are subscribed to now."),
		buffered:      gauge("buffered_bytes", "Bytes of replies that wait for the handler or are with it."),
		handle: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "crosswalk_bayeux_handle_seconds", Help: "Time the handler takes for one batch.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}),
	}
	if r != nil {
		r.MustRegister(m.events, m.replyBytes, m.connects, m.handshakes, m.lost, m.subscriptions, m.buffered, m.handle)
	}
	return m
}
