package handover

// Purpose says why a record is asked for by Id although no event told of it.
type Purpose uint8

// The purposes, the most telling first: what a read finds counts for the first of those that asked for it.
const (
	ForRepair   Purpose = iota // H15: its events should have told, so a difference is an alarm
	ForSweep                   // the org does not list it any more: it was deleted for good
	ForPoll                    // its entity has no events: a difference is routine
	ForRefresh                 // a formula or roll-up has another value
	ForBackfill                // somebody asked for it
	purposes
)

// want is the purpose in a set of wants.
func (p Purpose) want() want { return wantPurpose << p }

// purpose returns the first purpose of a set; ok is false when it has none.
func (w want) purpose() (p Purpose, ok bool) {
	for ; p < purposes; p++ {
		if w.has(p.want()) {
			return p, true
		}
	}
	return 0, false
}

// ask is one purpose of one entity.
type ask struct {
	entity  string
	purpose Purpose
}

// Ask has a record read by Id; what differs is published. Nothing of the record waits for it.
func (m *Machine) Ask(k Key, p Purpose) {
	m.ask(k, m.opened(k), p.want())
}

// Reread has a record read because a person asked for it. What differs is published and counted as corrected: it is no
// alarm.
func (m *Machine) Reread(k Key) { m.Ask(k, ForBackfill) }

// Rereading returns how many records that Reread named are not resolved yet.
func (m *Machine) Rereading() (n int) {
	for a, records := range m.asked {
		if a.purpose == ForBackfill {
			n += records
		}
	}
	return n
}

// ask enqueues a record for the purposes in w, and counts it until it is resolved.
func (m *Machine) ask(k Key, o *open, w want) {
	m.enqueue(k, o, w|wantLook)
	for p := range purposes {
		if w.has(p.want()) && !o.asked.has(p.want()) {
			o.asked |= p.want()
			m.asked[ask{k.Entity, p}]++
		}
	}
}

// answered notes that what was asked about a record is resolved: read, and published if it differed.
func (m *Machine) answered(k Key, o *open) {
	for p := range purposes {
		if o.asked.has(p.want()) {
			m.asked[ask{k.Entity, p}]--
		}
	}
	o.asked = 0
}

// Asked returns how many records of the entity were asked for and are not resolved yet: neither read and published, nor
// told of by an event instead.
func (m *Machine) Asked(entity string, p Purpose) int { return m.asked[ask{entity, p}] }

// Found returns how many records of the entity were published because of what was asked for, since the Machine was made.
func (m *Machine) Found(entity string, p Purpose) int64 { return m.found[ask{entity, p}] }

// find counts publications that came of what was asked.
func (m *Machine) find(entity string, w want, published int64) {
	p, ok := w.purpose()
	if !ok || published == 0 {
		return
	}
	m.found[ask{entity, p}] += published
	switch p {
	case ForRepair:
		m.counts.Repaired += published
	case ForSweep:
		m.counts.Swept += published
	case ForPoll:
		m.counts.Polled += published
	case ForRefresh:
		m.counts.Refreshed += published
	case ForBackfill:
		m.counts.Corrected += published
	}
}

// orphans has the known Contacts of an Account looked at that a read found gone: no event tells of them when it was
// deleted for good (H17). They are asked for as the Account was.
func (m *Machine) orphans(account string, w want) error {
	contacts, err := m.records.Contacts(account)
	for _, id := range contacts {
		k := Key{"Contact", id}
		m.ask(k, m.opened(k), w&^(wantLook|wantRow))
	}
	return err
}
