package matcher

import (
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// The topics' names without the org's prefix.
const (
	AccountTopic    = "salesforce.account"
	ContactTopic    = "salesforce.contact"
	NoteTopic       = "salesforce.note"
	CustomerTopic   = "erp.customer"
	ViewTopic       = "customer.view"
	AmbiguousTopic  = "match.ambiguous"
	UnmatchedTopic  = "match.unmatched"
	DeadLetterTopic = "crosswalk.deadletter"
	ControlTopic    = "crosswalk.control"
)

// inputNames are the input topics by kind.
var inputNames = map[join.Kind]string{
	join.Account: AccountTopic, join.Contact: ContactTopic, join.Note: NoteTopic, join.Customer: CustomerTopic,
}

// outputs are the output topics by number, with their schemas.
var outputs = [join.Topics]struct{ name, schema string }{
	join.View:      {ViewTopic, schemas.CustomerView},
	join.Ambiguous: {AmbiguousTopic, schemas.MatchAmbiguous},
	join.Unmatched: {UnmatchedTopic, schemas.MatchUnmatched},
}

// names are the full names of one org's topics.
type names struct {
	inputs     []string // by kind, the first one first
	outputs    [join.Topics]string
	deadLetter string
	control    string
}

func newNames(org string) names {
	n := names{deadLetter: topic.Name(org, DeadLetterTopic), control: topic.Name(org, ControlTopic)}
	for kind := join.Account; kind <= join.Customer; kind++ {
		n.inputs = append(n.inputs, topic.Name(org, inputNames[kind]))
	}
	for t, o := range outputs {
		n.outputs[t] = topic.Name(org, o.name)
	}
	return n
}

// kind returns which input a topic is, 0 when it is none.
func (n names) kind(topic string) join.Kind {
	for i, name := range n.inputs { // a reader's topics are these very strings: faster than a map
		if name == topic {
			return join.Account + join.Kind(i)
		}
	}
	return 0
}

// written are the topics that the matcher writes to.
func (n names) written() []string { return append(n.outputs[:], n.deadLetter) }

// read are the topics that the matcher follows.
func (n names) read() []string { return append(append([]string{}, n.inputs...), n.control) }

// split divides a position between the topics that the matcher follows and those that it writes to.
func (n names) split(p topic.Position) (inputs, outputs topic.Position) {
	inputs, outputs = topic.Position{}, topic.Position{}
	for name, offsets := range p {
		if n.kind(name) != 0 || name == n.control {
			inputs[name] = offsets
		} else {
			outputs[name] = offsets
		}
	}
	return inputs, outputs
}

// specs describe the topics for those that have to be made: compacted, tombstones kept for 96 hours (R2).
func (n names) specs(c Config) []topic.Spec {
	var out []topic.Spec
	for _, name := range append(n.read(), n.written()...) {
		out = append(out, topic.Spec{
			Name: name, Partitions: c.Partitions, Replication: c.Replication,
			Config: map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "345600000"},
		})
	}
	return out
}
