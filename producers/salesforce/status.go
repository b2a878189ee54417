package salesforce

import (
	"context"
	"fmt"
	"time"

	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
)

// Status is what a producer is doing, for the console and for progress bars.
type Status struct {
	Phase     string                    `json:"phase"` // stopped, starting, recovering, snapshot, streaming; polling when no entity has events; a process says "awaiting approval" in its place
	Snapshots map[string]SnapshotStatus `json:"snapshots,omitempty"`
	ReplayID  int64                     `json:"replay_id"` // of the stored position
	Epoch     int64                     `json:"epoch"`
	Counts    handover.Counts           `json:"counts"`
	Open      int                       `json:"open_records"`    // held in memory
	Waiting   int                       `json:"waiting_records"` // of these, waiting for a row
	Holes     int                       `json:"holes"`
	LastEvent time.Time                 `json:"last_event,omitzero"` // when one was last consumed; zero: none yet
	ReadTo    time.Time                 `json:"read_to,omitzero"`    // server time at which the stream was last known to be read to its end
	Columns   map[string][]string       `json:"columns,omitempty"`   // published now, by entity
	Notes     map[string]NoteStatus     `json:"notes,omitempty"`
	// Interrupted says that no events are received at the moment, and why; nil while they are. What heals at once is not told.
	Interrupted *Interruption `json:"interrupted,omitempty"`
	Budget      *BudgetStatus `json:"budget,omitempty"`
	// Polled are the entities without change events, by name.
	Polled map[string]PolledStatus `json:"polled,omitempty"`
	// Sweeps say when all ids were compared last, or that they are not, by entity.
	Sweeps map[string]string `json:"sweeps,omitempty"`
	// Calculated say as of when formulas and roll-ups are, by entity; none where there are no such fields.
	Calculated map[string]CalculatedStatus `json:"calculated,omitempty"`
	// LinkRefetched says that the link's field is one that events cannot carry, so that every event is followed by a read.
	LinkRefetched bool `json:"link_refetched"`
	// LinkUnreadable says that the link's field is none that the user may read, and what to do; empty when it is.
	LinkUnreadable string     `json:"link_unreadable,omitempty"`
	Backfills      []Backfill `json:"backfills,omitempty"` // those that are not over, and the last ones that are
}

// SnapshotStatus is how far a snapshot is.
type SnapshotStatus struct {
	Phase    handover.Phase `json:"phase"`
	Rows     int64          `json:"rows"`
	Expected int64          `json:"expected"` // 0 while Salesforce has not said
}

// PolledStatus says why an entity is polled, and how far.
type PolledStatus struct {
	Text    string    `json:"text"` // one sentence for people
	Why     string    `json:"why"`
	Advice  string    `json:"advice"`  // where to click
	Since   time.Time `json:"since"`   // when polling began
	Covered time.Time `json:"covered"` // every change saved by then is published
}

// CalculatedStatus says as of when the formulas and roll-ups of an entity are.
type CalculatedStatus struct {
	Fields []string  `json:"fields"`
	AsOf   time.Time `json:"as_of"` // when their last complete read began; zero: none has ended yet
}

// Interruption is a time in which the stream is not followed. Events wait in Salesforce meanwhile, for 72 hours.
type Interruption struct {
	Text  string    `json:"text"` // what Salesforce said, and what to do
	Since time.Time `json:"since"`
	Next  time.Time `json:"next"` // when it is tried again
}

// NoteStatus is how far the notes of one object are.
type NoteStatus struct {
	Ready     bool      `json:"ready"` // all were read once
	Published int64     `json:"published"`
	Covered   time.Time `json:"covered"` // everything up to it has been seen, says Salesforce
	// Failed is why the last poll could not be made, and what to do; empty when it was.
	Failed string `json:"failed,omitempty"`
}

// Status returns what the producer is doing. It is safe to call at any time.
func (p *Producer) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Await waits until the status is as wanted. It looks again whenever the status changes.
func (p *Producer) Await(ctx context.Context, wanted func(Status) bool) error {
	for {
		p.mu.Lock()
		status, changed := p.status, p.changed
		p.mu.Unlock()
		if wanted(status) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the producer of %s, which is %s: %w", p.org(), status.Phase, context.Cause(ctx))
		}
	}
}

// update changes the status. Maps in it are replaced, never written.
func (p *Producer) update(change func(*Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.status)
	close(p.changed)
	p.changed = make(chan struct{})
}

// observe brings status and metrics up to date.
func (l *loop) observe() {
	open, waiting := l.m.Open()
	snapshots := map[string]SnapshotStatus{}
	wanted := l.m.Snapshots()
	for name, s := range wanted {
		st := SnapshotStatus{Phase: s.Phase}
		if j := l.jobs[name]; j != nil {
			st.Rows, st.Expected = j.applied(), j.Expected
		}
		snapshots[name] = st
		l.cfg.Metrics.snapshotRows.WithLabelValues(name).Set(float64(st.Rows))
		l.cfg.Metrics.snapshotExpected.WithLabelValues(name).Set(float64(st.Expected))
	}
	holes := l.book.Real()
	columns := map[string][]string{}
	for name, e := range l.entities {
		columns[name] = sfapi.FieldNames(e.schema)
	}
	budget := l.governor.status()
	polled, sweeps, calculated := l.feedStatus()
	phase := "streaming"
	switch {
	case len(snapshots) > 0:
		phase = "snapshot"
	case len(polled) == len(entities):
		phase = "polling"
	}
	l.update(func(s *Status) {
		s.Columns, s.Budget, s.Polled, s.Sweeps, s.Calculated = columns, budget, polled, sweeps, calculated
		s.Phase, s.Snapshots, s.ReplayID, s.Epoch = phase, snapshots, l.stored.ReplayID, l.m.Epoch()
		s.Counts, s.Open, s.Waiting, s.Holes, s.LastEvent = l.m.Counts(), open, waiting, holes, l.lastEvent
		s.ReadTo = moment(l.m.At())
	})
	l.cfg.Metrics.openRecords.Set(float64(open))
	l.cfg.Metrics.holesOpen.Set(float64(holes))
	l.cfg.Metrics.positionAge.Set(time.Since(l.storedAt).Seconds())
	if l.stored.At > 0 {
		l.cfg.Metrics.replayAge.Set(max(0, float64(l.now()-l.stored.At)/1000))
	}
}
