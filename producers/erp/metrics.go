package erp

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what imports of this process did.
type Metrics struct {
	rows, published, unchanged, deleted, rejected prometheus.Counter
	lastImport                                    prometheus.Gauge
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "crosswalk", Subsystem: "erp", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &Metrics{
		rows:      counter("rows_total", "Rows of ERP files that were read, rejected ones included."),
		published: counter("published_total", "ERP customers published because they are new or changed."),
		unchanged: counter("unchanged_total", "ERP customers not published because the topic holds them already."),
		deleted:   counter("deleted_total", "ERP customers deleted because a full file did not name them."),
		rejected:  counter("rejected_total", "Rows of ERP files that could not be taken; see the rejects file."),
		lastImport: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "crosswalk", Subsystem: "erp", Name: "last_import_timestamp_seconds", Help: "When the last import ended well, in Unix time.",
		}),
	}
	reg.MustRegister(m.lastImport)
	return m
}
