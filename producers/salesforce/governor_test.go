package salesforce_test

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"crosswalk/internal/avro"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/cometd"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// meter sees every request of the org, and does something once so many result pages were asked for.
type meter struct {
	sim   *simulator.Simulator
	after int
	then  func(*simulator.Simulator)

	mu    sync.Mutex
	pages []string // URLs of the pages that were asked for
}

func (m *meter) fault(r *http.Request) *simulator.Fault {
	if !strings.HasSuffix(r.URL.Path, "/results") {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pages = append(m.pages, r.URL.String()); len(m.pages) == m.after {
		m.then(m.sim)
	}
	return nil
}

func (m *meter) asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pages)
}

// others has the org's other apps use so many of its 100,000 daily calls.
func others(calls int) func(*simulator.Simulator) {
	return func(s *simulator.Simulator) { s.Configure(func(s *simulator.Settings) { s.OtherRequests = calls }) }
}

// budgeted is a bench whose org has 100,000 calls a day, 400 accounts on pages of 20, and a meter.
func budgeted(t *testing.T, m *meter, config simulator.Config) *bench {
	config.Org = org.Config{Seed: 7, Accounts: 400, Contacts: 20}
	config.Fault = m.fault
	config.Settings.DailyRequests = 100_000
	config.Settings.Bulk.PageRows = 20
	b := setup(t, config)
	m.sim = b.sim
	b.config.LimitsEvery = 100 * time.Millisecond
	return b
}

// paused returns the pause of a kind of work.
func paused(s salesforce.Status, work string) (salesforce.PauseStatus, bool) {
	if s.Budget == nil {
		return salesforce.PauseStatus{}, false
	}
	for _, p := range s.Budget.Paused {
		if p.Work == work {
			return p, true
		}
	}
	return salesforce.PauseStatus{}, false
}

// awaitPause waits until a kind of work waits for the budget, and returns what is said of it.
func (b *bench) awaitPause(p *life, work string) (pause salesforce.PauseStatus) {
	b.t.Helper()
	b.await(p, func(s salesforce.Status) bool {
		found, ok := paused(s, work)
		pause = found
		return ok
	})
	return pause
}

// TestSnapshotWaitsAtTheReserve has the org's other apps use up everything but the reserve in the middle of a snapshot, by the
// org's limit and by one of the app's own, with and without the right to read the limits.
func TestSnapshotWaitsAtTheReserve(t *testing.T) {
	t.Parallel()
	appUse := func(calls int) func(*simulator.Simulator) {
		return func(s *simulator.Simulator) {
			s.Configure(func(s *simulator.Settings) { s.AppRequests, s.AppUsed = 100_000, calls })
		}
	}
	for name, c := range map[string]struct {
		scarce, free func(*simulator.Simulator)
		profile      simulator.Profile
		reason, note string
	}{
		"the org's limit": {others(85_000), others(0), simulator.Profile{}, "the last 20,000 are kept for the org's other apps (api_reserve is 20 %)", ""},
		"limits hidden":   {others(85_000), others(0), simulator.Profile{NoSetup: true}, "of the org's 100,000 API calls of the last 24 hours are used", "View Setup and Configuration"},
		"the app's limit": {appUse(95_000), appUse(0), simulator.Profile{}, "of the 100,000 API calls of the last 24 hours that the org allows the app", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &meter{after: 6, then: c.scarce}
			b := budgeted(t, m, simulator.Config{Profile: c.profile})
			registered := prometheus.NewPedanticRegistry()
			b.config.Metrics = salesforce.NewMetrics(registered)
			p := b.start()
			pause := b.awaitPause(p, "snapshot")
			if !strings.Contains(pause.Reason, c.reason) {
				t.Errorf("the reason is %q, want %q", pause.Reason, c.reason)
			}
			b.await(p, func(s salesforce.Status) bool { return s.Phase == "snapshot" })
			if s := p.Status(); !strings.Contains(s.Budget.Forecast, "snapshot waits until") || !strings.Contains(s.Budget.Note, c.note) {
				t.Errorf("the status says %+v", s.Budget)
			}
			before := m.asked()

			// The stream goes on: a new account is published although the snapshot waits.
			id, err := b.sim.Org().Create("Account", org.Fields{"Name": "While it waits"})
			b.must(err)
			b.await(p, func(salesforce.Status) bool { return b.published("salesforce.account")[id]["Name"] == "While it waits" })
			if after := m.asked(); len(after) != len(before) || len(after) > 10 {
				t.Errorf("%d pages were asked for while the snapshot waits, %d when it began to", len(after), len(before))
			}

			c.free(b.sim)
			p.settle()
			b.compare("Account")
			b.compare("Contact")
			pages := m.asked()
			if slices.Sort(pages); len(slices.Compact(slices.Clone(pages))) != len(pages) || len(pages) != 21 {
				t.Errorf("%d pages were read, want 21, each once", len(pages))
			}
			b.await(p, func(s salesforce.Status) bool { _, waits := paused(s, "snapshot"); return !waits })
			want := "# HELP crosswalk_salesforce_budget_paused 1 while a kind of work waits for the budget.\n# TYPE crosswalk_salesforce_budget_paused gauge\n"
			for _, w := range []string{"backfill", "bodies", "needed", "notes", "poll", "refresh", "snapshot", "sweep"} {
				want += fmt.Sprintf("crosswalk_salesforce_budget_paused{work=%q} 0\n", w)
			}
			b.await(p, func(salesforce.Status) bool {
				return testutil.GatherAndCompare(registered, strings.NewReader(want), "crosswalk_salesforce_budget_paused") == nil
			})
			if told := b.budgetAudits("snapshot"); len(told) != 2 || !strings.HasPrefix(told[0], "opened reading (snapshot) pauses: ") || told[1] != "closed reading goes on (snapshot)" {
				t.Errorf("the audit says %q", told)
			}
		})
	}
}

