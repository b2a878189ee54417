package erp

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what imports of this process did. The package comment lists them.
type Metrics struct {
	rows, published, unchanged, deleted, rejected, takeovers, lost prometheus.Counter

	files, requests, failures *prometheus.CounterVec
	lastImport                prometheus.Gauge
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "crosswalk", Subsystem: "erp", Name: name, Help: help}
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(opts(name, help))
		reg.MustRegister(c)
		return c
	}
	vector := func(name, help, label string, values ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(opts(name, help), []string{label})
		for _, value := range values {
			v.WithLabelValues(value) // so that a rate is known from the first one
		}
		reg.MustRegister(v)
		return v
	}
	m := &Metrics{
		rows:      counter("rows_total", "Rows that were read, rejected ones included."),
		published: counter("published_total", "ERP customers published because they are new or changed."),
		unchanged: counter("unchanged_total", "ERP customers not published because the topic holds them already."),
		deleted:   counter("deleted_total", "ERP customers deleted."),
		rejected:  counter("rejected_total", "Rows that could not be taken; see the rejects file, the answer or the dead letter topic."),
		lost:      counter("positions_lost_total", "Stored positions that were of no use, so that their sources are read from their beginnings."),
		takeovers: counter("takeovers_total", "Times that this process became the writer of an org's ERP customers."),
		files:     vector("files_total", "Files of watched folders, by what became of them.", "outcome", "done", "rejected"),
		requests:  vector("requests_total", "Pushes by HTTP, by the class of the answer.", "status", "2xx", "4xx", "5xx"),
		failures:  vector("source_failures_total", "Attempts of a source that failed and are made again.", "kind", "file", "folder", "push", "postgres", "topic"),
		lastImport: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "crosswalk", Subsystem: "erp", Name: "last_import_timestamp_seconds", Help: "When the last import ended well, in Unix time.",
		}),
	}
	reg.MustRegister(m.lastImport)
	return m
}
