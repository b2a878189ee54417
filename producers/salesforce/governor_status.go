package salesforce

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/avro"
	"crosswalk/internal/sfapi"
)

// budgetMetrics show what the governor knows and does. Gauges of a moment in the future are in seconds from now, +Inf when
// it is not within a day.
type budgetMetrics struct {
	used, limit, perHour, fullIn, calls, paused *prometheus.GaugeVec
	pauses                                      *prometheus.CounterVec
	reserve, resumeIn                           prometheus.Gauge
}

func newBudgetMetrics(r prometheus.Registerer) *budgetMetrics {
	opts := func(name, help string) prometheus.GaugeOpts {
		return prometheus.GaugeOpts{Name: "crosswalk_salesforce_budget_" + name, Help: help}
	}
	gauges := func(label, name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(opts(name, help), []string{label})
	}
	m := &budgetMetrics{
		used:     gauges("quota", "used", "How much of a quota of a rolling 24 hours the org has used."),
		limit:    gauges("quota", "limit", "The limit of a quota of a rolling 24 hours."),
		perHour:  gauges("quota", "per_hour", "How much of a quota the org used in the last hour."),
		fullIn:   gauges("quota", "full_in_seconds", "Time until a quota is used up at the rate of the last hour; +Inf: not within a day."),
		calls:    gauges("work", "calls_per_hour", "API calls of the last hour by the work that made them."),
		paused:   gauges("work", "paused", "1 while a kind of work waits for the budget."),
		reserve:  prometheus.NewGauge(opts("reserve_calls", "API calls that are kept for the org's other apps.")),
		resumeIn: prometheus.NewGauge(opts("resume_in_seconds", "Time until all paused work is expected to go on; 0: nothing waits, +Inf: not within a day.")),
		pauses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "crosswalk_salesforce_budget_pauses_total", Help: "How often a kind of work began to wait for the budget.",
		}, []string{"work"}),
	}
	for _, w := range append([]work{workNeeded}, kinds...) {
		m.paused.WithLabelValues(string(w)).Set(0)
	}
	if r != nil {
		r.MustRegister(m.used, m.limit, m.perHour, m.fullIn, m.calls, m.paused, m.pauses, m.reserve, m.resumeIn)
	}
	return m
}

// observe sets what follows from what is known now.
func (m *budgetMetrics) observe(b *BudgetStatus, pauses []pause, now time.Time) {
	for key, q := range b.Quotas {
		m.used.WithLabelValues(key).Set(float64(q.Used))
		m.limit.WithLabelValues(key).Set(float64(q.Limit))
		m.perHour.WithLabelValues(key).Set(q.PerHour)
		full := math.Inf(1)
		if q.LimitAt != nil {
			full = max(0, q.LimitAt.Sub(now).Seconds())
		}
		m.fullIn.WithLabelValues(key).Set(full)
	}
	for label, rate := range b.CallsPerHour {
		m.calls.WithLabelValues(label).Set(rate)
	}
	m.reserve.Set(float64(b.Reserve))
	resume := 0.0
	for _, p := range pauses {
		if p.until.IsZero() {
			resume = math.Inf(1)
		}
		resume = max(resume, p.until.Sub(now).Seconds())
	}
	m.resumeIn.Set(resume)
}

// status is what there is to see now.
func (g *governor) status() *BudgetStatus {
	s, pauses, now := g.budget.Standing(), g.paused(), time.Now()
	b := forecast(&s, g.reserve, pauses, now)
	g.metrics.observe(b, pauses, now)
	return b
}

// eventsSubject is the alarm about the event allocation, in the audit.
const eventsSubject = "event allocation"

// judgeEvents raises the alarm before the day's delivered events run out, and ends it.
func (g *governor) judgeEvents() {
	s := g.budget.Standing()
	w := s.Windows[sfapi.QuotaEvents]
	reason, short := eventsShort(&w, time.Now())
	was := g.alarm
	switch {
	case short && was == nil:
		g.alarm = &pause{pauseKey: pauseKey{eventsSubject, sfapi.QuotaEvents}, since: time.Now(), reason: reason}
		g.log.Warn("the event allocation runs out", "reason", reason)
		g.tell(g.alarm.event(time.Time{}, reason))
	case !short && was != nil:
		g.alarm = nil
		g.log.Warn("the event allocation no longer runs out", "lasted", time.Since(was.since).Round(time.Second))
		g.tell(was.event(time.Now(), "the event allocation no longer runs out"))
	}
}

// newGovernor makes the governor of a life: what it does is in the log, the status, the metrics and the audit.
func (l *loop) newGovernor() *governor {
	g := newGovernor(l.cfg.Client, *l.cfg.APIReserve, l.cfg.LimitsEvery)
	g.log, g.metrics = l.cfg.Logger, l.cfg.Metrics.budget
	g.tell = func(e budgetEvent) {
		status := g.status()
		l.update(func(s *Status) { s.Budget = status })
		l.auditBudget(e)
	}
	return g
}

// auditBudget writes a pause or its end to the audit topic. An event that is never closed is one of a process that ended
// first.
func (l *loop) auditBudget(e budgetEvent) {
	if l.ctx.Err() != nil {
		return
	}
	state, at := "opened", e.since
	if !e.ended.IsZero() {
		state, at = "closed", e.ended
	}
	opened, task, reason := e.since.UnixMilli(), l.Task(), "api_budget"
	event := avro.Audit{
		ID: fmt.Sprintf("%s/budget/%s/%s/%d", l.org(), e.subject, e.quota, opened), Org: l.org(), Kind: "budget", State: state, Time: at.UnixMilli(),
		OpenedAt: &opened, Task: &task, Subject: &e.subject, Reason: &reason, Message: e.message, Detail: map[string]string{"quota": string(e.quota)},
	}
	l.sendAudit(context.WithoutCancel(l.ctx), event)
}
