package handover

import "crosswalk/internal/change"

// Foreign answers a record of another producer that was found in the topic after a record of a higher version of the
// same key: the current state is published again with a higher rev (W3). Of a key that was not known the record is
// adopted and read again, since an event of it may already have passed.
func (m *Machine) Foreign(k Key, seen Record) error {
	base, err := m.load(k)
	if err != nil {
		return err
	}
	if base.State == Unknown {
		seen.Pos, seen.AsOf, seen.Lineage = 0, 0, m.lineage
		if seen.State == Live {
			m.Ask(k, ForRepair)
		}
		return m.records.Store(k, seen)
	}
	if base.State == Live && base.Values == nil { // what the topic had before cannot be read either
		m.Require(k)
		return nil
	}
	m.counts.Repaired++
	return m.publish(k, base, base, change.Meta{Op: change.OpRepair})
}

// Damaged answers a record that was found in the topic and cannot be read; seen is its version as far as it tells. What is
// stored is published again, above that version. Of a record of which nothing is known, nothing is published before it
// is read, but then in any case: a tombstone, too. It reports whether the answer is published.
func (m *Machine) Damaged(k Key, seen change.Version) (answered bool, err error) {
	base, err := m.load(k)
	if err != nil {
		return false, err
	}
	if base.Version.Less(seen) {
		base.Version = seen
	}
	if base.State == Unknown || base.State == Live && base.Values == nil {
		base.State, base.Refused = Live, true
		m.Require(k)
		return false, m.records.Store(k, base)
	}
	m.counts.Repaired++
	return true, m.publish(k, base, base, change.Meta{Op: change.OpRepair})
}
