package salesforce

import (
	"fmt"
	"math"
	"strings"
	"time"

	"crosswalk/internal/quota"
	"crosswalk/internal/sfapi"
)

// BudgetStatus is what is left of the org's quotas, and when they will be reached if everything goes on as in the last hour.
type BudgetStatus struct {
	// Forecast is one sentence for people.
	Forecast string `json:"forecast"`
	// Quotas are api_calls, bulk_jobs, bulk_megabytes and delivered_events, as far as the user may see them, and
	// delivered_events_month of an org that has bought the add-on.
	Quotas map[string]QuotaStatus `json:"quotas,omitempty"`
	// Reserve is how many of the API calls are kept for the org's other apps.
	Reserve int64 `json:"reserve"`
	// CallsPerHour is who makes API calls, by the last hour: the kinds of work of this process, and "other apps".
	CallsPerHour map[string]float64 `json:"calls_per_hour,omitempty"`
	// Apps are the limits that the org sets single apps, as used/limit.
	Apps map[string]string `json:"app_limits,omitempty"`
	// Paused is what waits, what waits first before what waits last.
	Paused []PauseStatus `json:"paused,omitempty"`
	// Note says what could not be read, and what to do.
	Note string `json:"note,omitempty"`
}

// QuotaStatus is one quota over a rolling 24 hours, or over the month: that one has no forecast.
type QuotaStatus struct {
	Used    int64   `json:"used"`
	Limit   int64   `json:"limit"`
	PerHour float64 `json:"per_hour"`
	// ReserveAt and LimitAt are when the reserve is touched and when the limit is reached; null: not within a day.
	ReserveAt *time.Time `json:"reserve_reached_at,omitempty"`
	LimitAt   *time.Time `json:"limit_reached_at,omitempty"`
}

// PauseStatus is work that waits for the budget.
type PauseStatus struct {
	Work   string    `json:"work"`
	Since  time.Time `json:"since"`
	Until  string    `json:"until"` // when it is expected to go on, as people write it
	Reason string    `json:"reason"`
}

// quotaKeys are the names of the quotas in status and metrics.
var quotaKeys = map[sfapi.Quota]string{
	sfapi.QuotaCalls: "api_calls", sfapi.QuotaJobs: "bulk_jobs", sfapi.QuotaVolume: "bulk_megabytes", sfapi.QuotaEvents: "delivered_events",
}

// The add-on's allocation of delivered events, as /limits and we call it (facts 2.4).
const (
	monthlyLimit = "MonthlyPlatformEventsUsageEntitlement"
	monthlyKey   = "delivered_events_month"
)

// monthlyAlarm is the share of a month's delivered events from which on a person should know.
const monthlyAlarm = 0.8

// forecast makes what there is to see of what is known.
func forecast(s *sfapi.Standing, reserve float64, pauses []pause, now time.Time) *BudgetStatus {
	b := &BudgetStatus{Quotas: map[string]QuotaStatus{}, CallsPerHour: map[string]float64{}, Apps: map[string]string{}}
	for name, w := range s.Windows {
		if !w.Known() {
			continue
		}
		rate := w.PerHour(now)
		st := QuotaStatus{Used: w.Used(), Limit: w.Max(), PerHour: round(rate)}
		st.LimitAt = soon(w.Reach(now, float64(w.Max()), rate))
		if name != sfapi.QuotaEvents { // nothing can be kept of events: they come as they come
			st.ReserveAt = soon(w.Reach(now, float64(w.Max())*(1-reserve), rate))
		}
		b.Quotas[quotaKeys[name]] = st
	}
	if m := s.Limits[monthlyLimit]; m.Max > 0 {
		b.Quotas[monthlyKey] = QuotaStatus{Used: m.Max - m.Remaining, Limit: m.Max}
	}
	calls := s.Windows[sfapi.QuotaCalls]
	b.Reserve = int64(float64(calls.Max()) * reserve)
	others := calls.PerHour(now)
	for label, rate := range s.PerHour {
		b.CallsPerHour[label] = round(rate)
		others -= rate
	}
	b.CallsPerHour["other apps"] = round(max(0, others))
	for name, app := range s.Usage.Apps {
		b.Apps[name] = fmt.Sprintf("%d/%d", app.Used, app.Max)
	}
	for _, p := range pauses {
		b.Paused = append(b.Paused, PauseStatus{Work: string(p.work), Since: p.since.UTC(), Until: instant(p.until), Reason: p.reason})
	}
	if s.Hidden != nil {
		b.Note = "only the API calls are known: " + s.Hidden.Error()
	}
	b.Forecast = sentence(b, now)
	return b
}

