package salesforce

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"crosswalk/internal/quota"
	"crosswalk/internal/sfapi"
)

// TestTheMonthsEvents: an org that has bought events for a month is told of them in time, and others are told nothing.
func TestTheMonthsEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		used, most int64
		shown      bool
		said       bool
	}{{0, 0, false, false}, {79, 100, true, false}, {2_400_000, 3_000_000, true, true}} {
		s := &sfapi.Standing{Limits: map[string]sfapi.Limit{monthlyLimit: {Max: c.most, Remaining: c.most - c.used}}, Windows: map[sfapi.Quota]quota.Window{sfapi.QuotaCalls: read(10, 1000)}}
		b := forecast(s, 0.2, nil, at)
		month, shown := b.Quotas[monthlyKey]
		if shown != c.shown || month.Used != c.used || month.Limit != c.most {
			t.Errorf("%d of %d are shown (%v) as %+v", c.used, c.most, shown, month)
		}
		if said := strings.Contains(b.Forecast, "2,400,000 of the month's 3,000,000 delivered events used"); said != c.said {
			t.Errorf("%d of %d: %s", c.used, c.most, b.Forecast)
		}
		m := newBudgetMetrics(nil)
		m.observe(b, nil, at)
		if got := testutil.ToFloat64(m.used.WithLabelValues(monthlyKey)); got != float64(c.used) {
			t.Errorf("the metric says %v of %d", got, c.used)
		}
	}
}
