package handover

import (
	"math/rand/v2"
	"testing"
)

// operator is the person of every other history: asks for records and for snapshots, and changes their mind. Its chance is
// its own, so that the histories are otherwise those without it.
type operator struct {
	*producer
	rng *rand.Rand
}

const askedByOperator = ReasonAsked + "of the operator"

// operate has the operator do something every few seconds while the org changes.
func (p *producer) operate(seed uint64) {
	if seed%2 == 0 {
		return
	}
	o := operator{p, rand.New(rand.NewPCG(seed, 77))}
	for at := start + o.rng.Int64N(8000); at < start+length; at += o.rng.Int64N(15_000) {
		p.w.after(at-p.w.now, func() {
			if p.m != nil && p.subscribed {
				p.guard(p.life, o.ask)
			}
		})
	}
}

func (o operator) ask() {
	entity := []string{"Account", "Contact"}[o.rng.IntN(2)]
	switch o.rng.IntN(3) {
	case 0:
		o.m.WantSnapshot(entity, askedByOperator)
	case 1:
		o.m.DropSnapshot(entity, askedByOperator)
		if _, open := o.m.Snapshots()[entity]; !open {
			delete(o.pages, entity)
		}
	default:
		for range 1 + o.rng.IntN(4) {
			o.m.Reread(o.w.keys[o.rng.IntN(len(o.w.keys))])
		}
	}
	o.c.note("the operator asks: %d records and %v", o.m.Rereading(), o.m.Snapshots())
	o.commit(nil)
}

func TestWhatIsAskedForNeverHidesAHole(t *testing.T) {
	t.Parallel()
	const person, other = ReasonAsked + "b1", ReasonAsked + "b2"
	for _, c := range []struct {
		name string
		do   func(*Machine)
		want *Snapshot
	}{
		{"wanted and dropped", func(m *Machine) { m.WantSnapshot("Account", person); m.DropSnapshot("Account", person) }, nil},
		{"another one's is kept", func(m *Machine) { m.WantSnapshot("Account", other); m.DropSnapshot("Account", person) }, &Snapshot{Phase: Wanted, Reason: other}},
		{"a hole joins", func(m *Machine) {
			m.WantSnapshot("Account", person)
			m.WantSnapshot("Account", "overflow event")
			m.DropSnapshot("Account", person)
		}, &Snapshot{Phase: Wanted, Reason: "overflow event"}},
		{"a hole is there", func(m *Machine) { m.WantSnapshot("Account", "overflow event"); m.WantSnapshot("Account", person) }, &Snapshot{Phase: Wanted, Reason: "overflow event"}},
		{"open and dropped", func(m *Machine) {
			m.WantSnapshot("Account", person)
			m.OpenSnapshot("Account", 50)
			m.DropSnapshot("Account", person)
		}, nil},
		{"open, a hole follows, dropped", func(m *Machine) {
			m.WantSnapshot("Account", person)
			m.OpenSnapshot("Account", 50)
			m.WantSnapshot("Account", "overflow event")
			m.WantSnapshot("Account", other)
			m.DropSnapshot("Account", person)
		}, &Snapshot{Phase: Wanted, Reason: "overflow event"}},
		{"open for a hole, asked for again, closed", func(m *Machine) {
			m.WantSnapshot("Account", "overflow event")
			m.OpenSnapshot("Account", 50)
			m.WantSnapshot("Account", person)
			m.CloseSnapshot("Account")
		}, &Snapshot{Phase: Wanted, Reason: person}},
		{"open for a hole, asked for again, dropped", func(m *Machine) {
			m.WantSnapshot("Account", "overflow event")
			m.OpenSnapshot("Account", 50)
			m.WantSnapshot("Account", person)
			m.DropSnapshot("Account", person)
		}, &Snapshot{Phase: Reading, Reason: "overflow event", AsOf: 50}},
		{"abandoned", func(m *Machine) {
			m.WantSnapshot("Account", person)
			m.OpenSnapshot("Account", 50)
			m.AbandonSnapshot("Account", "its job is gone")
		}, &Snapshot{Phase: Wanted, Reason: person, AsOf: 50}},
		{"abandoned with a hole behind it", func(m *Machine) {
			m.WantSnapshot("Account", person)
			m.OpenSnapshot("Account", 50)
			m.WantSnapshot("Account", "overflow event")
			m.AbandonSnapshot("Account", "its job is gone")
		}, &Snapshot{Phase: Wanted, Reason: "overflow event", AsOf: 50}},
	} {
		m := New(Position{Epoch: 1, Lineage: 1}, Config{Records: &memory{map[Key]Record{}, map[Key]Record{}}})
		for _, s := range schemas {
			m.SetSchema(s)
		}
		c.do(m)
		got, ok := m.Snapshots()["Account"]
		if ok != (c.want != nil) || ok && got != *c.want {
			t.Errorf("%s: %+v (%v), want %+v", c.name, got, ok, c.want)
		}
	}
}
