package salesforce_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"crosswalk/internal/simulator"
	"crosswalk/internal/simulator/cdc"
	"crosswalk/internal/simulator/org"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
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

func TestRestartsPublishNothing(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		t.Run(map[bool]string{false: "state kept", true: "state lost"}[lost], func(t *testing.T) {
			t.Parallel()
			b := setup(t, simulator.Config{Org: org.Config{Seed: 2, Accounts: 30, Contacts: 30, Notes: 20, Tasks: 20}})
			p := b.start()
			b.await(p, allReady)
			_, err := b.sim.Org().Create("Account", org.Fields{"Name": "New"})
			b.must(err)
			p.settle()
			p.end()
			before := b.records("salesforce.account", "salesforce.contact", "salesforce.note")
			if lost {
				b.config.StateDir = t.TempDir()
			}
			p = b.start()
			b.await(p, func(s salesforce.Status) bool { return allReady(s) && s.Epoch == 2 && s.Phase == "streaming" })
			if after := b.records("salesforce.account", "salesforce.contact", "salesforce.note"); after != before {
				t.Errorf("I8: the topics had %d records and have %d after a restart with nothing new", before, after)
			}
		})
	}
}

func allReady(s salesforce.Status) bool {
	return s.Phase == "streaming" && s.Notes["Note"].Ready && s.Notes["Task"].Ready
}

func TestDeposedProducerStops(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 3, Accounts: 10}})
	first := b.start()
	first.settle()
	b.config.StateDir = t.TempDir()
	second := b.start()
	b.await(second, func(s salesforce.Status) bool { return s.Phase == "streaming" })
	_, err := b.sim.Org().Create("Account", org.Fields{"Name": "New"})
	b.must(err)
	second.settle()
	if err := first.outcome(); !errors.Is(err, topic.ErrFenced) {
		t.Errorf("the deposed producer ended with %v, want ErrFenced", err)
	}
	b.compare("Account")
}

func TestLateRecordIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 4, Accounts: 10}})
	p := b.start()
	p.settle()
	name := "salesforce.account"
	var old topic.Record
	_, err := b.kafka.ReadAll(b.ctx, []string{name}, func(r topic.Record) error {
		old = topic.Record{Topic: name, Key: bytes.Clone(r.Key), Headers: []topic.Header{{Key: "epoch", Value: []byte("0")}, {Key: "rev", Value: []byte("1")}}}
		return nil
	})
	b.must(err)
	// Another task's writer is not refused: it stands for a request of a former owner that arrives late.
	w, err := b.kafka.NewWriter(b.ctx, topic.WriterConfig{Task: "late", Topics: []string{name}})
	b.must(err)
	defer w.Close()
	b.must(w.Write(b.ctx, old))
	b.must(b.sim.Org().Update("Account", string(old.Key), org.Fields{"BillingCity": "Bern"}))
	p.settle()
	b.await(p, func(s salesforce.Status) bool { return s.Counts.Repaired > 0 })
	if row := b.latest(name)[string(old.Key)]; row == nil || row["BillingCity"] != "Bern" {
		t.Errorf("W3: the late tombstone stands: %v", row)
	}
}

func TestFieldsComeAndGo(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 5, Accounts: 10}})
	b.config.DescribeEvery = 50 * time.Millisecond
	p := b.start()
	p.settle()
	id, err := b.sim.Org().Create("Account", org.Fields{"Name": "New", "Phone": "1"})
	b.must(err)
	p.settle()
	b.sim.Permit(func(profile *simulator.Profile) { profile.Hidden = []string{"Account.Phone"} })
	b.await(p, func(s salesforce.Status) bool {
		return s.Columns["Account"] != nil && !slices.Contains(s.Columns["Account"], "Phone")
	})
	b.must(b.sim.Org().Update("Account", id, org.Fields{"BillingCity": "Bern"}))
	p.settle()
	row := b.published("salesforce.account")[id]
	if phone, there := row["Phone"]; there || row["BillingCity"] != "Bern" {
		t.Errorf("H13: a hidden field is published as %q: %v", phone, row)
	}
	b.sim.Permit(func(profile *simulator.Profile) { profile.Hidden = nil })
	b.await(p, func(s salesforce.Status) bool {
		return slices.Contains(s.Columns["Account"], "Phone") && s.Phase == "streaming"
	})
	b.compare("Account")
}

func TestOverflowAndLostPosition(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 6, Accounts: 40, Contacts: 40}, Events: cdc.Options{OverflowAfter: 10}})
	p := b.start()
	p.settle()
	tx := b.sim.Org().Begin(org.Actor{})
	for id := range b.truth("Account") {
		b.must(tx.Update("Account", id, org.Fields{"BillingCity": "Bern", "Phone": id}))
	}
	tx.Commit()
	p.settle()
	b.compare("Account")
	p.end()
	_, err := b.sim.Org().Create("Account", org.Fields{"Name": "unseen"})
	b.must(err)
	b.sim.Events().Purge()
	p = b.start()
	b.await(p, func(s salesforce.Status) bool { return s.Epoch == 3 && s.Phase == "streaming" })
	b.compare("Account")
	b.compare("Contact")
	audits := b.audits()
	for _, want := range []string{"hole opened overflow", "hole closed overflow", "hole closed refused_replay_id", "snapshot closed first_snapshot"} {
		if !slices.Contains(audits, want) {
			t.Errorf("the audit does not say %q: %q", want, audits)
		}
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Config{Org: org.Config{Seed: 7, Accounts: 5, Notes: 5, Tasks: 5}})
	p := b.start()
	b.await(p, allReady)
	account := slices.Sorted(maps.Keys(b.truth("Account")))[0]
	o := b.sim.Org()
	note, err := o.Create("Note", org.Fields{"Title": "T", "Body": "first", "ParentId": account})
	b.must(err)
	task, err := o.Create("Task", org.Fields{"Subject": "S", "Description": "call", "WhatId": account})
	b.must(err)
	b.awaitNote(p, note, "first")
	b.awaitNote(p, task, "call")
	b.must(o.Update("Note", note, org.Fields{"Body": "second"}))
	b.awaitNote(p, note, "second")
	b.must(o.Delete("Note", note))
	b.awaitNote(p, note, "")
}