// budgetAudits are the audit events about a kind of work, as state and message.
func (b *bench) budgetAudits(subject string) (out []string) {
	b.t.Helper()
	_, err := b.kafka.ReadAll(b.ctx, []string{"crosswalk.audit"}, func(r topic.Record) error {
		_, body, err := avro.Unframe(r.Value)
		if err != nil {
			return err
		}
		a, err := avro.DecodeAudit(schemas.Audit, body)
		if err == nil && a.Kind == "budget" && *a.Subject == subject {
			out = append(out, a.State+" "+a.Message)
		}
		return err
	})
	b.must(err)
	return out
}

// TestNotesWaitBeforeSnapshots uses so much that polls for notes wait and a snapshot does not.
func TestNotesWaitBeforeSnapshots(t *testing.T) {
	t.Parallel()
	m := &meter{}
	b := budgeted(t, m, simulator.Config{})
	others(77_500)(b.sim)
	p := b.start()
	b.awaitPause(p, "notes")
	b.await(p, func(s salesforce.Status) bool { return s.Phase == "streaming" })
	b.compare("Account")
	parent := slices.Min(slices.Collect(maps.Keys(b.truth("Account"))))
	id, err := b.sim.Org().Create("Note", org.Fields{"Title": "T", "Body": "of the day", "ParentId": parent})
	b.must(err)
	s := p.Status()
	if _, waits := paused(s, "snapshot"); waits || s.Notes["Note"].Ready {
		t.Errorf("snapshot waits %v, notes ready %v", waits, s.Notes["Note"].Ready)
	}
	others(0)(b.sim)
	b.awaitNote(p, id, "of the day")
}

// TestRefusedCallsWait has Salesforce refuse every call for a while, at a start and later: the producer waits and asks again.
func TestRefusedCallsWait(t *testing.T) {
	t.Parallel()
	limit := simulator.Rule{Kind: "limit", Path: "/services/data/*/*", Count: -1}
	m := &meter{after: 4, then: func(s *simulator.Simulator) { s.Inject(limit) }}
	b := budgeted(t, m, simulator.Config{})
	client, err := sfapi.New(sfapi.Config{
		Tokens: b.config.Tokens, AllowAnyHost: true, Logger: b.config.Logger,
		Budget: sfapi.NewBudget(retry.Backoff{First: 20 * time.Millisecond, Max: 50 * time.Millisecond}),
	})
	b.must(err)
	b.config.Client = client
	b.sim.Inject(limit)
	p := b.start()
	if pause := b.awaitPause(p, "needed"); !strings.Contains(pause.Reason, "API calls of the last 24 hours are used up") {
		t.Errorf("the reason is %q", pause.Reason)
	}
	b.sim.ClearFaults()
	b.awaitPause(p, "snapshot")
	id, err := b.sim.Org().Create("Account", org.Fields{"Name": "New"})
	b.must(err)
	b.await(p, func(salesforce.Status) bool { return b.published("salesforce.account")[id]["Name"] == "New" })
	b.sim.ClearFaults()
	p.settle()
	b.compare("Account")
	b.compare("Contact")
}

