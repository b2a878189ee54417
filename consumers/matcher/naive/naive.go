// Package naive computes what the matcher must publish, directly from the final inputs, the way the rules are written.
//
// All live records go in as Inputs; Compute returns the State of the three output topics. It keeps nothing, is told
// nothing of order or history, and takes no shortcut, so that its answer can be checked against the matcher's: by the
// seeded histories in the tests, and by the demonstration, which compares every published view with it.
package naive

import (
	"cmp"
	"maps"
	"slices"

	"crosswalk/consumers/matcher/rule"
	"crosswalk/internal/customer"
)

// Record is one live input record. Links is used by notes only and may name a record twice.
type Record struct {
	Fields customer.Fields // without _change, and for notes without links
	Links  []string
}

// Inputs are the live records by key and the link. A nil Link means that none is set (R6).
type Inputs struct {
	Link            *customer.Link
	ERPDeletedField string // path of the flag that counts as a deletion when it is true; "" for none
	Accounts        map[string]Record
	Contacts        map[string]Record
	Notes           map[string]Record
	Customers       map[string]Record
	// Fits reports whether a view stays within the bound in bytes (R29a). Nil means that all do.
	Fits func(customer.View) bool
}

// State is the latest value per key of the three output topics.
type State struct {
	Views     map[string]customer.View      // by ERP customer key
	Ambiguous map[string]customer.Ambiguous // by identifier
	Unmatched map[string]customer.Unmatched // by Unmatched.Key
}

// member is an Account or ERP customer with its identifier, or the reason why it has none.
type member struct {
	key        string
	identifier string
	miss       rule.Miss
	fold       string
}

type computation struct {
	Inputs
	accounts, customers []member // by key
	state               State
}

// Compute applies Part A of the matching rules to the inputs.
func Compute(in Inputs) State {
	c := computation{Inputs: in, state: State{
		Views: map[string]customer.View{}, Ambiguous: map[string]customer.Ambiguous{}, Unmatched: map[string]customer.Unmatched{},
	}}
	if in.Link == nil {
		return c.state
	}
	c.identify()
	c.groups()
	c.orphans()
	return c.state
}

func (c *computation) identify() {
	byID := c.Link.SalesforceField == "Id"
	for _, key := range keys(c.Accounts) {
		v := valueAt(c.Accounts[key].Fields, []string{c.Link.SalesforceField})
		if byID {
			v = rule.Value{Kind: rule.Text, Text: key}
		}
		c.accounts = append(c.accounts, newMember(key, v))
	}
	for _, key := range keys(c.Customers) {
		fields := c.Customers[key].Fields
		if c.deleted(fields) {
			continue
		}
		v := valueAt(fields, c.Link.ERPPath())
		if byID && v.Kind == rule.Text {
			v.Text = rule.LongID(v.Text)
		}
		c.customers = append(c.customers, newMember(key, v))
	}
}

func newMember(key string, v rule.Value) member {
	id, miss := rule.Identify(v)
	return member{key: key, identifier: id, miss: miss, fold: rule.Fold(id)}
}

// groups puts every Account and ERP customer in its place (R12, R14).
func (c *computation) groups() {
	accounts, customers := byIdentifier(c.accounts), byIdentifier(c.customers)
	alikeAccounts, alikeCustomers := byFold(c.accounts), byFold(c.customers)
	for id, group := range accounts {
		switch outcome, reason := rule.Decide(len(group), len(customers[id]), *c.Link); outcome {
		case rule.Matched:
			c.match(id, group, customers[id])
		case rule.Ambiguous:
			c.state.Ambiguous[id] = customer.Ambiguous{
				Identifier: id, Reason: reason,
				Accounts: first(memberKeys(group), customer.MaxListed), AccountCount: len(group),
				ERPCustomers: first(memberKeys(customers[id]), customer.MaxListed), ERPCustomerCount: len(customers[id]),
			}
		}
	}
	for _, m := range c.accounts {
		c.alone(customer.SideAccount, m, accounts, customers, alikeAccounts, alikeCustomers)
	}
	for _, m := range c.customers {
		c.alone(customer.SideERP, m, customers, accounts, alikeCustomers, alikeAccounts)
	}
}