// sentence says it for people.
func sentence(b *BudgetStatus, now time.Time) string {
	calls, ok := b.Quotas[quotaKeys[sfapi.QuotaCalls]]
	if !ok {
		return "no reply of the org has said yet how many API calls are used"
	}
	parts := []string{fmt.Sprintf("%s of %s API calls of the last 24 hours used, %s an hour", count(calls.Used), count(calls.Limit), count(int64(calls.PerHour)))}
	switch {
	case len(b.Paused) > 0:
		for _, p := range b.Paused {
			parts = append(parts, p.Work+" waits until "+p.Until)
		}
	case calls.LimitAt != nil:
		parts = append(parts, fmt.Sprintf("at this rate the reserve of %s is reached in %s and the limit in %s", count(b.Reserve), away(calls.ReserveAt, now), away(calls.LimitAt, now)))
	case calls.ReserveAt != nil:
		parts = append(parts, fmt.Sprintf("at this rate the reserve of %s is reached in %s and the limit not within a day", count(b.Reserve), away(calls.ReserveAt, now)))
	default:
		parts = append(parts, fmt.Sprintf("at this rate the reserve of %s is not reached within a day", count(b.Reserve)))
	}
	if events, ok := b.Quotas[quotaKeys[sfapi.QuotaEvents]]; ok && events.LimitAt != nil {
		parts = append(parts, fmt.Sprintf("%s of %s events delivered, the allocation is used up in %s", count(events.Used), count(events.Limit), away(events.LimitAt, now)))
	}
	if month, ok := b.Quotas[monthlyKey]; ok && float64(month.Used) >= monthlyAlarm*float64(month.Limit) {
		parts = append(parts, fmt.Sprintf("%s of the month's %s delivered events used (Setup > Company Information > Usage-based Entitlements)", count(month.Used), count(month.Limit)))
	}
	return strings.Join(parts, "; ")
}

// eventsHorizon is how long before the event allocation is used up an alarm is raised: time enough to act, far less than
// the 72 hours for which Salesforce keeps the events that it does not deliver.
const eventsHorizon = 6 * time.Hour

// eventsShort says whether the day's delivered events run out soon, and in which words.
func eventsShort(w *quota.Window, now time.Time) (reason string, short bool) {
	if !w.Known() {
		return "", false
	}
	at, ok := w.Reach(now, float64(w.Max()), w.PerHour(now))
	if !ok || at.Sub(now) > eventsHorizon {
		return "", false
	}
	said := "is used up"
	if left := at.Sub(now); left > 0 {
		said = "is used up in " + left.Round(time.Minute).String()
	}
	return fmt.Sprintf("%s of the org's %s delivered events of the last 24 hours are used and at this rate the allocation %s; the stream then stops until some are free "+
		"and goes on from its position, which Salesforce keeps for 72 hours. Every client that subscribes counts each event again: end those that are not needed, "+
		"or buy the add-on (Setup > Company Information > Usage-based Entitlements)", count(w.Used()), count(w.Max()), said), true
}

// instant writes a moment for people.
func instant(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// away writes how far off a moment is.
func away(at *time.Time, now time.Time) string {
	if at == nil || !at.After(now) {
		return "0 minutes"
	}
	left := at.Sub(now).Round(time.Minute)
	if left < 2*time.Hour {
		return fmt.Sprintf("%d minutes", int(left.Minutes()))
	}
	return fmt.Sprintf("%.0f hours", left.Hours())
}

func soon(at time.Time, ok bool) *time.Time {
	if !ok {
		return nil
	}
	at = at.UTC().Truncate(time.Second)
	return &at
}

func round(rate float64) float64 { return math.Round(10*rate) / 10 }