// TestARefusalIsToldOnce has Salesforce refuse every call for many times that it is asked again: each kind of work pauses once and goes on
// once, in the audit and in the log.
func TestARefusalIsToldOnce(t *testing.T) {
	t.Parallel()
	m := &meter{}
	b := budgeted(t, m, simulator.Config{})
	log := newDiary(b.config.Logger.Handler())
	b.config.Logger = slog.New(log)
	client, err := sfapi.New(sfapi.Config{
		Tokens: b.config.Tokens, AllowAnyHost: true, Logger: b.config.Logger,
		Budget: sfapi.NewBudget(retry.Backoff{First: 5 * time.Millisecond, Max: 10 * time.Millisecond}),
	})
	b.must(err)
	b.config.Client = client
	p := b.start()
	p.settle()
	b.sim.Inject(simulator.Rule{Kind: "limit", Path: "/services/data/*/*", Count: -1})
	b.awaitPause(p, "notes")
	asked := len(b.sim.Requests())
	b.await(p, func(salesforce.Status) bool { return len(b.sim.Requests()) > asked+4 })
	b.sim.ClearFaults()
	b.await(p, func(s salesforce.Status) bool { return len(s.Budget.Paused) == 0 })
	for _, work := range []string{"notes", "needed"} {
		told := b.budgetAudits(work)
		if len(told) > 2 || len(told) == 0 && work == "notes" {
			t.Errorf("the audit says %q", told)
		}
		if n := log.count("reading pauses work=" + work); n > 1 {
			t.Errorf("the log says %d times that %s pauses", n, work)
		}
	}
}

// TestBulkQuotasWait has the day's jobs and then the volume of the results used up.
func TestBulkQuotasWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scarce, free simulator.Bulk
		reason       string
	}{
		"jobs":   {simulator.Bulk{MaxJobs: 1, PageRows: 100}, simulator.Bulk{PageRows: 100}, "Bulk query jobs of the last 24 hours are used"},
		"volume": {simulator.Bulk{Exhausted: true, PageRows: 100}, simulator.Bulk{PageRows: 100}, "megabytes of Bulk results of the last 24 hours are used"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 9, Accounts: 60, Contacts: 60}, Settings: simulator.Settings{Bulk: c.scarce}})
			b.config.LimitsEvery = 100 * time.Millisecond
			p := b.start()
			var pause salesforce.PauseStatus
			b.await(p, func(s salesforce.Status) bool {
				pause, _ = paused(s, "snapshot")
				return strings.Contains(pause.Reason, c.reason)
			})
			b.sim.Configure(func(s *simulator.Settings) { s.Bulk = c.free })
			p.settle()
			b.compare("Account")
			b.compare("Contact")
		})
	}
}

// TestEventAllocationAlarm sees the day's delivered events run out before they have.
func TestEventAllocationAlarm(t *testing.T) {
	t.Parallel()
	m := &meter{}
	b := budgeted(t, m, simulator.Config{Streaming: cometd.Options{DeliveryLimit: 60}})
	p := b.start()
	p.settle()
	for i := range 55 {
		_, err := b.sim.Org().Create("Account", org.Fields{"Name": fmt.Sprint("A", i)})
		b.must(err)
	}
	p.settle()
	b.await(p, func(salesforce.Status) bool { return len(b.budgetAudits("event allocation")) == 1 })
	if told := b.budgetAudits("event allocation"); !strings.Contains(told[0], "opened 55 of the org's 60 delivered events") {
		t.Errorf("the audit says %q", told)
	}
	b.await(p, func(s salesforce.Status) bool {
		return s.Budget.Quotas["delivered_events"].LimitAt != nil && strings.Contains(s.Budget.Forecast, "55 of 60 events delivered")
	})
}
