package salesforce

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/state"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// loop is one life of a Producer: the goroutine that owns the Machine. Everything that happens to the org's records
// happens in it, one input after the other; whoever fetches (stream, job, re-fetch, poll) does so outside and hands over
// what came.
type loop struct {
	*Producer
	writer   *topic.Writer
	store    *state.Store
	m        *handover.Machine
	records  *records
	entities map[string]*entity
	codecs   map[int]*avro.RowCodec // by schema id
	fixed    fixedSchemas
	offsets  offsets
	refusals refusals
	// unflushed says that something beside rows was sent since the last flush.
	unflushed atomic.Bool
	badRows   atomic.Int64 // rows that were read and rejected
	governor  *governor

	inputs chan input
	group  *errgroup.Group
	ctx    context.Context // of what the loop starts

	stream      *stream
	jobs        map[string]*job // of the snapshots under way, by entity
	reading     map[string]int  // re-fetches in flight, by entity
	wantedAt    map[string]time.Time
	stored      handover.Position // as last written
	storedAt    time.Time
	due         bool                   // the position has to be written with the next commit
	moved       bool                   // a job has come further than the position says
	sent        []handover.Publication // of the step in hand
	arena       []byte                 // their values
	envelope    *envelope              // their keys and headers
	events      sfapi.EventReader
	fields      map[string]change.Value // of the event in hand
	named       naming                  // by the last event
	subscribed  bool
	lastEvent   time.Time    // when the last event was consumed
	clockSkew   atomic.Int64 // server's clock less ours, nanoseconds
	book        *hole.Book   // open holes
	rebuilt     bool         // the local state was of no use and is made anew
	unknown     unknownSchemas
	hollow      map[handover.Key]string // why, of stored records of which nothing can be read, as a start has found
	losses      []letter                // records of which the local state has nothing that can be read, found since the last input
	reread      []handover.Key          // records of holes that were read in the step in hand
	reconciler  reconciler
	left        inherited                 // by former processes
	hadColumns  map[string][]change.Field // that the last owner published, by entity
	describeNow chan string               // entities whose fields are to be looked at
	seen        meta                      // greatest epoch and positions in the topics

	feeds         map[string]*feed  // of every entity
	advice        map[string]string // what a person can do about an entity that is polled
	noChannel     string            // how the channel of all entities was refused; empty when it was not
	channelHint   string            // and what a person can do about that
	granted       int               // how often it was granted
	asksSelection atomic.Bool       // ask at once which entities are selected

	desk  *desk
	asked askedSnapshots
	link  string // Account field that holds the identifier: as activated, else as configured
}

// input is something that happened. asker is who waits until what follows from it is durable; nil when nobody does.
type input struct {
	do    func() error
	asker *asker
}

// asker waits for an input. Whoever sets taken first has it: the loop, which then tells done, or the asker, who gives up and
// to whom nothing that the input writes happens any more.
type asker struct {
	taken atomic.Bool
	done  chan error
}

// withdrawn reports whether nobody waits for the input any more; else it is begun.
func (in *input) withdrawn() bool { return in.asker != nil && in.asker.taken.Swap(true) }

