package handover

// Refusal is what is known when Salesforce refuses a replay id. All times are the server's, epoch milliseconds.
type Refusal struct {
	ReplayID  int64 // the refused one
	Commit    int64 // commit time of its event; 0: unknown
	At        int64 // when the stream was last known to be read to its end
	Open      bool  // a window is open, or an event's effect is not published: events of before At are needed, too
	Now       int64
	Retention int64 // how long events are kept (S4), milliseconds
	Proof     int64 // how old At may be, milliseconds: far less than Retention
}

// Harmless reports whether nothing was lost: the id's event is no longer kept only because of its age, H15 has proved since that the
// stream was read to its end, and all that came later is still kept. The position is then as usable as if it were the id
// before the oldest event that is kept. Whatever is not known counts against it (H10).
func (r Refusal) Harmless() bool {
	aged := r.ReplayID > 0 && r.Commit > 0 && r.Now-r.Commit > r.Retention
	proven := r.At > r.Commit && r.At <= r.Now && r.Now-r.At <= r.Proof
	return aged && proven && !r.Open && r.Proof < r.Retention
}

// Refused tells the Machine that Salesforce refused a replay id, and reports whether the position may be kept: all retained events
// are to be asked for then. Else it has to be given up by Lost.
func (m *Machine) Refused(replayID, now, retention, proof int64) (keep bool) {
	r := Refusal{
		ReplayID: replayID, Commit: m.commitOf(replayID), At: m.at, Now: now, Retention: retention, Proof: proof,
		Open: len(m.snapshots) > 0 || m.holding() || m.target > m.high,
	}
	if keep = r.Harmless(); keep {
		m.silent = replayID
	}
	return keep
}

// Contradicts must be told the replay id that begins a delivery, before its events. It reports whether the id shows that a position
// that was kept is none of this stream: an event up to it is still there, or numbers began anew. The position has to be given up.
func (m *Machine) Contradicts(replayID int64) bool {
	if m.silent == 0 {
		return false
	}
	wrong := replayID <= m.silent
	m.silent = 0
	return wrong
}

// holding reports whether an event's effect is not published yet.
func (m *Machine) holding() bool {
	for _, h := range m.holds {
		if !h.released {
			return true
		}
	}
	return false
}

// commitOf returns the commit time of an event that was consumed lately, 0 when it is not known.
func (m *Machine) commitOf(replayID int64) int64 {
	switch {
	case replayID <= 0:
		return 0
	case replayID == m.last:
		return m.lastCommit
	case replayID == m.prev:
		return m.prevCommit
	case replayID == m.high:
		return m.highCommit
	}
	return 0
}
