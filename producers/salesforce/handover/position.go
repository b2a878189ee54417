package handover

import "maps"

// Replay ids with a meaning of their own.
const (
	ReplayNew = -1 // new events only
	ReplayAll = -2 // all retained events
)

// Position is how far the stream is published, and what is owed. It is stored as one value, after what it stands for
// is acknowledged (H1).
type Position struct {
	Epoch     int64 // of the producer that stored it
	Lineage   int64 // the epoch with which the numbering of ReplayID began
	ReplayID  int64 // every effect of every event up to it is in the topics; 0: none yet, T0 is the anchor (H3)
	High      int64 // greatest replay id consumed; what a page brought may wait for a re-fetch of an event up to it
	Seen      int64 // greatest replay id of the lineage whose overflows and wildcards are among Snapshots
	First     int64 // first event of a subscription to new events, 0 if unknown: what is before it is in the reads
	T0        int64 // server time before the lineage's first subscription, epoch milliseconds
	AsOf      int64 // start of the newest read
	Commit    int64 // commit time of the event of ReplayID, epoch milliseconds; 0: unknown
	At        int64 // server time up to which nothing would be missed if the stream were read from Resume
	Snapshots map[string]Snapshot
}

// Resume returns the replay id to subscribe from after a restart: the position, or where the oldest open window
// began, so that the touched sets are rebuilt (H12). Without either it is ReplayAll, and ReplayNew never again (H3).
func (p Position) Resume() int64 {
	from := p.ReplayID
	for _, s := range p.Snapshots {
		if s.Phase != Wanted {
			from = min(from, s.Anchor)
		}
	}
	if from == 0 {
		return ReplayAll
	}
	return from
}

// Renew returns the replay id to subscribe from again when a connection is lost: what was consumed is in memory, also
// what is not published yet. It is one event back, because events may share a replay id. The Position would not do:
// while a former process's events are read again it is ahead of what the touched sets hold.
func (m *Machine) Renew() int64 {
	switch {
	case m.high == 0:
		return ReplayAll
	case m.prev == 0:
		return m.high
	}
	return m.prev
}

// Expired reports whether the stream can no longer be proved to reach back to where Resume would read from, when it is
// retained for retention milliseconds (S4).
func (p Position) Expired(now, retention int64) bool {
	return p.Lineage != 0 && now-max(p.At, p.T0) > retention
}

// Position returns what may be stored once everything published so far is acknowledged and the records are stored. It
// must be asked for between deliveries, never inside one: events of one delivery may share a replay id.
func (m *Machine) Position() Position {
	p := Position{
		Epoch: m.epoch, Lineage: m.lineage, High: max(m.high, m.target), Seen: m.seen, First: m.first, T0: m.t0, AsOf: m.clock, At: m.at, Snapshots: m.Snapshots(),
	}
	for len(m.holds) > 0 && m.holds[0].released {
		m.holds = m.holds[1:]
	}
	published := m.last
	if len(m.holds) > 0 {
		published = m.holds[0].position
	}
	m.floor = max(m.floor, published)
	p.ReplayID, p.Commit = m.floor, m.commitOf(m.floor)
	for _, s := range p.Snapshots {
		if s.Phase != Wanted {
			p.At = min(p.At, s.AsOf)
		}
	}
	return p
}

// ReadTo says that at the server time at the stream was read to its end.
func (m *Machine) ReadTo(at int64) { m.at = max(m.at, at) }

// At returns the server time at which the stream was last known to be read to its end, whatever is open.
func (m *Machine) At() int64 { return m.at }

// Equal reports whether two positions say the same, apart from At.
func (p Position) Equal(q Position) bool {
	return p.Epoch == q.Epoch && p.Lineage == q.Lineage && p.ReplayID == q.ReplayID && p.First == q.First && p.T0 == q.T0 &&
		maps.Equal(p.Snapshots, q.Snapshots)
}
