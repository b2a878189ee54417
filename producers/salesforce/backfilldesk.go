package salesforce

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// desk holds what people asked to be read again: what was asked for (the control topic), and what became of it (the
// position topic). The clerk works through it, one backfill at a time.
type desk struct {
	mu     sync.Mutex
	asked  map[string]*request
	states map[string]*Backfill
	steers map[steer]steer // the newest of each kind about each backfill; its key has no time
	fresh  bool            // something was steered that changes has not looked at
	stop   context.CancelCauseFunc
	doing  string // the backfill at work
	woken  chan struct{}
}

func newDesk() *desk {
	return &desk{asked: map[string]*request{}, states: map[string]*Backfill{}, steers: map[steer]steer{}, woken: make(chan struct{}, 1)}
}

// errSteered ends the work on a backfill that somebody has paused or cancelled.
var errSteered = errors.New("the backfill was paused or cancelled")

func (d *desk) wake() {
	select {
	case d.woken <- struct{}{}:
	default: // it is awake
	}
}

// ask takes a request. One with an id that is known changes nothing.
func (d *desk) ask(q *request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked[q.id] == nil && q.id != "" {
		d.asked[q.id] = q
		d.wake()
	}
}

// forget drops a request that was withdrawn. What became of it is forgotten by the clerk, when nothing more becomes of it.
func (d *desk) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b := d.states[id]; b != nil && !b.State.Over() {
		return // it is withdrawn by a cancellation only
	}
	delete(d.asked, id)
	maps.DeleteFunc(d.steers, func(_, s steer) bool { return s.backfill == id })
	d.wake()
}

// withdrawn takes the backfills off the desk that are over and that nobody asks for any more.
func (d *desk) withdrawn() (ids []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, b := range d.states {
		if d.asked[id] == nil && b.State.Over() {
			ids = append(ids, id)
			delete(d.states, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// steer takes a pause, resume or cancel, and interrupts the work that it is about.
func (d *desk) steer(s steer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	subject := steer{kind: s.kind, backfill: s.backfill}
	if s.at.After(d.steers[subject].at) {
		d.steers[subject], d.fresh = s, true
	}
	if b := d.states[d.doing]; b != nil && d.stop != nil {
		after := *b
		if after.obey([]steer{s}) && after.State != b.State {
			d.stop(errSteered)
		}
	}
	d.wake()
}

// changes returns the backfills that are new or that somebody steered since the last call, as they are now.
func (d *desk) changes() []*Backfill {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fresh = false
	steers := slices.Collect(maps.Values(d.steers))
	var out []*Backfill
	for id, q := range d.asked {
		b, known := d.states[id]
		if !known {
			b = q.backfill()
			d.states[id] = b
		}
		if b.obey(steers) || !known {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, older)
	return out
}

func older(a, b *Backfill) int {
	return cmp.Or(a.RequestedAt.Compare(b.RequestedAt), cmp.Compare(a.ID, b.ID))
}

// next returns the oldest backfill that can be worked on, with a context that ends when somebody steers it; nil when
// there is none, or when changes has to be asked first.
func (d *desk) next(ctx context.Context) (*Backfill, *request, context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fresh {
		return nil, nil, nil
	}
	var first *Backfill
	for id, b := range d.states {
		if d.asked[id] == nil || b.State != BackfillWaiting && b.State != BackfillRunning {
			continue
		}
		if first == nil || older(b, first) < 0 {
			first = b
		}
	}
	if first == nil {
		return nil, nil, nil
	}
	ctx, d.stop = context.WithCancelCause(ctx)
	d.doing = first.ID
	return first, d.asked[first.ID], ctx
}

// done ends the work that next began.
func (d *desk) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop(nil)
	d.stop, d.doing = nil, ""
}

// request returns what was asked for under an id.
func (d *desk) request(id string) *request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[id]
}

// paused returns the backfills that are paused.
func (d *desk) paused() (out []*Backfill) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.states {
		if b.State == BackfillPaused {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, older)
	return out
}

// alter changes a backfill's state, which others may be looking at.
func (d *desk) alter(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// shownBackfills is how many of those that are over a status shows.
const shownBackfills = 10

// show returns copies of those that are not over and of the last ones that are, oldest first.
func (d *desk) show() []Backfill {
	d.mu.Lock()
	defer d.mu.Unlock()
	var open, over []*Backfill
	for _, b := range d.states {
		if b.State.Over() {
			over = append(over, b)
		} else {
			open = append(open, b)
		}
	}
	slices.SortFunc(over, older)
	open = append(open, over[max(0, len(over)-shownBackfills):]...)
	slices.SortFunc(open, older)
	out := make([]Backfill, 0, len(open))
	for _, b := range open {
		c := *b
		c.Parts, c.Notes = slices.Clone(b.Parts), slices.Clone(b.Notes)
		out = append(out, c)
	}
	return out
}
