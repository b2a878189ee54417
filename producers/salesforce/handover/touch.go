package handover

// touch remembers which parts of a record events wrote, each with the replay id of the last such event. One touch
// serves every open window of the record: a window sees the events that follow, in the stream, what had been consumed
// when it was opened (H4), by this process or a former one. An event that was consumed before and is delivered again does
// not count: what the read shows is newer.
type touch struct {
	fields []fieldTouch
	whole  int64 // last CREATE or UNDELETE
	gone   int64 // last DELETE or GAP_DELETE
}

type fieldTouch struct {
	field    int
	replayID int64
}

func (t *touch) field(i int, replayID int64) {
	for j := range t.fields {
		if t.fields[j].field == i {
			t.fields[j].replayID = max(t.fields[j].replayID, replayID)
			return
		}
	}
	t.fields = append(t.fields, fieldTouch{i, replayID})
}

// touched is the touched set of one window: what events after replay id since wrote to the record.
type touched struct {
	t     *touch // nil when nothing is remembered
	since int64
}

// gone is the set "-": the record was deleted in the window and not brought back.
func (t touched) gone() bool {
	return t.t != nil && t.t.gone > t.since && t.t.gone > t.t.whole
}

// whole is the set "*": the record was created or undeleted in the window and not deleted after.
func (t touched) whole() bool {
	return t.t != nil && t.t.whole > t.since && t.t.whole > t.t.gone
}

// field reports whether field i, one that events can carry, is in the set.
func (t touched) field(i int) bool {
	if t.t == nil {
		return false
	}
	if t.whole() {
		return true
	}
	for _, f := range t.t.fields {
		if f.field == i {
			return f.replayID > t.since
		}
	}
	return false
}

// reached returns the replay id up to which the stream was consumed, by this process or a former one: a read that starts
// now shows what these events did (S2), also those that are still to be read again.
func (m *Machine) reached() int64 { return max(m.high, m.target) }
