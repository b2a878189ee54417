package matcher

import (
	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/topic"
)

// Metrics counts what the matchers of a process do. The label org is the alias, or default.
type Metrics struct {
	inputs, outputs               *prometheus.CounterVec
	live, unmatched, newest       *prometheus.GaugeVec
	matched, ambiguous, near, lag *prometheus.GaugeVec
	owner, standby, unconfirmed   *prometheus.GaugeVec
	onDisk                        *prometheus.GaugeVec
	settle, commit                *prometheus.HistogramVec
	rebuilds, linkChanges         *prometheus.CounterVec
}

// NewMetrics registers the metrics of this package with r; nil registers nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	const prefix = "crosswalk_matcher_"
	labels := func(more ...string) []string { return append([]string{"org"}, more...) }
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels(more...))
	}
	gauge := func(name, help string, more ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + name, Help: help}, labels(more...))
	}
	seconds := func(name, help string) *prometheus.HistogramVec {
		buckets := prometheus.ExponentialBuckets(0.0005, 4, 10)
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels())
	}
	m := &Metrics{
		inputs:      counter("inputs_total", "Records consumed, by input topic and what became of them: applied, stale, refused.", "topic", "verdict"),
		outputs:     counter("outputs_total", "Records published, by output topic and kind: put, tombstone.", "topic", "kind"),
		live:        gauge("live_records", "Live records held, by kind.", "kind"),
		unmatched:   gauge("unmatched_records", "Records reported as unmatched, by side.", "side"),
		newest:      gauge("newest_input_timestamp_seconds", "Time of the newest change consumed, by side.", "side"),
		matched:     gauge("matched_customers", "ERP customers with a view."),
		ambiguous:   gauge("ambiguous_groups", "Identifiers reported as ambiguous."),
		near:        gauge("near_miss_records", "Unmatched records that list near misses."),
		lag:         gauge("lag_records", "Records in the input topics that are not consumed yet."),
		owner:       gauge("owner", "1 while this process runs the task."),
		standby:     gauge("standby", "1 while this process stands by for the one that runs the task."),
		unconfirmed: gauge("unconfirmed_outputs", "Of a standby: outputs that the owner has not published as they must be."),
		onDisk:      gauge("disk_records", "Live records whose values do not fit into the memory that is allowed."),
		settle:      seconds("settle_seconds", "Time to compute and send what a batch of inputs changes."),
		commit:      seconds("commit_seconds", "Time to make the state durable."),
		rebuilds:    counter("rebuilds_total", "Times that the state was built from the topics."),
		linkChanges: counter("link_changes_total", "Times that the link was set, changed or removed."),
	}
	if r != nil {
		r.MustRegister(m.inputs, m.outputs, m.live, m.unmatched, m.newest, m.matched, m.ambiguous, m.near, m.lag, m.owner, m.standby, m.unconfirmed, m.onDisk,
			m.settle, m.commit, m.rebuilds, m.linkChanges)
	}
	return m
}

// orgMetrics are those of one org, found once.
type orgMetrics struct {
	inputs                   [join.Customer + 1][join.Stale + 1]prometheus.Counter
	puts, tombstones         [join.Topics]prometheus.Counter
	live, unmatched          [join.Customer + 1]prometheus.Gauge
	matched, ambiguous, near prometheus.Gauge
	lag, salesforce, erp     prometheus.Gauge
	unconfirmed, onDisk      prometheus.Gauge
	owner, standby           prometheus.Gauge
	settle, commit           prometheus.Observer
	rebuilds, linkChanges    prometheus.Counter
}

var (
	kindNames    = [...]string{join.Account: "account", join.Contact: "contact", join.Note: "note", join.Customer: "customer"}
	sideNames    = [...]string{join.Account: "account", join.Contact: "contact", join.Note: "note", join.Customer: "erp"}
	verdictNames = [...]string{join.Refused: "refused", join.Applied: "applied", join.Stale: "stale"}
)

func (m *Metrics) of(org string) *orgMetrics {
	org = topic.OrgName(org)
	o := &orgMetrics{
		matched: m.matched.WithLabelValues(org), ambiguous: m.ambiguous.WithLabelValues(org), near: m.near.WithLabelValues(org),
		lag: m.lag.WithLabelValues(org), salesforce: m.newest.WithLabelValues(org, "salesforce"), erp: m.newest.WithLabelValues(org, "erp"),
		unconfirmed: m.unconfirmed.WithLabelValues(org), onDisk: m.onDisk.WithLabelValues(org),
		owner: m.owner.WithLabelValues(org), standby: m.standby.WithLabelValues(org),
		settle: m.settle.WithLabelValues(org), commit: m.commit.WithLabelValues(org),
		rebuilds: m.rebuilds.WithLabelValues(org), linkChanges: m.linkChanges.WithLabelValues(org),
	}
	for kind := join.Account; kind <= join.Customer; kind++ {
		o.live[kind] = m.live.WithLabelValues(org, kindNames[kind])
		o.unmatched[kind] = m.unmatched.WithLabelValues(org, sideNames[kind])
		for verdict, name := range verdictNames {
			o.inputs[kind][verdict] = m.inputs.WithLabelValues(org, inputNames[kind], name)
		}
	}
	for t, out := range outputs {
		o.puts[t] = m.outputs.WithLabelValues(org, out.name, "put")
		o.tombstones[t] = m.outputs.WithLabelValues(org, out.name, "tombstone")
	}
	return o
}

func (o *orgMetrics) input(kind join.Kind, v join.Verdict) { o.inputs[kind][v].Inc() }

func (o *orgMetrics) output(t join.Topic, tombstone bool) {
	if tombstone {
		o.tombstones[t].Inc()
	} else {
		o.puts[t].Inc()
	}
}

// ended takes back what only the owner of the task shows.
func (o *orgMetrics) ended() {
	o.owner.Set(0)
	o.show(join.Stats{}, freshness{})
}

// show shows how the matcher stands.
func (o *orgMetrics) show(s join.Stats, f freshness) {
	for kind := join.Account; kind <= join.Customer; kind++ {
		o.live[kind].Set(float64(s.Live[kind]))
		o.unmatched[kind].Set(float64(s.Unmatched[kind]))
	}
	o.matched.Set(float64(s.Views))
	o.ambiguous.Set(float64(s.Ambiguous))
	o.near.Set(float64(s.NearMisses))
	o.salesforce.Set(float64(f.Salesforce) / 1000)
	o.erp.Set(float64(f.ERP) / 1000)
	o.onDisk.Set(float64(s.OnDisk))
}
