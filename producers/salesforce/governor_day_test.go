package salesforce

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
)

// dayOrg answers every call and counts it over a rolling day, as Salesforce does.
type dayOrg struct {
	limit int
	mu    sync.Mutex
	calls []time.Time
	most  int // that were ever used at once
}

func (o *dayOrg) use(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range n {
		o.calls = append(o.calls, time.Now())
	}
}

func (o *dayOrg) used() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.calls) > 0 && time.Since(o.calls[0]) >= 24*time.Hour {
		o.calls = o.calls[1:]
	}
	o.most = max(o.most, len(o.calls))
	return len(o.calls)
}

func (o *dayOrg) RoundTrip(r *http.Request) (*http.Response, error) {
	body := `{"access_token":"00D!s","instance_url":"http://org"}`
	header := http.Header{"Content-Type": {"application/json"}}
	if !strings.HasSuffix(r.URL.Path, "/oauth2/token") {
		o.use(1)
		header.Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", o.used(), o.limit))
		body = fmt.Sprintf(`{"DailyApiRequests":{"Max":%d,"Remaining":%d}}`, o.limit, o.limit-o.used())
	}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestPausedWorkGoesOnWhenTheDayFreesCalls goes through two days: other apps make 5,000 calls within an hour, work of our own
// reaches the reserve, waits, and goes on when theirs are a day old, as was foreseen. What is needed goes on all the time.
func TestPausedWorkGoesOnWhenTheDayFreesCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org := &dayOrg{limit: 10_000}
		web := &http.Client{Transport: org}
		tokens, err := sfapi.NewTokenSource(sfapi.TokenConfig{HTTP: web, Auth: sfapi.Auth{
			Flow: sfapi.Password, LoginURL: "http://org", ClientID: "k", Username: "u", Password: "p", AllowAnyHost: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
		client, err := sfapi.New(sfapi.Config{Tokens: tokens, AllowAnyHost: true, HTTP: web})
		if err != nil {
			t.Fatal(err)
		}
		g := newGovernor(client, 0.2, 10*time.Minute)
		var told []budgetEvent
		var mu sync.Mutex
		g.log, g.metrics = slog.New(slog.DiscardHandler), newBudgetMetrics(nil)
		g.tell = func(e budgetEvent) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, e)
		}
		ctx, end := context.WithCancel(t.Context())
		defer end()
		stop := time.Now().Add(48 * time.Hour)
		var group sync.WaitGroup
		group.Go(func() { _ = g.run(ctx) })
		every := func(wait time.Duration, do func()) {
			group.Go(func() {
				for retry.Sleep(ctx, wait) == nil {
					do()
				}
			})
		}
		begun, longest := time.Now(), time.Duration(0)
		every(time.Minute, func() { // the other apps
			if time.Since(begun) < time.Hour {
				org.use(5000 / 59)
			}
		})
		every(10*time.Second, func() { _ = g.clients[workSnapshot].Probe(ctx) })
		every(10*time.Minute, func() {
			asked := time.Now()
			_ = g.clients[workNeeded].Probe(ctx)
			longest = max(longest, time.Since(asked))
		})
		_ = retry.Sleep(ctx, 12*time.Hour)
		waits := g.paused()
		if len(waits) != 1 || waits[0].work != workSnapshot {
			t.Fatalf("after 12 hours %+v wait", waits)
		}
		foreseen := waits[0].until
		_ = retry.Sleep(ctx, time.Until(stop))
		end()
		group.Wait()

		mu.Lock()
		defer mu.Unlock()
		if len(told) < 2 || told[0].subject != "snapshot" || told[1].ended.IsZero() {
			t.Fatalf("told %+v", told)
		}
		if off := told[1].ended.Sub(foreseen).Abs(); off > 20*time.Minute {
			t.Errorf("work went on at %v, foreseen was %v", told[1].ended.Sub(begun), foreseen.Sub(begun))
		}
		if org.most > 8000+400 || org.most < 8000 { // beside the line: what is needed, and what reads the limits
			t.Errorf("at most %d calls were used at once; the reserve begins at 8,000", org.most)
		}
		if longest > 0 {
			t.Errorf("what is needed waited for %v", longest)
		}
	})
}
