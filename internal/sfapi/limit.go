package sfapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
)

// Usage is how much of the org's daily API calls is used, as the last reply said (Sforce-Limit-Info, facts 2.1).
type Usage struct {
	Used, Max int            // of the whole org, rolling 24 hours; Max 0 means that no reply has said it yet
	Apps      map[string]App // of single apps, where the org limits them
}

// App is the use of one connected app.
type App struct{ Used, Max int }

// Usage returns what the last reply to any client of the same Budget said; Max is 0 before the first.
func (c *Client) Usage() Usage {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	return c.budget.usage
}

func (c *Client) noteUsage(h http.Header) {
	if u, ok := c.budget.replied(c.label, h); ok {
		c.m.limitUsed.Set(float64(u.Used))
		c.m.limitMax.Set(float64(u.Max))
	}
}

// parseUsage reads "api-usage=10018/100000; per-app-api-usage=17/250(appName=x)", whatever the order and whatever else
// stands there.
func parseUsage(header string) (u Usage, ok bool) {
	for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ';' || r == ',' }) {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if !found {
			continue
		}
		value, note, _ := strings.Cut(value, "(")
		used, limit, fine := parseFraction(value)
		switch {
		case !fine:
		case name == "api-usage":
			u.Used, u.Max, ok = used, limit, true
		case name == "per-app-api-usage":
			app := strings.TrimSuffix(strings.TrimPrefix(note, "appName="), ")")
			if u.Apps == nil {
				u.Apps = make(map[string]App)
			}
			u.Apps[app] = App{used, limit}
		}
	}
	return u, ok
}

func parseFraction(s string) (used, limit int, ok bool) {
	a, b, found := strings.Cut(strings.TrimSpace(s), "/")
	used, errA := strconv.Atoi(a)
	limit, errB := strconv.Atoi(b)
	return used, limit, found && errA == nil && errB == nil
}

// Limit is one of the org's limits.
type Limit struct{ Max, Remaining int64 }

// Limits returns the org's limits by name, such as DailyApiRequests and DailyDeliveredPlatformEvents; accurate within
// five minutes. It needs View Setup and Configuration (facts 2.4).
func (c *Client) Limits(ctx context.Context) (map[string]Limit, error) {
	var out map[string]Limit
	err := c.fetchJSON(ctx, call{kind: "limits", op: "read limits", path: c.base() + "/limits"}, &out)
	c.budget.listed(out, err)
	return out, err
}
