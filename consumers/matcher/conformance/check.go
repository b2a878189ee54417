package conformance

import (
	"fmt"
	"reflect"
	"slices"

	"crosswalk/consumers/matcher/join"
	"crosswalk/consumers/matcher/naive"
)

// CheckState compares a published state with the row's.
func (c Case) CheckState(s naive.State) error {
	got, want := Lines(s), slices.Sorted(slices.Values(c.State))
	if c.Total > 0 {
		if len(got) != c.Total {
			return fmt.Errorf("%d records are published, want %d", len(got), c.Total)
		}
		got = slices.DeleteFunc(got, func(line string) bool { return !slices.Contains(want, line) })
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("published is\n  %q, want\n  %q", got, want)
	}
	return nil
}

// CheckProduced compares what the last step produced with the row's. A view of each customer of a group is one item.
func (c Case) CheckProduced(produced []string) error {
	if c.Count > 0 {
		if len(produced) != c.Count {
			return fmt.Errorf("the last step produces %d records, want %d", len(produced), c.Count)
		}
		return nil
	}
	got := slices.Compact(slices.Sorted(slices.Values(produced)))
	want := slices.Sorted(slices.Values(c.Produced))
	if !slices.Equal(got, want) {
		return fmt.Errorf("the last step produces %q, want %q", got, want)
	}
	return nil
}

// Inputs collects the live records of a history as the direct computation takes them: of each key the record with the
// greatest version (R1).
type Inputs struct {
	latest map[join.Kind]map[string]Record
	link   Step
}

// NewInputs returns the inputs before anything is given, with the link that is set then.
func NewInputs(link Step) *Inputs {
	return &Inputs{latest: map[join.Kind]map[string]Record{}, link: link}
}

// Give takes one step in: its records, and its link when it sets one.
func (in *Inputs) Give(s Step) {
	if s.IsLink {
		in.link = s
	}
	for _, r := range s.Records {
		of := in.latest[r.Kind]
		if of == nil {
			of = map[string]Record{}
			in.latest[r.Kind] = of
		}
		if old, ok := of[r.Key]; !ok || old.Version.Less(r.Version) {
			of[r.Key] = r
		}
	}
}

// Compute returns what Part A says must be published.
func (in *Inputs) Compute() naive.State {
	return naive.Compute(naive.Inputs{
		Link: in.link.Link, ERPDeletedField: ERPDeletedField,
		Accounts: in.live(join.Account), Contacts: in.live(join.Contact), Notes: in.live(join.Note), Customers: in.live(join.Customer),
	})
}

func (in *Inputs) live(k join.Kind) map[string]naive.Record {
	out := map[string]naive.Record{}
	for key, r := range in.latest[k] {
		if r.Fields != nil {
			out[key] = naive.Record{Fields: r.Canonical(), Links: r.Links}
		}
	}
	return out
}

// CheckEqual compares a published state, value by value, with the direct computation.
func CheckEqual(got, want naive.State) error {
	if err := equalMaps("customer.view", got.Views, want.Views); err != nil {
		return err
	}
	if err := equalMaps("match.ambiguous", got.Ambiguous, want.Ambiguous); err != nil {
		return err
	}
	return equalMaps("match.unmatched", got.Unmatched, want.Unmatched)
}

func equalMaps[V any](topic string, got, want map[string]V) error {
	for key, w := range want {
		g, ok := got[key]
		if !ok {
			return fmt.Errorf("%s: %q is not published, want %+v", topic, key, w)
		}
		if !reflect.DeepEqual(g, w) {
			return fmt.Errorf("%s: %q is\n  %+v, want\n  %+v", topic, key, g, w)
		}
	}
	for key, g := range got {
		if _, ok := want[key]; !ok {
			return fmt.Errorf("%s: %q is published and should not be: %+v", topic, key, g)
		}
	}
	return nil
}
