package salesforce

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"crosswalk/internal/quota"
	"crosswalk/internal/sfapi"
)

// verdict says whether a call may be made.
type verdict struct {
	hold    bool
	quota   sfapi.Quota // for which it is held
	until   time.Time   // when work goes on, as far as can be foreseen; zero: not within a day
	reason  string      // one sentence for people, when it is held
	refused bool        // Salesforce refuses the quota, and is asked again
}

// question is what decide is asked: may a call of this kind, which uses these quotas, be made?
type question struct {
	work    work
	uses    []sfapi.Quota
	reserve float64       // share of each limit that is left to the org's other apps
	held    []sfapi.Quota // for which the work waits already
}

// decide holds a call back when a quota that it uses is refused by Salesforce, or when so much is used that this kind of
// work leaves the rest to others. What is needed is held by a refusal only.
func decide(s *sfapi.Standing, q question, now time.Time) verdict {
	for _, name := range q.uses {
		if r, ok := s.Refused[name]; ok && now.Before(r.Until) {
			reason := fmt.Sprintf("Salesforce says that the org's %s of the last 24 hours are used up; it is asked again", quotaWords[name])
			return verdict{true, name, r.Until, reason, true}
		}
	}
	if q.work == workNeeded {
		return verdict{}
	}
	if v := decideApp(s, q); v.hold {
		return v
	}
	for _, name := range q.uses {
		w, ok := s.Windows[name]
		if !ok || !w.Known() {
			continue
		}
		if line := q.work.line(w.Max(), q.reserve, slices.Contains(q.held, name)); float64(w.Used()) >= line && w.Used() > 0 {
			until, _ := w.Fall(now, q.work.line(w.Max(), q.reserve, true), othersPerHour(s, name, q, now, &w))
			return verdict{true, name, until, scarce(name, &w, q), false}
		}
	}
	return verdict{}
}

// decideApp looks at what the org allows this app alone (facts 2.1): nobody else uses it.
func decideApp(s *sfapi.Standing, q question) verdict {
	for name, app := range s.Usage.Apps {
		line := q.work.line(int64(app.Max), appReserve, slices.Contains(q.held, sfapi.QuotaCalls))
		if app.Max > 0 && float64(app.Used) >= line && app.Used > 0 {
			return verdict{hold: true, quota: sfapi.QuotaCalls, reason: fmt.Sprintf(
				"%s of the %s API calls of the last 24 hours that the org allows the app %s are used; what is left is for what cannot wait (Setup > Connected Apps OAuth Usage, or the app's policies, show the limit)",
				count(int64(app.Used)), count(int64(app.Max)), name)}
		}
	}
	return verdict{}
}

// othersPerHour is how much of a quota is used while the work of this question and what waits before it pauses.
func othersPerHour(s *sfapi.Standing, name sfapi.Quota, q question, now time.Time, w *quota.Window) float64 {
	rate := w.PerHour(now)
	if name != sfapi.QuotaCalls {
		return rate
	}
	for _, each := range kinds {
		if rate -= s.PerHour[string(each)]; each == q.work {
			break
		}
	}
	return max(0, rate)
}

func scarce(name sfapi.Quota, w *quota.Window, q question) string {
	text := fmt.Sprintf("%s of the org's %s %s of the last 24 hours are used", count(w.Used()), count(w.Max()), quotaWords[name])
	kept := w.Max() - int64(q.work.line(w.Max(), q.reserve, false))
	if q.work.share() < 1 {
		return fmt.Sprintf("%s; the last %s are for other apps and for what matters more than %s (api_reserve is %s %%)", text, count(kept), q.work, percent(q.reserve))
	}
	return fmt.Sprintf("%s; the last %s are kept for the org's other apps (api_reserve is %s %%)", text, count(kept), percent(q.reserve))
}

// quotaWords is what people call the quotas.
var quotaWords = map[sfapi.Quota]string{
	sfapi.QuotaCalls: "API calls", sfapi.QuotaJobs: "Bulk query jobs", sfapi.QuotaVolume: "megabytes of Bulk results", sfapi.QuotaEvents: "delivered events",
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) }

// count writes a number with a comma between thousands.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
