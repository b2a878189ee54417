package cdc_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"crosswalk/internal/simulator/cdc"
)

// BenchmarkCommit is the cost of one event of a transaction of its own: an update of four fields, two of them in a compound.
func BenchmarkCommit(b *testing.B) {
	l := cdc.NewLog(cdc.Options{MaxBytes: 64 << 20})
	c := commit(change("UPDATE", "Contact", 1, fields{
		"Phone": "+49 228 1234567", "MailingCity": "Bonn", "MailingStreet": "1 Main St", "LastModifiedDate": "2026-11-21T04:40:00.000Z",
	}))
	b.ReportAllocs()
	for b.Loop() {
		c.Number = 0
		l.Commit(c)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkCommitCreate is the cost of a creation with 40 fields.
func BenchmarkCommitCreate(b *testing.B) {
	l := cdc.NewLog(cdc.Options{MaxBytes: 64 << 20})
	all := fields{"BillingCity": "Bonn", "BillingStreet": "1 Main St", "AnnualRevenue": json.Number("350000000")}
	for i := range 37 {
		all[fmt.Sprintf("Field_%d__c", i)] = "a value of some length"
	}
	c := commit(change("CREATE", "Account", 1, all))
	b.ReportAllocs()
	for b.Loop() {
		l.Commit(c)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkDeliver is the cost of reading kept events and writing them as messages.
func BenchmarkDeliver(b *testing.B) {
	l := cdc.NewLog(cdc.Options{})
	for n := range 1000 {
		l.Commit(commit(change("UPDATE", "Contact", n, fields{"Phone": "+49 228 1234567", "MailingCity": "Bonn"})))
	}
	all, err := l.Channel("/data/ChangeEvents")
	if err != nil {
		b.Fatal(err)
	}
	var events []cdc.Event
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		from, err := l.Position(all, -2)
		if err != nil {
			b.Fatal(err)
		}
		events, _, err = l.Read(events[:0], from, 1000)
		if err != nil {
			b.Fatal(err)
		}
		out = out[:0]
		for _, e := range events {
			out, _ = all.Append(out, e, cdc.Access{})
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
}
