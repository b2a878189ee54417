package sfapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"crosswalk/internal/retry"
)

const limitReached = `[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`

// until is a gate that waits as long as the budget says that a quota is used up, and notes what it was asked for.
func until(b *Budget, asked *[]string) Gate {
	return func(ctx context.Context, uses []Quota) error {
		*asked = append(*asked, fmt.Sprint(uses))
		for !b.Claim(uses) {
			if err := retry.Sleep(ctx, time.Second); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestHeldCallsWaitForTheirQuotas(t *testing.T) {
	t.Parallel()
	refusals := map[string]string{ // by path: the answer until the hour has passed
		"/services/data/v66.0/":                       limitReached,
		"/services/data/v66.0/jobs/query":             `[{"errorCode":"LIMIT_EXCEEDED","message":"Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded"}]`,
		"/services/data/v66.0/jobs/query/750/results": `[{"errorCode":"EXCEEDEDQUOTA","message":"a quota that the call is not known to use"}]`,
	}
	calls, free := 0, time.Time{}
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		if free.IsZero() {
			free = time.Now().Add(time.Hour)
		}
		status := 400
		if refusals[r.URL.Path] == limitReached {
			status = 403
		}
		if time.Now().Before(free) {
			w.Header().Set("Sforce-Limit-Info", "api-usage=1000/1000")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, refusals[r.URL.Path])
			return
		}
		w.Header().Set("Sforce-Limit-Info", "api-usage=10/1000")
		w.Header().Set("Sforce-Locator", "null")
		w.Header().Set("Sforce-NumberOfRecords", "0")
		_, _ = io.WriteString(w, `{"id":"750"}`)
	}, Config{}, func(c *Client) {
		var asked []string
		held := c.Held("snapshot", until(c.Budget(), &asked))
		for what, do := range map[string]func(*Client) error{
			"[DailyApiRequests]": func(c *Client) error { return c.Probe(context.Background()) },
			"[DailyApiRequests DailyBulkV2QueryJobs DailyBulkV2QueryFileStorageMB]": func(c *Client) error {
				_, err := c.CreateJob(context.Background(), "SELECT Id FROM Account", false)
				return err
			},
			"[DailyApiRequests DailyBulkV2QueryFileStorageMB]": func(c *Client) error {
				p, err := c.openPage(context.Background(), Job{ID: "750"}, c.resultPath(Job{ID: "750"}, ""))
				if err == nil {
					err = p.Body.Close()
				}
				return err
			},
		} {
			asked, calls, free = nil, 0, time.Time{}
			if err := do(c); NextOf(err) != NextWait {
				t.Errorf("%s: a client that is not held returned %v", what, err)
			}
			if got := c.Budget().Standing(); len(got.Refused) != 1 {
				t.Errorf("%s: %d quotas are refused, want one", what, len(got.Refused))
			}
			if err := do(held); err != nil {
				t.Errorf("%s: a held client returned %v", what, err)
			}
			if slices.ContainsFunc(asked, func(a string) bool { return a != what }) || len(asked) != calls-1 {
				t.Errorf("%s: the gate was asked for %v, %d calls were made", what, asked, calls)
			}
			if calls < 6 || calls > 15 { // a minute, two, four, eight, then every quarter of an hour or so
				t.Errorf("%s: %d calls within an hour of refusals", what, calls)
			}
			if got := c.Budget().Standing(); len(got.Refused) != 0 || got.Usage.Used != 10 {
				t.Errorf("%s: after a success %+v", what, got)
			}
		}
		_ = c.Probe(context.Background())
		if rates := c.Budget().Standing().PerHour; rates["snapshot"] < rates["direct"] || rates["direct"] == 0 {
			t.Errorf("calls are not told apart: %v", rates)
		}
	})
}

func TestOneCallAsksAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(403)
		_, _ = io.WriteString(w, limitReached)
	}, Config{}, func(c *Client) {
		b := c.Budget()
		for range 3 {
			if !b.Claim([]Quota{QuotaCalls}) {
				t.Error("a quota that nobody refused may be asked as often as one likes")
			}
		}
		_ = c.Probe(context.Background()) // refused
		if b.Claim([]Quota{QuotaCalls, QuotaJobs}) {
			t.Error("claimed at once after a refusal")
		}
		if !b.Claim([]Quota{QuotaJobs}) {
			t.Error("another quota is not refused")
		}
		_ = retry.Sleep(context.Background(), time.Minute)
		if !b.Claim([]Quota{QuotaCalls, QuotaJobs}) || b.Claim([]Quota{QuotaCalls}) {
			t.Error("after a minute one call may ask again, and only one")
		}
	})
}

// TestAnotherErrorKeepsNobodyBack has the call that asks again end in an error that says nothing of the quota: the next one asks at once.
func TestAnotherErrorKeepsNobodyBack(t *testing.T) {
	t.Parallel()
	answer := func(w http.ResponseWriter) { w.WriteHeader(403); _, _ = io.WriteString(w, limitReached) }
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) { answer(w) }, Config{}, func(c *Client) {
		b, uses := c.Budget(), []Quota{QuotaCalls}
		_ = c.Probe(context.Background()) // refused
		_ = retry.Sleep(context.Background(), time.Minute)
		if !b.Claim(uses) {
			t.Error("after a minute nobody may ask again")
		}
		answer = func(w http.ResponseWriter) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `[{"errorCode":"NOT_FOUND","message":"gone"}]`)
		}
		news := b.Changed()
		_ = c.Probe(context.Background())
		select {
		case <-news:
		default:
			t.Error("those who wait are not told")
		}
		if !b.Refuses(QuotaCalls) || !b.Claim(uses) || b.Claim(uses) {
			t.Error("after another error one call may ask again, and only one")
		}
	})
}

func TestGateEndsACall(t *testing.T) {
	t.Parallel()
	inBubble(t, func(http.ResponseWriter, *http.Request) { t.Error("the call was made") }, Config{}, func(c *Client) {
		stop := errors.New("stop")
		err := c.Held("sweep", func(context.Context, []Quota) error { return stop }).Probe(context.Background())
		if !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLimitsAreShared(t *testing.T) {
	t.Parallel()
	hidden := false
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		if hidden {
			w.WriteHeader(403)
			_, _ = io.WriteString(w, `[{"message":"insufficient access rights","errorCode":"INSUFFICIENT_ACCESS"}]`)
			return
		}
		_, _ = io.WriteString(w, `{"DailyApiRequests":{"Max":15000,"Remaining":14900},"DailyBulkV2QueryJobs":{"Max":10000,"Remaining":9990},
			"DailyDeliveredPlatformEvents":{"Max":0,"Remaining":0},"DataStorageMB":{"Max":5,"Remaining":4}}`)
	}, Config{}, func(c *Client) {
		other := c.Held("other", func(context.Context, []Quota) error { return nil })
		if _, err := other.Limits(context.Background()); err != nil {
			t.Error(err)
		}
		s := c.Budget().Standing()
		calls, jobs := s.Windows[QuotaCalls], s.Windows[QuotaJobs]
		if _, ok := s.Windows[QuotaEvents]; ok || calls.Used() != 100 || jobs.Used() != 10 || s.Limits["DataStorageMB"].Max != 5 || s.Hidden != nil {
			t.Errorf("standing %+v", s)
		}
		hidden = true
		_, err := c.Limits(context.Background())
		s = c.Budget().Standing()
		if err == nil || s.Hidden == nil || !strings.Contains(s.Hidden.Error(), "View Setup and Configuration") || s.Limits == nil {
			t.Errorf("forbidden: %v, standing says %v", err, s.Hidden)
		}
	})
}
