package harness

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
	"crosswalk/internal/judge"
)

// LinkField is the Account field that holds the customer's ERP number.
const LinkField = "ERP_No__c"

// ERPCustomer is one row of the ERP file.
type ERPCustomer struct{ no, name, Reference, balance string }

// Ledger is the ERP: the customers of the file.
type Ledger struct {
	rng  *rand.Rand
	Rows []ERPCustomer
	next int
}

// open adds a customer with the reference; "" is none.
func (l *Ledger) open(reference string) {
	l.next++
	l.Rows = append(l.Rows, ERPCustomer{
		no: fmt.Sprintf("C%06d", l.next), name: fmt.Sprintf("Customer %d", l.next), Reference: reference, balance: l.amount(),
	})
}

func (l *Ledger) amount() string {
	return fmt.Sprintf("%d.%02d", l.rng.IntN(1_000_000)-10_000, l.rng.IntN(100))
}

// NewLedger makes the ERP's customers for the accounts, and says what identifier each account gets. Half of the accounts
// are matched; the rest are near misses, ambiguous, without counterpart, or without identifier.
func NewLedger(rng *rand.Rand, accounts []string) (*Ledger, map[string]string) {
	l := &Ledger{rng: rng}
	carries := map[string]string{}
	last := ""
	for i, account := range accounts {
		number := fmt.Sprint(700_000 + i)
		switch draw := rng.IntN(100); {
		case draw < 50: // matched
			carries[account] = "K" + number
			last = "K" + number
			l.open(last)
		case draw < 58: // near misses: leading zeros, case, blanks
			carries[account] = []string{"00" + number, "x" + number, number + " "}[draw%3]
			l.open([]string{number, "X" + number, number}[draw%3])
		case draw < 61: // two customers with one identifier
			carries[account] = "D" + number
			l.open("D" + number)
			l.open("D" + number)
		case draw < 64: // two accounts with one identifier
			carries[account] = last
		case draw < 70: // a customer without an account
			l.open("U" + number)
		case draw < 80: // an account without a customer
			carries[account] = "A" + number
		case draw < 82: // a customer without an identifier
			l.open("")
		}
	}
	return l, carries
}

// Revise changes balances, and sometimes an identifier, drops a few customers and opens others.
func (l *Ledger) Revise() {
	for range 20 {
		l.Rows[l.rng.IntN(len(l.Rows))].balance = l.amount()
	}
	for range 3 {
		a, b := l.rng.IntN(len(l.Rows)), l.rng.IntN(len(l.Rows))
		l.Rows[a].Reference, l.Rows[b].Reference = l.Rows[b].Reference, l.Rows[a].Reference
		i := l.rng.IntN(len(l.Rows))
		l.Rows = slices.Delete(l.Rows, i, i+1)
		l.open(l.Reference())
	}
}

// Reference is the identifier of some customer.
func (l *Ledger) Reference() string { return l.Rows[l.rng.IntN(len(l.Rows))].Reference }

// Write makes the file.
func (l *Ledger) Write(path string) (err error) {
	f, err := os.Create(filepath.Clean(path))
	if err != nil {
		return fmt.Errorf("write ERP file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := csv.NewWriter(f)
	rows := [][]string{{"No", "Name", "Reference", "Balance", "Region"}}
	for _, r := range l.Rows {
		rows = append(rows, []string{r.no, r.name, r.Reference, r.balance, "North"})
	}
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("write ERP file: %w", err)
	}
	return nil
}

// Records are the customers as views show them.
func (l *Ledger) Records() map[string]naive.Record {
	out := map[string]naive.Record{}
	for _, r := range l.Rows {
		var reference any
		if r.Reference != "" {
			reference = r.Reference
		}
		out[r.no] = naive.Record{Fields: customer.Fields{
			"company": nil, "number": r.no, "name": r.name, "identifier": reference,
			"balance": judge.Value(json.Number(r.balance), change.TypeDecimal), "currency": nil, "terms": nil, "email": nil, "phone": nil,
			"updated_at": nil, "attributes": map[string]any{"Region": "North"},
		}}
	}
	return out
}
