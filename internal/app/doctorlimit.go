package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"crosswalk/internal/config"
)

// limitNames are the limits that the pipeline lives on, with what is counted.
var limitNames = []struct{ name, what string }{
	{"DailyApiRequests", "API calls"},
	{"DailyBulkV2QueryJobs", "Bulk jobs"},
	{"DailyBulkV2QueryFileStorageMB", "megabytes of Bulk results"},
	{"DailyDeliveredPlatformEvents", "delivered events"},
	{"MonthlyPlatformEventsUsageEntitlement", "delivered events of the month"}, // only with the add-on
}

// scarce is the share of a limit below which a person should know.
const scarce = 0.1

// limits reads what is left of the day, and what a running process foresees.
func (e *examination) limits(ctx context.Context) result {
	limits, err := e.client.Limits(ctx)
	u := e.client.Usage()
	foreseen := e.app.foreseen(ctx, e.org)
	if err != nil {
		if u.Max > 0 {
			return noted("to see the others: "+clickPermission+" > System Permissions > View Setup and Configuration", "%d of %d API calls of the last 24 hours used; the other limits are not visible to this user%s", u.Used, u.Max, foreseen)
		}
		return failed(err)
	}
	var seen, gone, low []string
	look := func(what string, remaining, most int64) {
		seen = append(seen, fmt.Sprintf("%d of %d %s left", remaining, most, what))
		switch {
		case remaining <= 0:
			gone = append(gone, what)
		case float64(remaining) < scarce*float64(most):
			low = append(low, what)
		}
	}
	for _, l := range limitNames {
		if v, ok := limits[l.name]; ok && v.Max > 0 {
			look(l.what, v.Remaining, v.Max)
		}
	}
	for name, app := range u.Apps {
		look("API calls of the app "+name, int64(app.Max-app.Used), int64(app.Max))
	}
	text := strings.Join(seen, ", ") + foreseen
	const where = "Setup > Company Information shows who uses them"
	switch reserve := *e.org.Salesforce.APIReserve; {
	case len(gone) > 0:
		return wrong("nothing is left: "+strings.Join(gone, ", ")+"; reading pauses until some are free. "+where, "%s", text)
	case u.Max > 0 && float64(u.Used) >= (1-reserve)*float64(u.Max):
		return noted(fmt.Sprintf("what can wait pauses: api_reserve keeps the last %d API calls for the org's other apps; lower orgs[].salesforce.api_reserve, or find who uses so many. %s", int(reserve*float64(u.Max)), where), "%s", text)
	case len(low) > 0:
		return noted("little is left: "+strings.Join(low, ", ")+". "+where, "%s", text)
	}
	return good("%s", text)
}

// foreseen is what the process that runs on this data_dir foresees of an org's budget; empty when none does.
func (a *App) foreseen(ctx context.Context, org *config.Org) string {
	running, ok, err := readEndpoints(a.cfg.DataDir)
	if err != nil || !ok || running.Console == "" {
		return ""
	}
	text, err := ask(ctx, running.Console+"/api/status")
	if err != nil {
		return "" // doctor works beside a process that is just ending
	}
	var status struct {
		Orgs map[string]struct {
			Salesforce struct {
				Budget struct{ Forecast string }
			}
		}
	}
	if json.Unmarshal(text, &status) != nil {
		return ""
	}
	if said := status.Orgs[orgName(org)].Salesforce.Budget.Forecast; said != "" {
		return "; the running process foresees: " + said
	}
	return ""
}
