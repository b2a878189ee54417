package salesforce

import (
	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/bayeux"
)

// Metrics counts what producers do; one value serves all producers of a process. The package comment lists the names.
type Metrics struct {
	rows, events, published, holes, columns, polls *prometheus.CounterVec
	backfills, backfillRows, backfillChanged       *prometheus.CounterVec
	backfillsOpen                                  prometheus.Gauge
	refetched, repaired, rejected, notesCut        prometheus.Counter
	holesOpen, replayAge, positionAge, openRecords prometheus.Gauge
	snapshotRows, snapshotExpected                 *prometheus.GaugeVec
	lag, pollSeconds                               prometheus.Histogram
	budget                                         *budgetMetrics
	swept, refreshed                               *prometheus.CounterVec
	polled, sweepAge, calculatedAge                *prometheus.GaugeVec
	bayeux                                         *bayeux.Metrics
}

// NewMetrics registers the metrics of this package and of its stream with r; nil registers nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crosswalk_salesforce_" + name, Help: help}, labels)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "crosswalk_salesforce_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "crosswalk_salesforce_" + name, Help: help})
	}
	gauges := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "crosswalk_salesforce_" + name, Help: help}, []string{"entity"})
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "crosswalk_salesforce_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.005, 2, 16),
		})
	}
	m := &Metrics{
		rows:             vec("rows_total", "Rows of snapshots applied.", "entity"),
		events:           vec("events_total", "Change events consumed.", "type"),
		published:        vec("published_total", "Records published.", "topic", "op"),
		holes:            vec("holes_total", "Holes found in the stream.", "reason"),
		columns:          vec("columns_changed_total", "Fields that came, went or have another type.", "entity", "change"),
		polls:            vec("polls_total", "Polls for notes, and for records of entities without change events.", "object"),
		refetched:        counter("refetched_total", "Records read by id."),
		repaired:         counter("repaired_total", "Records that differed from the org or the topic without an event: an alarm."),
		rejected:         counter("rejected_total", "Rows, events and notes that went to the dead letter topic."),
		notesCut:         counter("notes_cut_total", "Versions of ContentNotes of which only the beginning is published, since they are too long."),
		backfills:        vec("backfills_total", "Backfills that are over.", "state"),
		backfillRows:     vec("backfill_rows_total", "Records that backfills have read by id or as notes.", "entity"),
		backfillChanged:  vec("backfill_changed_total", "Of the records that backfills have read, those that differed from what was published.", "entity"),
		backfillsOpen:    gauge("backfills_open", "Backfills that are not over."),
		holesOpen:        gauge("holes_open", "Holes that are not closed yet."),
		replayAge:        gauge("replay_age_seconds", "Age of the stored position in the stream; Salesforce keeps events for 72 hours."),
		positionAge:      gauge("position_age_seconds", "Time since the position was stored."),
		openRecords:      gauge("open_records", "Records held in memory while a window is open or a read is pending."),
		snapshotRows:     gauges("snapshot_rows", "Rows of the snapshot under way that are published."),
		snapshotExpected: gauges("snapshot_rows_expected", "Rows that the snapshot under way will have."),
		swept:            vec("swept_total", "Records that were deleted for good without an event.", "entity"),
		refreshed:        vec("refreshed_total", "Records whose formulas or roll-ups had changed.", "entity"),
		polled:           gauges("polled", "1 while the entity is polled because the org sends no events of it."),
		sweepAge:         gauges("sweep_age_seconds", "Time since the last complete comparison of all ids began."),
		calculatedAge:    gauges("calculated_age_seconds", "Age of formulas and roll-ups: time since their last complete read began."),
		lag:              histogram("lag_seconds", "Time from an event's commit to the acknowledgement of its record."),
		budget:           newBudgetMetrics(r),
		pollSeconds:      histogram("poll_seconds", "Duration of a poll."),
		bayeux:           bayeux.NewMetrics(r),
	}
	for _, name := range entities { // an alert looks at their increase, which a series that begins with 1 does not have
		for _, kind := range columnChangeKinds {
			m.columns.WithLabelValues(name, string(kind))
		}
	}
	for _, state := range []BackfillState{BackfillDone, BackfillCancelled, BackfillFailed} {
		m.backfills.WithLabelValues(string(state)) // so that the first one is seen as an increase
	}
	if r != nil {
		r.MustRegister(m.rows, m.events, m.published, m.holes, m.columns, m.polls, m.refetched, m.repaired, m.rejected, m.holesOpen, m.replayAge,
			m.positionAge, m.openRecords, m.snapshotRows, m.snapshotExpected, m.lag, m.pollSeconds, m.swept, m.refreshed, m.polled, m.sweepAge, m.calculatedAge,
			m.backfills, m.backfillRows, m.backfillChanged, m.backfillsOpen, m.notesCut)
	}
	return m
}
