package topic

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what clients write and read; one value serves all clients of a process.
type Metrics struct {
	written      prometheus.Counter
	writtenBytes prometheus.Counter
	produce      prometheus.Histogram
	retries      prometheus.Counter
	rejected     prometheus.Counter
	fenced       prometheus.Counter
	withheld     prometheus.Counter
	read         prometheus.Counter
	readBytes    prometheus.Counter
	fetchErrors  prometheus.Counter
	rebalances   prometheus.Counter
	tasks        prometheus.Gauge
	standbys     prometheus.Gauge
	taskFailures prometheus.Counter
}

// NewMetrics registers the metrics of this package with r; nil registers nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "crosswalk_topic_" + name, Help: help})
		if r != nil {
			r.MustRegister(c)
		}
		return c
	}
	m := &Metrics{
		written:      counter("records_written_total", "Records that all in-sync replicas acknowledged."),
		writtenBytes: counter("written_bytes_total", "Bytes of acknowledged batches as they were sent."),
		retries:      counter("produce_retries_total", "Batches that had to be sent again."),
		rejected:     counter("records_rejected_total", "Records that the broker refused for good."),
		fenced:       counter("writers_fenced_total", "Writers that found another owner at work."),
		withheld:     counter("produce_withheld_total", "Times that a writer waited because its lease was too old."),
		read:         counter("records_read_total", "Records that readers handed over."),
		readBytes:    counter("read_bytes_total", "Bytes of fetched answers."),
		fetchErrors:  counter("fetch_errors_total", "Fetches that had to be made again."),
		rebalances:   counter("rebalances_total", "Generations of the task group that this process took part in."),
		taskFailures: counter("task_failures_total", "Tasks that ended with an error and were started again."),
		produce: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "crosswalk_topic_produce_seconds", Help: "Time of a produce request until it is answered.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		tasks: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "crosswalk_topic_tasks", Help: "Tasks that this process owns.",
		}),
		standbys: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "crosswalk_topic_standbys", Help: "Tasks for which this process stands by.",
		}),
	}
	if r != nil {
		r.MustRegister(m.produce, m.tasks, m.standbys)
	}
	return m
}
