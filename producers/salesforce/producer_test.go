package salesforce_test

import (
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/org"
)

func TestSnapshotThenStream(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 1, Accounts: 120, Contacts: 200, Notes: 10, Tasks: 10}})
	p := b.start()
	p.settle()
	b.compare("Account")
	b.compare("Contact")

	id, err := b.sim.Org().Create("Account", org.Fields{"Name": "New", "BillingCity": "Basel"})
	b.must(err)
	b.must(b.sim.Org().Update("Account", id, org.Fields{"Name": "Newer", "BillingCity": nil}))
	p.settle()
	b.compare("Account")
	b.must(b.sim.Org().Delete("Account", id))
	p.settle()
	b.compare("Account")
	b.must(b.sim.Org().Undelete("Account", id))
	p.settle()
	b.compare("Account")
}
