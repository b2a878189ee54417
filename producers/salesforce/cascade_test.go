package salesforce_test

import (
	"testing"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
)

// TestAMergeMovesContacts is H-25: the winner takes the losers' contacts, and the losers leave tombstones.
func TestAMergeMovesContacts(t *testing.T) {
	t.Parallel()
	b, p := families(t, simulator.Config{Org: org.Config{Seed: 61}})
	winner, loser, moved := b.family()
	b.must(b.sim.Org().Merge("Account", winner, []string{loser}, org.Fields{"Phone": "merged"}))
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	accounts, contacts := b.published("salesforce.account"), b.published("salesforce.contact")
	if row, known := accounts[loser]; row != nil || !known {
		t.Errorf("the loser is published as %v, want a tombstone", row)
	}
	if accounts[winner]["Phone"] != "merged" {
		t.Errorf("the winner is published as %v", accounts[winner])
	}
	for _, id := range moved {
		if at := contacts[id]["AccountId"]; at != winner {
			t.Errorf("contact %s is published at %s, want at the winner %s", id, at, winner)
		}
	}
	b.undisturbed(p)
}

// TestADeletedAccountTakesItsContactsAlong deletes and undeletes an account, with its contacts.
func TestADeletedAccountTakesItsContactsAlong(t *testing.T) {
	t.Parallel()
	b, p := families(t, simulator.Config{Org: org.Config{Seed: 62}})
	_, account, children := b.family()
	before := b.published("salesforce.contact")
	b.must(b.sim.Org().Delete("Account", account))
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	gone := b.published("salesforce.contact")
	for _, id := range children {
		if gone[id] != nil {
			t.Errorf("contact %s outlives its account: %v", id, gone[id])
		}
	}
	b.must(b.sim.Org().Undelete("Account", account))
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	back := b.published("salesforce.contact")
	for _, id := range children {
		if back[id]["AccountId"] != account || back[id]["LastName"] != before[id]["LastName"] {
			t.Errorf("contact %s came back as %v, was %v", id, back[id], before[id])
		}
	}
	b.undisturbed(p)
}

// TestACascadeWhileNobodyListens has a merge, a deletion and an undeletion happen between two lives of the producer.
func TestACascadeWhileNobodyListens(t *testing.T) {
	t.Parallel()
	b, p := families(t, simulator.Config{Org: org.Config{Seed: 63}})
	winner, loser, _ := b.family()
	_, err := b.sim.Org().Create("Account", org.Fields{"Name": "an event to go on from"})
	b.must(err)
	p.settle()
	p.end()
	o := b.sim.Org()
	b.must(o.Merge("Account", winner, []string{loser}, nil))
	b.must(o.Delete("Account", winner)) // with the contacts of both
	p = b.start()
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	p.end()
	b.must(o.Undelete("Account", winner))
	p = b.start()
	p.settle()
	b.compare("Account")
	b.compare("Contact")
	b.undisturbed(p)
}

// TestACascadeReachesPolledContacts merges and deletes accounts of an org that sends no events of Contacts: the deletion of an
// Account has its known Contacts read at once (H17), long before the next poll.
func TestACascadeReachesPolledContacts(t *testing.T) {
	t.Parallel()
	b, p := families(t, simulator.Config{Org: org.Config{Seed: 64}, Events: cdc.Options{Selected: []string{"Account"}}})
	b.polledFor(p, "Contact", "CDC is not selected for it")
	winner, loser, moved := b.family()
	b.must(b.sim.Org().Merge("Account", winner, []string{loser}, nil))
	b.converge(p, "Account")
	b.converge(p, "Contact")
	contacts := b.published("salesforce.contact")
	for _, id := range moved {
		if at := contacts[id]["AccountId"]; at != winner {
			t.Errorf("contact %s is published at %s, want at the winner %s", id, at, winner)
		}
	}
	b.must(b.sim.Org().Delete("Account", winner)) // with the contacts of both
	b.converge(p, "Account")
	b.converge(p, "Contact")
	b.undisturbed(p)
}

// families is an org of 20 accounts with 60 contacts, and a producer that has published them.
func families(t *testing.T, config simulator.Config) (*bench, *life) {
	t.Helper()
	config.Org.Accounts, config.Org.Contacts = 20, 60
	b := setup(t, config)
	p := b.start()
	p.settle()
	return b, p
}

// family returns two accounts, and the contacts of the second, at least one.
func (b *bench) family() (other, account string, contacts []string) {
	b.t.Helper()
	of := map[string][]string{}
	for id, row := range b.truth("Contact") {
		of[row["AccountId"]] = append(of[row["AccountId"]], id)
	}
	for _, id := range b.ids("Account") {
		switch {
		case account == "" && len(of[id]) > 0:
			account, contacts = id, of[id]
		case other == "":
			other = id
		}
	}
	if account == "" || other == "" {
		b.t.Fatal("no account of the org has a contact")
	}
	return other, account, contacts
}

// undisturbed holds that what happened came by events alone: no repair, no position given up.
func (b *bench) undisturbed(p *life) {
	b.t.Helper()
	if s := p.Status(); s.Counts.Repaired != 0 || s.Counts.Overflows != 0 {
		b.t.Errorf("events alone were to tell it, and the counts are %+v", s.Counts)
	}
}
