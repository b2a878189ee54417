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
	m.counts.Repaired++
	return m.publish(k, base, base, change.Meta{Op: change.OpRepair})
}
