package suggest

import (
	"cmp"
	"slices"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// Pair is an Account field and an ERP field that have identifiers in common, and what a link of them would do.
type Pair struct {
	SalesforceField    string   `json:"salesforce_field"`
	ERPField           string   `json:"erp_field"`
	Matched            int      `json:"matched"`             // ERP customers with exactly one Account of their own
	Ambiguous          int      `json:"ambiguous"`           // ERP customers whose identifier stands on several Accounts or customers
	Share              float64  `json:"share"`               // of all ERP customers, those that are Matched
	AccountFill        float64  `json:"account_fill"`        // of all Accounts, those with an identifier in this field
	CustomerFill       float64  `json:"customer_fill"`       // of all ERP customers, the same
	AccountDuplicates  int      `json:"account_duplicates"`  // Accounts that share their identifier with another Account
	CustomerDuplicates int      `json:"customer_duplicates"` // ERP customers, the same
	Score              float64  `json:"score"`               // 0 to 1: see Order
	Examples           []string `json:"examples"`            // the first identifiers that both sides have, at most MaxExamples
}

// Order says how pairs are ranked, for the people who read the ranking.
const Order = "Order: the share of ERP customers whose value stands on an Account, times how unique the values are on each side\n" +
	"(1 = no duplicates), times the share of common values without spaces (an identifier has none; names and addresses do).\n" +
	"Equal scores: higher fill rates first."

// Rank compares each field of one side with each of the other and returns the pairs that have an identifier in common, best
// first. See Order.
func (s *Survey) Rank() []Pair {
	for _, side := range []Side{s.Accounts, s.Customers} {
		for _, f := range side.fields {
			f.identifiers.merge()
			f.asID.merge()
		}
	}
	pairs := []Pair{}
	there := newFilter(&s.Customers)
	for _, a := range s.Accounts.Fields() {
		candidates := there.keep(s.Accounts.fields[a].identifiers.runs)
		for _, c := range s.Customers.Fields() {
			if p, ok := s.pair(a, c, candidates); ok {
				pairs = append(pairs, p)
			}
		}
	}
	slices.SortStableFunc(pairs, func(p, q Pair) int {
		return cmp.Or(cmp.Compare(q.Score, p.Score), cmp.Compare(q.AccountFill+q.CustomerFill, p.AccountFill+p.CustomerFill))
	})
	return pairs
}

// pair counts what a one-to-one link of two fields would do (R12); ok is false when they have nothing in common.
// candidates are the Account field's runs that can be on the other side.
func (s *Survey) pair(account, erp string, candidates []run) (p Pair, ok bool) {
	left := &s.Accounts.fields[account].identifiers
	right := s.Customers.fields[erp].against(account)
	p = Pair{SalesforceField: account, ERPField: erp, Examples: []string{}}
	found, plain := 0, 0
	link := customer.Link{Cardinality: customer.CardinalityOneToOne}
	common(candidates, right.runs, func(a, c run) {
		found++
		if a.digest&spaced == 0 {
			plain++
		}
		if outcome, _ := rule.Decide(int(a.count), int(c.count), link); outcome == rule.Matched {
			p.Matched++
		} else {
			p.Ambiguous += int(c.count)
		}
	})
	if found == 0 {
		return p, false
	}
	customers := s.Customers.records
	p.Share = ratio(p.Matched, customers)
	p.AccountFill, p.CustomerFill = ratio(left.filled, s.Accounts.records), ratio(s.Customers.fields[erp].identifiers.filled, customers)
	p.AccountDuplicates, p.CustomerDuplicates = left.duplicates(), right.duplicates()
	p.Score = ratio(p.Matched+p.Ambiguous, customers) * left.uniqueness() * right.uniqueness() * ratio(plain, found)
	return p, true
}