// alone reports a record that has no identifier or no counterpart (R12, R24, R30).
func (c *computation) alone(side customer.Side, m member, own, other, alikeOwn, alikeOther map[string][]member) {
	u := customer.Unmatched{Side: side, ID: m.key, Reason: m.miss.Reason, SameIdentifier: []string{}, NearMisses: []customer.NearMiss{}}
	switch {
	case m.miss.Detail != "":
		u.Detail = &m.miss.Detail
	case m.miss.Reason != "":
	case len(other[m.identifier]) > 0:
		return
	default:
		u.Identifier = &m.identifier
		u.Reason = customer.NoCounterpart
		same := slices.DeleteFunc(memberKeys(own[m.identifier]), func(key string) bool { return key == m.key })
		u.SameIdentifier = first(same, customer.MaxSame)
		u.SameIdentifierTotal = min(len(same), customer.MaxSameTotal)
		if c.Link.NearMiss {
			nearMisses(&u, m, alikeOwn[m.fold], alikeOther[m.fold])
		}
	}
	c.state.Unmatched[u.Key()] = u
}

func (c *computation) match(id string, accounts, customers []member) {
	var parts []customer.Account
	for _, a := range accounts {
		parts = append(parts, c.account(a.key))
	}
	for _, e := range customers {
		shared := slices.DeleteFunc(memberKeys(customers), func(key string) bool { return key == e.key })
		view := customer.View{
			Identifier: id, Link: c.Link.Fields(),
			Customer:   customer.Customer{Key: e.key, Fields: c.Customers[e.key].Fields},
			SharedWith: shared, Accounts: slices.Clone(parts),
		}
		c.state.Views[e.key] = c.fit(view)
	}
}

// fit leaves out notes, then Contacts, one by one from the end, until the view fits (R29a); if that is not enough, then
// the fields of the Accounts from the end, and at last those of the customer.
func (c *computation) fit(v customer.View) customer.View {
	if c.Fits == nil || c.Fits(v) {
		return v
	}
	v.Truncated = true
	for _, drop := range []func(*customer.Account) bool{dropNote, dropContact, dropFields} {
		for i := len(v.Accounts) - 1; i >= 0; i-- {
			for dropped := true; dropped && !c.Fits(v); {
				dropped = drop(&v.Accounts[i])
			}
		}
	}
	if !c.Fits(v) {
		v.Customer.Fields = customer.Fields{}
	}
	return v
}

func dropFields(a *customer.Account) bool {
	dropped := len(a.Fields) > 0
	a.Fields = customer.Fields{}
	return dropped
}

func dropNote(a *customer.Account) bool {
	if len(a.Notes) == 0 {
		return false
	}
	a.Notes = a.Notes[:len(a.Notes)-1]
	return true
}

func dropContact(a *customer.Account) bool {
	if len(a.Contacts) == 0 {
		return false
	}
	a.Contacts = a.Contacts[:len(a.Contacts)-1]
	return true
}

func (c *computation) deleted(fields customer.Fields) bool {
	if c.ERPDeletedField == "" {
		return false
	}
	value, _ := at(fields, split(c.ERPDeletedField))
	flag, _ := value.(bool)
	return flag
}

func keys(records map[string]Record) []string { return slices.Sorted(maps.Keys(records)) }

func memberKeys(members []member) []string {
	out := []string{}
	for _, m := range members {
		out = append(out, m.key)
	}
	return out
}

func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }

func byIdentifier(members []member) map[string][]member {
	out := map[string][]member{}
	for _, m := range members {
		if m.miss.Reason == "" {
			out[m.identifier] = append(out[m.identifier], m)
		}
	}
	return out
}

// byFold groups what is alike (R22), ordered by identifier bytes, then key (R24).
func byFold(members []member) map[string][]member {
	out := map[string][]member{}
	for _, m := range members {
		if m.miss.Reason == "" && m.fold != "" {
			out[m.fold] = append(out[m.fold], m)
		}
	}
	for _, group := range out {
		slices.SortFunc(group, func(a, b member) int {
			return cmp.Or(cmp.Compare(a.identifier, b.identifier), cmp.Compare(a.key, b.key))
		})
	}
	return out
}
