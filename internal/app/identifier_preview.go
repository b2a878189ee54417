package app

import (
	"context"
	"maps"
	"slices"
	"strings"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/avro"
	"crosswalk/internal/customer"
)

// Preview says what an activation would do.
type Preview struct {
	Accounts  int            `json:"accounts"`    // live records
	Customers int            `json:"customers"`   // of the ERP
	Broken    int            `json:"undecodable"` // records of both that could not be decoded, and are left out
	Current   *customer.Link `json:"current"`     // nil: none is set
	Link      customer.Link  `json:"link"`        // that is previewed
	Before    Outcome        `json:"before"`
	After     Outcome        `json:"after"`
	Gained    []string       `json:"gained"` // first keys of the ERP customers that would become matched
	Lost      []string       `json:"lost"`   // and of those that would no longer be
	GainedAll int            `json:"gained_total"`
	LostAll   int            `json:"lost_total"`
}

// Outcome counts what a link leads to (R12), with examples.
type Outcome struct {
	Matched            int                  `json:"matched"`   // ERP customers with a view
	Ambiguous          int                  `json:"ambiguous"` // identifiers
	UnmatchedAccounts  int                  `json:"unmatched_accounts"`
	UnmatchedCustomers int                  `json:"unmatched_customers"`
	NearMisses         int                  `json:"near_misses"` // of the unmatched ones, those that are alike to another
	Examples           []MatchExample       `json:"examples"`
	AmbiguousExamples  []customer.Ambiguous `json:"ambiguous_examples"`
	UnmatchedExamples  []customer.Unmatched `json:"unmatched_examples"`
	NearMissExamples   []customer.Unmatched `json:"near_miss_examples"`
}

// MatchExample is one matched ERP customer.
type MatchExample struct {
	Identifier string   `json:"identifier"`
	Customer   string   `json:"customer"` // key
	Accounts   []string `json:"accounts"` // Ids
}

// mostExamples is how many examples each kind has.
const mostExamples = 3

// Preview computes what the link would lead to, and what the present one does, from the live records of both sides. Nothing is
// published. The keys and identifiers of all live records are held in memory, some 1.5 kB for each of them.
func (a *App) Preview(ctx context.Context, alias string, link customer.Link, progress func(total, done int64)) (Preview, error) {
	org, p, err := a.about(ctx, alias)
	if err != nil {
		return Preview{}, err
	}
	defer p.close()
	if err := p.check(ctx, org, link); err != nil {
		return Preview{}, err
	}
	out := Preview{Link: link}
	current, err := a.currentLink(ctx, p, org)
	if err != nil {
		return out, err
	}
	out.Current = current
	m := meter{report: progress}
	accounts, customers, err := p.populations(ctx, org, &m, 2, 2)
	if err != nil {
		return out, err
	}
	links := []customer.Link{link}
	if current != nil {
		links = append(links, *current)
	}
	var fields, paths [][]string
	for _, l := range links {
		fields, paths = append(fields, []string{l.SalesforceField}), append(paths, l.ERPPath())
	}
	in := naive.Inputs{}
	if in.Accounts, err = accounts.only(ctx, fields); err != nil {
		return out, err
	}
	if in.Customers, err = customers.only(ctx, paths); err != nil {
		return out, err
	}
	out.Accounts, out.Customers, out.Broken = len(in.Accounts), len(in.Customers), accounts.broken+customers.broken
	if err := bothThere(org, out.Accounts, out.Customers); err != nil {
		return out, err
	}
	out.compare(in)
	return out, nil
}

// compare computes both outcomes.
func (v *Preview) compare(in naive.Inputs) {
	in.Link = (*customer.Link)(v.Current)
	before := naive.Compute(in)
	in.Link = (*customer.Link)(&v.Link)
	after := naive.Compute(in)
	v.Before, v.After = outcomeOf(before), outcomeOf(after)
	v.Gained, v.GainedAll = without(after.Views, before.Views)
	v.Lost, v.LostAll = without(before.Views, after.Views)
}

// without returns the first keys of a that b does not have, and how many there are.
func without(a, b map[string]customer.View) ([]string, int) {
	keys := []string{}
	for key := range a {
		if _, both := b[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys[:min(len(keys), mostExamples)], len(keys)
}

func outcomeOf(s naive.State) Outcome {
	out := Outcome{
		Matched: len(s.Views), Ambiguous: len(s.Ambiguous), Examples: []MatchExample{}, AmbiguousExamples: []customer.Ambiguous{},
		UnmatchedExamples: []customer.Unmatched{}, NearMissExamples: []customer.Unmatched{},
	}
	for _, key := range slices.Sorted(maps.Keys(s.Views)) {
		if len(out.Examples) == mostExamples {
			break
		}
		e := MatchExample{Identifier: s.Views[key].Identifier, Customer: key}
		for _, a := range s.Views[key].Accounts {
			e.Accounts = append(e.Accounts, a.ID)
		}
		out.Examples = append(out.Examples, e)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Ambiguous)) {
		out.AmbiguousExamples = appendExample(out.AmbiguousExamples, s.Ambiguous[id])
	}
	for _, key := range slices.Sorted(maps.Keys(s.Unmatched)) {
		u := s.Unmatched[key]
		if u.Side == customer.SideAccount {
			out.UnmatchedAccounts++
		} else {
			out.UnmatchedCustomers++
		}
		if len(u.NearMisses) > 0 || u.NearMissGroupTooLarge {
			out.NearMisses++
			out.NearMissExamples = appendExample(out.NearMissExamples, u)
		} else if !slices.ContainsFunc(out.UnmatchedExamples, func(e customer.Unmatched) bool { return e.Side == u.Side && e.Reason == u.Reason }) {
			out.UnmatchedExamples = appendExample(out.UnmatchedExamples, u) // one of each kind
		}
	}
	return out
}

func appendExample[T any](list []T, v T) []T {
	if len(list) == mostExamples {
		return list
	}
	return append(list, v)
}

// only returns the live records by key with nothing but the values at the paths.
func (pop *population) only(ctx context.Context, paths [][]string) (map[string]naive.Record, error) {
	out := map[string]naive.Record{}
	err := pop.each(ctx, func(key []byte, w *avro.Walker, body []byte) {
		fields := customer.Fields{}
		for _, path := range paths {
			if v, err := w.Lookup(body, path...); err == nil && v.Kind != avro.Absent {
				put(fields, path, naiveValue(v))
			}
		}
		out[string(key)] = naive.Record{Fields: fields}
	})
	return out, err
}

// put sets a value at a path, unless values below it are there already: then what stands there is an object, which is no
// identifier either.
func put(fields map[string]any, path []string, v any) {
	for _, step := range path[:len(path)-1] {
		next, ok := fields[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			fields[step] = next
		}
		fields = next
	}
	last := path[len(path)-1]
	if _, object := fields[last].(map[string]any); !object {
		fields[last] = v
	}
}

// naiveValue is a value as package naive has it; what can be no identifier is an empty list.
func naiveValue(v avro.Value) any {
	switch v.Kind {
	case avro.Null:
		return nil
	case avro.Text:
		return strings.Clone(v.Text)
	case avro.Number:
		return customer.Decimal(v.Text)
	}
	return []any{}
}
