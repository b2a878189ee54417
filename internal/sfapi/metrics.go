package sfapi

import "github.com/prometheus/client_golang/prometheus"

// Metrics of this package; the package comment lists them. One Metrics serves any number of clients; a program with
// several orgs wraps the Registerer once per org (prometheus.WrapRegistererWith) to tell their limits apart.
type Metrics struct {
	calls     *prometheus.CounterVec // kind, status (2xx, 4xx, 5xx, network)
	seconds   *prometheus.HistogramVec
	retries   *prometheus.CounterVec
	received  prometheus.Counter
	sent      prometheus.Counter
	refreshes *prometheus.CounterVec // outcome (ok, refused, failed)
	limitUsed prometheus.Gauge
	limitMax  prometheus.Gauge
}

// NewMetrics makes the metrics and registers them; a nil Registerer registers them nowhere.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "crosswalk", Subsystem: "sfapi", Name: name, Help: help}
	}
	counter := func(name, help string) prometheus.CounterOpts { return prometheus.CounterOpts(opts(name, help)) }
	m := &Metrics{
		calls:     prometheus.NewCounterVec(counter("calls_total", "HTTP calls to Salesforce by kind of call and class of status."), []string{"kind", "status"}),
		retries:   prometheus.NewCounterVec(counter("retries_total", "Calls repeated after a transient failure."), []string{"kind"}),
		received:  prometheus.NewCounter(counter("received_bytes_total", "Bytes of response bodies as they came over the wire.")),
		sent:      prometheus.NewCounter(counter("sent_bytes_total", "Bytes of request bodies.")),
		refreshes: prometheus.NewCounterVec(counter("token_refreshes_total", "New access tokens asked for, by outcome."), []string{"outcome"}),
		limitUsed: prometheus.NewGauge(prometheus.GaugeOpts(opts("api_limit_used", "API calls that the org has used in its rolling 24 hours (Sforce-Limit-Info)."))),
		limitMax:  prometheus.NewGauge(prometheus.GaugeOpts(opts("api_limit_max", "API calls that the org may use in its rolling 24 hours (Sforce-Limit-Info)."))),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "crosswalk", Subsystem: "sfapi", Name: "call_seconds", Help: "Time from sending a call to the headers of its reply.",
			Buckets: prometheus.ExponentialBuckets(0.005, 3, 10),
		}, []string{"kind"}),
	}
	if reg != nil {
		reg.MustRegister(m.calls, m.seconds, m.retries, m.received, m.sent, m.refreshes, m.limitUsed, m.limitMax)
	}
	return m
}