// submit hands an input to the loop and does not wait for it. Inputs of one goroutine are taken in their order.
func (l *loop) submit(ctx context.Context, fn func() error) error {
	select {
	case l.inputs <- input{do: fn}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// do hands an input to the loop and waits until what follows from it is durable. When ctx ends before the loop has begun
// with it, it never happens; afterwards its end is waited for, so that nothing it shares with the caller is in use.
func (l *loop) do(ctx context.Context, fn func() error) error {
	a := &asker{done: make(chan error, 1)}
	select {
	case l.inputs <- input{fn, a}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
	}
	if a.taken.Swap(true) {
		return <-a.done
	}
	return context.Cause(ctx)
}

// tick is how often the loop looks at what is due.
const tick = 100 * time.Millisecond

// observeEvery is how many ticks lie between two looks at status and metrics.
const observeEvery = 20

// fewOpen is up to how many open records a look costs nothing, so that it is had at every tick.
const fewOpen = 5000

// run brings the state up, starts what fetches, and takes inputs until ctx ends or something fails.
func (l *loop) run(ctx context.Context) error {
	l.group, l.ctx = errgroup.WithContext(ctx)
	l.governor = l.newGovernor()
	control, err := l.begin(l.ctx)
	if err != nil {
		return err
	}
	l.group.Go(func() error { return l.live(l.ctx) })
	l.group.Go(func() error { return control.run(l.ctx) })
	l.group.Go(func() error { return l.governor.run(l.ctx) })
	l.group.Go(func() error { return l.watchEnds(l.ctx) })
	l.group.Go(func() error { return l.stream.run(l.ctx) })
	clerk := &clerk{loop: l}
	if len(l.cfg.Notes.Objects) > 0 {
		clerk.notes = newNotes(l)
		l.group.Go(func() error { return clerk.notes.run(l.ctx) })
	}
	l.group.Go(func() error { return clerk.run(l.ctx) })
	err = l.group.Wait()
	if ctx.Err() == nil || errors.Is(err, topic.ErrFenced) {
		return err
	}
	return nil
}

// live takes inputs.
func (l *loop) live(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	ticks := 0
	for {
		select {
		case in := <-l.inputs:
			if err := l.take(ctx, in); err != nil {
				return err
			}
		case <-ticker.C:
			if err := l.commit(ctx); err != nil {
				return err
			}
			if ticks++; ticks%observeEvery == 0 || l.m.Held() < fewOpen {
				l.observe()
			}
		case <-ctx.Done():
			return nil
		}
		if err := l.follow(ctx); err != nil {
			return err
		}
	}
}

// groupLimit is up to how many records change, or are published, before they are made durable. They are in memory so long,
// some two kilobytes each, and a group is long enough for full batches.
const groupLimit = 2500

// take applies an input and those that wait behind it, and makes them durable together.
func (l *loop) take(ctx context.Context, in input) error {
	var group []*asker
	begin := func(in input) error {
		if in.withdrawn() {
			return nil
		}
		if in.asker != nil {
			group = append(group, in.asker)
		}
		if err := in.do(); err != nil {
			return err
		}
		return l.send(ctx)
	}
	err := begin(in)
	for more := true; more && err == nil && max(len(l.records.step), len(l.sent)) < groupLimit; {
		select {
		case in := <-l.inputs:
			err = begin(in)
		default:
			more = false
		}
	}
	if err == nil {
		err = l.commit(ctx)
	}
	for _, a := range group {
		a.done <- err
	}
	return err
}

// positionEvery is how long a position may wait to be written; a crash repeats that much.
const positionEvery = time.Second

// commit makes what the last inputs changed durable, in the order of H1: published and acknowledged, then the records,
// then the position.
func (l *loop) commit(ctx context.Context) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	if err := l.storePosition(ctx, false); err != nil {
		return err
	}
	l.closeHoles(ctx)
	return nil
}

// send publishes what the inputs so far have made, and leaves the acknowledgements to settle.
func (l *loop) send(ctx context.Context) error {
	pubs := l.m.Publications()
	for i := range pubs {
		if err := l.publish(ctx, &pubs[i]); err != nil {
			return err
		}
	}
	l.sent = append(l.sent, pubs...)
	return nil
}

// settle publishes, waits for the acknowledgements, and commits the records.
func (l *loop) settle(ctx context.Context) error {
	if err := l.send(ctx); err != nil {
		return err
	}
	if l.unflushed.Swap(false) || len(l.sent) > 0 {
		if err := l.flush(ctx); err != nil {
			return err
		}
		l.lag(l.sent)
	}
	if err := l.settleRefusals(ctx); err != nil {
		return err
	}
	if l.book.Real() > 0 {
		if err := l.taken(ctx, l.sent); err != nil {
			return err
		}
	}
	err := l.save()
	clear(l.sent)
	l.sent, l.arena = l.sent[:0], l.arena[:0]
	l.envelope.reset()
	return err
}

// save commits what the step changed to the local state, with the offsets that it reflects.
func (l *loop) save() error {
	defer l.records.forget()
	if !l.records.changed() {
		return nil
	}
	batch := l.store.NewBatch()
	l.records.flush(batch)
	if err := l.putMeta(batch); err != nil {
		batch.Discard()
		return err
	}
	return batch.Commit()
}

// storePosition writes the position when it has changed: at once when a restart must find it, else about once a
// second. It must not be called between two events of a delivery.
func (l *loop) storePosition(ctx context.Context, now bool) error {
	if now { // inputs before this one may not be durable yet
		if err := l.settle(ctx); err != nil {
			return err
		}
	}
	if !now && !l.due && time.Since(l.storedAt) < positionEvery {
		return nil
	}
	if err := l.tellHoles(ctx); err != nil {
		return err
	}
	p := l.m.Position()
	if !now && !l.due && !l.moved && p.Equal(l.stored) && time.Since(l.storedAt) < time.Minute {
		return nil
	}
	if err := l.writePosition(ctx, p); err != nil {
		return err
	}
	l.stored, l.storedAt, l.due, l.moved = p, time.Now(), false, false
	return nil
}

// now is the server's clock, as far as it is known without asking.
func (l *loop) now() int64 { return time.Now().Add(time.Duration(l.clockSkew.Load())).UnixMilli() }
