package salesforce_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
	"crosswalk/producers/salesforce"
)

// TestHardDeletesAreFound deletes an Account for good, of which no event tells; its Contacts go with it.
func TestHardDeletesAreFound(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 41, Accounts: 30, Contacts: 90}})
	b.config.SweepEvery = 300 * time.Millisecond
	p := b.start()
	p.settle()
	account := ""
	for _, row := range b.truth("Contact") {
		if row["AccountId"] != "null" {
			account = max(account, row["AccountId"])
		}
	}
	gone := len(b.truth("Contact"))
	b.unheard(func(o *org.Org) error { return o.Purge("Account", account) })
	gone -= len(b.truth("Contact"))
	b.converge(p, "Account")
	b.converge(p, "Contact")
	if gone == 0 {
		t.Fatal("no Contact went with the Account: the test shows nothing")
	}
	b.await(p, func(s salesforce.Status) bool {
		return s.Counts.Swept == int64(1+gone) && strings.HasPrefix(s.Sweeps["Account"], "every 300ms, last 20")
	})
	if s := p.Status(); s.Counts.Repaired != 0 || s.Epoch != 1 {
		t.Errorf("a sweep is no reconciliation: %+v", s)
	}
	if audits := b.audits(); !slices.Contains(audits, "sweep noted scheduled") {
		t.Errorf("the audit does not tell of the sweep: %q", audits)
	}
}

// TestWhatAListLeavesOutIsReadById has lists of ids that show nothing at all: the org still has the records, and they stay.
func TestWhatAListLeavesOutIsReadById(t *testing.T) {
	t.Parallel()
	var lists atomic.Int64
	empty := func(r *http.Request) *simulator.Fault {
		if soql, _ := url.QueryUnescape(r.URL.Query().Get("q")); soql != "SELECT Id FROM Account" {
			return nil
		}
		lists.Add(1)
		return &simulator.Fault{Status: http.StatusOK, Body: `{"totalSize":0,"done":true,"records":[]}`}
	}
	b := setup(t, simulator.Config{Org: org.Config{Seed: 42, Accounts: 30}, Fault: empty})
	b.config.SweepEvery = 300 * time.Millisecond
	p := b.start()
	p.settle()
	before := b.records("salesforce.account")
	b.await(p, func(salesforce.Status) bool { return lists.Load() > 2 })
	b.compare("Account")
	if after := b.records("salesforce.account"); after != before || p.Status().Counts.Swept != 0 {
		t.Errorf("records that the org has were published again: %d, then %d", before, after)
	}
}

func TestNoSweepIsSaid(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 43, Accounts: 3}})
	b.config.SweepEvery = -1
	p := b.start()
	p.settle()
	if text := p.Status().Sweeps["Account"]; !strings.HasPrefix(text, "off (sweep_interval is 0)") {
		t.Errorf("the status says %q of sweeps that are off", text)
	}
}
