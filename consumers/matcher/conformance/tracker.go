package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"crosswalk/consumers/matcher/join"
	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/avro"
	"crosswalk/internal/customer"
	"crosswalk/schemas"
)

// Out is one record that a matcher published.
type Out struct {
	Topic join.Topic
	Key   string
	Value []byte // Avro without its frame; nil for a tombstone
}

// Tracker follows what a matcher publishes.
type Tracker struct {
	latest  [join.Topics]map[string][]byte
	walkers [join.Topics]*avro.Walker
	state   naive.State
}

// NewTracker returns a Tracker of empty topics.
func NewTracker() (*Tracker, error) {
	t := &Tracker{state: naive.State{
		Views: map[string]customer.View{}, Ambiguous: map[string]customer.Ambiguous{}, Unmatched: map[string]customer.Unmatched{},
	}}
	for i, schema := range []string{join.View: schemas.CustomerView, join.Ambiguous: schemas.MatchAmbiguous, join.Unmatched: schemas.MatchUnmatched} {
		w, err := avro.NewWalker(schema)
		if err != nil {
			return nil, err
		}
		t.walkers[i], t.latest[i] = w, map[string][]byte{}
	}
	return t, nil
}

// State is the latest value per key of the three topics.
func (t *Tracker) State() naive.State { return t.state }

// Latest returns the keys and values of a topic.
func (t *Tracker) Latest(topic join.Topic) map[string][]byte { return t.latest[topic] }

// Step takes the records that one step produced, in their order, and returns them in the table's notation. An error
// names the rule that they break. Repeats says that the matcher may have published some of them before it was killed.
func (t *Tracker) Step(outs []Out, repeats bool) ([]string, error) {
	var produced []string
	tombstone := false
	for _, o := range outs {
		before := t.latest[o.Topic][o.Key]
		switch {
		case repeats:
		case o.Value == nil && before == nil:
			return nil, fmt.Errorf("R27: a tombstone for %q, which is not published", o.Key)
		case o.Value != nil && bytes.Equal(before, o.Value):
			return nil, fmt.Errorf("R27: the value of %q is published again", o.Key)
		case o.Value != nil && tombstone:
			return nil, fmt.Errorf("R28: %q is put after a tombstone", o.Key)
		}
		tombstone = tombstone || o.Value == nil
		line, err := t.apply(o)
		if err != nil {
			return nil, err
		}
		produced = append(produced, line)
	}
	return produced, nil
}

// apply takes one record in and returns how the table writes it.
func (t *Tracker) apply(o Out) (string, error) {
	name, err := t.decode(o)
	if err != nil {
		return "", fmt.Errorf("value of %q: %w", o.Key, err)
	}
	if o.Value == nil {
		delete(t.latest[o.Topic], o.Key)
		return "†" + name, nil
	}
	t.latest[o.Topic][o.Key] = o.Value
	return name, nil
}

func (t *Tracker) decode(o Out) (name string, err error) {
	w := t.walkers[o.Topic]
	if o.Value != nil {
		if err := w.Check(o.Value); err != nil {
			return "", err
		}
	}
	switch o.Topic {
	case join.View:
		before := t.state.Views[o.Key].Identifier
		err = replace(t.state.Views, o, w.View)
		if o.Value == nil {
			return "V(" + before + ")", err
		}
		return "V(" + t.state.Views[o.Key].Identifier + ")", err
	case join.Ambiguous:
		return "M(" + o.Key + ")", replace(t.state.Ambiguous, o, w.Ambiguous)
	default:
		_, id, _ := strings.Cut(o.Key, "/")
		return "U(" + Symbol(id) + ")", replace(t.state.Unmatched, o, w.Unmatched)
	}
}

// replace puts the decoded value in the place of the key's former one.
func replace[V any](latest map[string]V, o Out, decode func([]byte) (V, error)) error {
	if o.Value == nil {
		delete(latest, o.Key)
		return nil
	}
	v, err := decode(o.Value)
	latest[o.Key] = v
	return err
}

// Lines writes a published state in the table's notation, ascending.
func Lines(s naive.State) []string {
	var out []string
	groups := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(s.Views)) {
		v := s.Views[key]
		var accounts []string
		for _, a := range v.Accounts {
			accounts = append(accounts, accountLine(a))
		}
		group := fmt.Sprintf("V(%s): %s", v.Identifier, strings.Join(accounts, " "))
		groups[group] = append(groups[group], key)
	}
	for group, keys := range groups {
		out = append(out, group+" + "+strings.Join(keys, " "))
	}
	for _, a := range s.Ambiguous {
		out = append(out, fmt.Sprintf("M(%s): %s | %s %s", a.Identifier, members(a.Accounts, a.AccountCount), members(a.ERPCustomers, a.ERPCustomerCount), a.Reason))
	}
	for _, u := range s.Unmatched {
		out = append(out, unmatchedLine(u))
	}
	slices.Sort(out)
	return out
}

func accountLine(a customer.Account) string {
	contacts, notes := []string{}, []string{}
	for _, c := range a.Contacts {
		contacts = append(contacts, Symbol(c.ID))
	}
	for _, n := range a.Notes {
		notes = append(notes, Symbol(n.ID))
	}
	line := strings.Join(contacts, ",")
	if len(notes) > 0 {
		line += ";" + strings.Join(notes, ",")
	}
	if line != "" {
		line = "[" + line + "]"
	}
	return Symbol(a.ID) + line
}

func members(ids []string, count int) string {
	if count > len(ids) {
		return fmt.Sprintf("%s…%s (count %d)", Symbol(ids[0]), Symbol(ids[len(ids)-1]), count)
	}
	symbols := []string{}
	for _, id := range ids {
		symbols = append(symbols, Symbol(id))
	}
	return strings.Join(symbols, ",")
}

func unmatchedLine(u customer.Unmatched) string {
	line := fmt.Sprintf("U(%s): %s", Symbol(u.ID), u.Reason)
	if u.Detail != nil {
		line += "/" + string(*u.Detail)
	}
	if len(u.SameIdentifier) > 0 {
		line += " same=" + members(u.SameIdentifier, len(u.SameIdentifier))
	}
	for _, n := range u.NearMisses {
		classes := []string{}
		for _, c := range n.Classes {
			classes = append(classes, string(c))
		}
		line += " ~" + Symbol(n.ID) + ":" + strings.Join(classes, "+")
	}
	if u.NearMissesTruncated {
		line += " …more"
	}
	return line
}
