package join

import "encoding/binary"

// Marks are what a Settle has to look at. A matcher that publishes has none left when it commits. One that stands by does
// not publish: it looks at what it has marked, too, and keeps the marks of outputs that the owner has not brought up to date
// yet. Those are part of its state, because without them a change that nobody has published would be forgotten.

var marksKey = []byte("marks")

// allMarks is kept instead of the marks when there are more than maxMarks: everything is looked at again.
const (
	maxMarks = 100_000
	allMarks = 0xff
)

// Check looks at up to n of the marked records and takes the marks away of those whose outputs are as they should be,
// without publishing anything. It returns how many marks are left. Now is in milliseconds.
func (e *Engine) Check(now int64, n int) (left int, err error) {
	e.ripen(now)
	s := settler{Engine: e}
	groups := e.dirtyGroups[:min(n, len(e.dirtyGroups))]
	var kept []uint32
	for _, g := range groups {
		s.differs = false
		if err := s.settleGroup(g); err != nil {
			return 0, err
		}
		if s.differs {
			kept = append(kept, g)
			continue
		}
		e.groups.at(g).dirty = false
		e.reapGroup(g)
	}
	e.dirtyGroups = append(e.dirtyGroups[:copy(e.dirtyGroups, e.dirtyGroups[len(groups):])], kept...)
	records := e.dirty[:min(n, len(e.dirty))]
	kept = kept[:0]
	for _, id := range records {
		s.differs = false
		if err := s.settleRecord(id, now); err != nil {
			return 0, err
		}
		if s.differs {
			kept = append(kept, id)
		} else {
			e.records.at(id).flags &^= dirty
			e.reap(id)
		}
		e.shed()
	}
	e.dirty = append(e.dirty[:copy(e.dirty, e.dirty[len(records):])], kept...)
	return len(e.dirty) + len(e.dirtyGroups), nil
}

// Marks is how many records and groups the next Settle has to look at.
func (e *Engine) Marks() int { return len(e.dirty) + len(e.dirtyGroups) }

// saveMarks adds the marks to a Commit.
func (w *logWriter) saveMarks() {
	var b []byte
	switch n := w.Marks(); {
	case n == 0 && !w.marksSaved:
		return
	case n > maxMarks:
		b = []byte{allMarks}
	default:
		for _, id := range w.dirty {
			b = append(b, byte(w.records.at(id).kind))
			key := w.key(id)
			b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
		}
		for _, g := range w.dirtyGroups {
			name := w.Engine.name(g)
			b = append(binary.AppendUvarint(append(b, 0), uint64(len(name))), name...)
		}
	}
	w.marksSaved = len(b) > 0
	w.set = append(w.set, Pair{marksKey, b})
}

// loadMarks makes the marks again that the log has.
func (e *Engine) loadMarks(s Store) error {
	b, _, err := s.Append(nil, marksKey)
	if err != nil || len(b) == 0 {
		return err
	}
	e.marksSaved = true
	if b[0] == allMarks {
		e.MarkAll()
		return nil
	}
	d := decoder{b: b}
	for len(d.b) > 0 {
		kind, name := Kind(d.byte()), d.bytes()
		if d.bad || kind > Customer {
			return errDamaged
		}
		if kind == 0 {
			e.markGroup(e.groupOf(name))
		} else {
			e.mark(e.place(kind, name))
		}
	}
	return nil
}
