package salesforce_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// TestAJobThatIsTooBig has Bulk give up every job of Contacts: the snapshot is read by REST, with one job and no more.
func TestAJobThatIsTooBig(t *testing.T) {
	t.Parallel()
	jobs := &jobsOf{}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 121, Accounts: 5, Contacts: 30}, Fault: jobs.fault})
	var contacts atomic.Bool
	jobs.next = func(r *http.Request) *simulator.Fault {
		switch {
		case newJob(r):
			contacts.Store(strings.Contains(jobQuery(r), " FROM Contact"))
		case r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/jobs/query/") && contacts.Load():
			return &simulator.Fault{
				Status: http.StatusOK, ContentType: "application/json",
				Body: `{"id":"750000000000001AAA","object":"Contact","state":"Failed","retries":15,"errorMessage":"InternalServerError : Batch was retried more than 15 times"}`,
			}
		}
		return nil
	}
	p := b.start()
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	if made := jobs.like("SELECT"); len(made) > 3 {
		t.Errorf("%d jobs were created for two objects, one of which Bulk cannot read: %q", len(made), made)
	}
}

// TestReadsByIDAreHalved lets no call name more than three records.
func TestReadsByIDAreHalved(t *testing.T) {
	t.Parallel()
	var taken, refused atomic.Int64
	b := setup(t, simulator.Config{
		Org:      org.Config{Seed: 122, Accounts: 20, Contacts: 5},
		Settings: simulator.Settings{Bulk: simulator.Bulk{Refused: []string{"Account"}}},
		Fault: func(r *http.Request) *simulator.Fault {
			if !strings.HasSuffix(r.URL.Path, "/composite/sobjects/Account") {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			var asked struct {
				IDs []string `json:"ids"`
			}
			if err != nil || json.Unmarshal(body, &asked) != nil {
				t.Errorf("a read by id has the body %q (%v)", body, err)
			}
			if r.Body = io.NopCloser(bytes.NewReader(body)); len(asked.IDs) > 3 {
				refused.Add(1)
				return &simulator.Fault{Status: http.StatusServiceUnavailable, Code: "REQUEST_RUNNING_TOO_LONG", Message: "Your request was running for too long, and has been stopped."}
			}
			taken.Add(1)
			return nil
		},
	})
	p := b.start()
	p.settle()
	b.compare("Account")
	if n := taken.Load(); n != 8 || refused.Load() != 7 {
		t.Errorf("20 records were read in %d calls, %d were refused: want 8 (two or three records each) and 7", n, refused.Load())
	}
}

// TestAPollThatIsTooBig becomes a Bulk job.
func TestAPollThatIsTooBig(t *testing.T) {
	t.Parallel()
	const listing = "SELECT Id, IsDeleted, SystemModstamp FROM Contact"
	jobs := &jobsOf{next: func(r *http.Request) *simulator.Fault {
		if strings.HasPrefix(r.URL.Query().Get("q"), listing) {
			return &simulator.Fault{Status: http.StatusBadRequest, Code: "QUERY_TIMEOUT", Message: "Your query request was running for too long."}
		}
		return nil
	}}
	b := setup(t, simulator.Config{
		Org: org.Config{Seed: 123, Accounts: 5, Contacts: 30}, Fault: jobs.fault, Events: cdc.Options{Selected: []string{"Account"}},
	})
	b.impatient()
	p := b.start()
	p.settle()
	b.polledFor(p, "Contact", "CDC is not selected for it")
	contacts := b.ids("Contact")
	b.must(b.sim.Org().Update("Contact", contacts[0], org.Fields{"Title": "CFO"}))
	b.must(b.sim.Org().Delete("Contact", contacts[1]))
	b.converge(p, "Contact")
	if made := jobs.like(listing); len(made) == 0 {
		t.Errorf("no job lists the changes: %q", jobs.like(""))
	}
}

// TestAListOfDeletionsThatIsTooLong is asked for in windows of less than five minutes.
func TestAListOfDeletionsThatIsTooLong(t *testing.T) {
	t.Parallel()
	var refused atomic.Int64
	c := &clock{}
	b := setup(t, simulator.Config{
		Org: org.Config{Seed: 124, Accounts: 20, Contacts: 40, Now: c.now},
		Fault: func(r *http.Request) *simulator.Fault {
			q := r.URL.Query()
			start, err := time.Parse(time.RFC3339, q.Get("start"))
			end, err2 := time.Parse(time.RFC3339, q.Get("end"))
			if !strings.HasSuffix(r.URL.Path, "/deleted/") && !strings.HasSuffix(r.URL.Path, "/deleted") || err != nil || err2 != nil || end.Sub(start) < 5*time.Minute {
				return nil
			}
			refused.Add(1)
			return &simulator.Fault{Status: http.StatusBadRequest, Code: "EXCEEDED_ID_LIMIT", Message: "exceeded limit of 600000 ids"}
		},
	})
	b.impatient()
	b.config.SilenceLimit, b.config.PollEvery, b.config.SweepEvery = time.Hour, time.Hour, -1
	p := b.start()
	p.settle()
	c.forward(12 * time.Minute)
	_, contacts := b.purgeUnheard()
	c.forward(8 * time.Minute)
	b.converge(p, "Account")
	b.converge(p, "Contact")
	b.await(p, func(s salesforce.Status) bool { return s.Counts.Repaired == int64(1+len(contacts)) })
	if refused.Load() == 0 {
		t.Error("no list was too long")
	}
}
