package handover

import (
	"container/heap"
	"fmt"
	"math/rand/v2"

	"crosswalk/internal/change"
)

// world is the simulated org (D1) with its event bus, and the clock of the whole history. Everything that happens is
// drawn from one seed.
type world struct {
	rng     *rand.Rand
	now     int64
	queue   agenda
	ticket  int
	org     map[Key]*orgRecord
	keys    []Key // in the order of creation
	bus     []busEvent
	first   int   // index of the oldest event still retained
	replay  int64 // of the newest event
	counter int64 // every value written is another one
	plan    plan
}

// plan says what a history contains.
type plan struct {
	gaps, overflows, wildcards, drops, failures float64
	crashes, zombies, losses, refusals          int
}

// orgRecord is one record of the org with all that it ever was.
type orgRecord struct {
	live    bool
	values  []change.Value
	locked  int64 // until then no other transaction may change it
	history []version
}

// version is what one commit made of a record.
type version struct {
	live    bool
	values  []change.Value
	fields  []int // what the commit wrote; nil: all
	bus     int   // index of the event that tells it; −1: the record was there before
	dropped bool  // no event tells it
	covered bool  // only a new snapshot tells it: overflow, wildcard
}

type busEvent struct {
	change.Event
	at int64 // when it can be delivered at the earliest
}

type entry struct {
	at     int64
	ticket int
	do     func()
}

type agenda []entry

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].ticket < a[j].ticket
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any {
	old := *a
	e := old[len(old)-1]
	*a = old[:len(old)-1]
	return e
}

var schemas = map[string]*change.Schema{}

func init() {
	for _, entity := range []string{"Account", "Contact"} {
		schemas[entity] = change.NewSchema(entity, []change.Field{
			{Name: "A", Type: change.TypeInt},
			{Name: "B", Type: change.TypeInt},
			{Name: "C", Type: change.TypeInt},
			{Name: "Parent", Type: change.TypeString},
			{Name: "SystemModstamp", Type: change.TypeDatetime, ReadOnly: true},
		})
	}
}

const (
	parentField = 3
	stampField  = 4
	start       = int64(1_000_000_000)
	length      = int64(60_000)
)

func newWorld(seed uint64, p plan) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), now: start, org: map[Key]*orgRecord{}, plan: p, replay: 100}
	for range 2 + w.rng.IntN(12) {
		k := w.newKey()
		r := w.org[k]
		r.live, r.values = true, w.freshValues(k)
		r.values[stampField] = change.DatetimeValue(start - 100_000)
		r.history = []version{{live: true, values: r.values, bus: -1}}
	}
	return w
}

func (w *world) newKey() Key {
	entity := "Account"
	if w.rng.IntN(2) == 0 {
		entity = "Contact"
	}
	k := Key{entity, fmt.Sprintf("%s%02d", map[string]string{"Account": "001", "Contact": "003"}[entity], len(w.keys))}
	w.keys = append(w.keys, k)
	w.org[k] = &orgRecord{}
	return k
}

func (w *world) after(d int64, do func()) {
	w.ticket++
	heap.Push(&w.queue, entry{w.now + d, w.ticket, do})
}

// between draws from [low, high].
func (w *world) between(low, high int64) int64 { return low + w.rng.Int64N(high-low+1) }

func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

func (w *world) freshValue(field int) change.Value {
	if w.chance(0.2) {
		return change.NullValue()
	}
	if field == parentField {
		if k := w.keys[w.rng.IntN(len(w.keys))]; k.Entity == "Account" {
			return change.StringValue(k.ID)
		}
	}
	w.counter++
	if field == parentField {
		return change.StringValue(fmt.Sprint("x", w.counter))
	}
	return change.IntValue(w.counter)
}

func (w *world) freshValues(Key) []change.Value {
	out := make([]change.Value, len(schemas["Account"].Fields))
	for i := range stampField {
		out[i] = w.freshValue(i)
	}
	return out
}

// live starts the life of the org: transactions until the end of its time.
func (w *world) live() {
	w.after(w.between(20, 2500), func() {
		if w.now < start+length {
			w.transact()
			w.live()
		}
	})
}

// change of one record within a transaction.
type mutation struct {
	key    Key
	kind   change.EventType
	fields []int
	values []change.Value // by field
}

// transact saves changes of one or several records now, and commits them up to 40 seconds later. The records stay
// locked in between.
func (w *world) transact() {
	delay := w.between(0, 300)
	if w.chance(0.15) {
		delay = w.between(300, 40_000)
	}
	var muts []mutation
	if w.chance(0.12) {
		k := w.newKey()
		muts = append(muts, mutation{key: k, kind: change.Create, values: w.freshValues(k)})
	}
	for range 1 + w.rng.IntN(2) {
		if mu, ok := w.draw(); ok {
			muts = append(muts, mu...)
		}
	}
	saved := w.now / 1000 * 1000
	for _, mu := range muts {
		w.org[mu.key].locked = w.now + delay + 1
	}
	if len(muts) > 0 {
		w.after(delay, func() { w.commit(muts, saved) })
	}
}

// draw picks unlocked records and what happens to them: the same kind of change for each, as one event may tell it.
func (w *world) draw() ([]mutation, bool) {
	k := w.keys[w.rng.IntN(len(w.keys))]
	r := w.org[k]
	if r.locked > w.now || r.history == nil {
		return nil, false
	}
	r.locked = w.now + 1
	if !r.live {
		return []mutation{{key: k, kind: change.Undelete}}, w.chance(0.6)
	}
	if w.chance(0.15) {
		return append([]mutation{{key: k, kind: change.Delete}}, w.cascade(k)...), true
	}
	mu := mutation{key: k, kind: change.Update, values: make([]change.Value, stampField)}
	for i := range stampField {
		if w.chance(0.4) || i == stampField-1 && mu.fields == nil {
			mu.fields = append(mu.fields, i)
			mu.values[i] = w.freshValue(i)
		}
	}
	out := []mutation{mu}
	if other := w.keys[w.rng.IntN(len(w.keys))]; w.chance(0.2) && other != k && other.Entity == k.Entity {
		if o := w.org[other]; o.live && o.locked <= w.now {
			o.locked = w.now + 1
			second := mu
			second.key = other
			out = append(out, second)
		}
	}
	return out, true
}

// cascade deletes the Contacts of a deleted Account with it, half of the time.
func (w *world) cascade(account Key) []mutation {
	var out []mutation
	if account.Entity != "Account" || w.chance(0.5) {
		return nil
	}
	for _, k := range w.keys {
		r := w.org[k]
		if k.Entity == "Contact" && r.live && r.locked <= w.now && r.values[parentField] == change.StringValue(account.ID) {
			r.locked = w.now + 1
			out = append(out, mutation{key: k, kind: change.Delete})
		}
	}
	return out
}

// commit makes a transaction visible and puts its events on the bus.
func (w *world) commit(muts []mutation, saved int64) {
	for len(muts) > 0 {
		n := 1
		for n < len(muts) && muts[n].kind == muts[0].kind && muts[n].key.Entity == muts[0].key.Entity &&
			muts[n].kind != change.Create && muts[n].kind != change.Undelete && (muts[0].kind == change.Delete || &muts[n].values[0] == &muts[0].values[0]) {
			n++
		}
		w.emit(muts[:n], saved)
		muts = muts[n:]
	}
}

func (w *world) emit(muts []mutation, saved int64) {
	ev := change.Event{Entity: muts[0].key.Entity, Type: muts[0].kind, CommitTimestamp: w.now / 1000 * 1000}
	mark := version{bus: len(w.bus)}
	switch {
	case w.chance(w.plan.drops):
		mark.dropped, mark.bus = true, -1
	case w.chance(w.plan.overflows):
		mark.covered = true
		ev.Type, ev.RecordIDs = change.GapOverflow, []string{EmptyID}
	case w.chance(w.plan.wildcards):
		mark.covered = true
		ev.Type, ev.RecordIDs = change.Update, []string{"001*"}
	case w.chance(w.plan.gaps):
		ev.Type = "GAP_" + ev.Type
	}
	for _, mu := range muts {
		w.apply(mu, mark, saved)
		if !mark.covered {
			ev.RecordIDs = append(ev.RecordIDs, mu.key.ID)
		}
	}
	w.carry(&ev, muts[0])
	if mark.dropped {
		return
	}
	w.replay += w.between(1, 4)
	ev.ReplayID = w.replay
	at := w.now + w.between(0, 1500)
	if n := len(w.bus); n > 0 {
		at = max(at, w.bus[n-1].at)
	}
	w.bus = append(w.bus, busEvent{ev, at})
}

func (w *world) apply(mu mutation, mark version, saved int64) {
	r := w.org[mu.key]
	v := mark
	r.values = append([]change.Value(nil), r.values...)
	switch mu.kind {
	case change.Create:
		r.live, r.values = true, append([]change.Value(nil), mu.values...)
	case change.Undelete:
		r.live = true
	case change.Delete:
		r.live = false
	case change.Update:
		v.fields = mu.fields
		for _, f := range mu.fields {
			r.values[f] = mu.values[f]
		}
	}
	r.values[stampField] = change.DatetimeValue(saved)
	v.live, v.values = r.live, r.values
	r.history = append(r.history, v)
}

// carry fills the event's fields as Salesforce does (S5).
func (w *world) carry(ev *change.Event, mu mutation) {
	ev.Fields = map[string]change.Value{}
	s := schemas[ev.Entity]
	switch ev.Type {
	case change.Create, change.Undelete:
		for i, v := range w.org[mu.key].values[:stampField] {
			if !v.IsNull() {
				ev.Fields[s.Fields[i].Name] = v
			}
		}
	case change.Update:
		for _, f := range mu.fields {
			if ev.RecordIDs[0] != "001*" {
				ev.Fields[s.Fields[f].Name] = mu.values[f]
				ev.ChangedFields = append(ev.ChangedFields, s.Fields[f].Name)
			}
		}
	}
}

// read returns the row of a record as a query at this moment shows it.
func (w *world) read(k Key) Row {
	r := w.org[k]
	if r == nil || !r.live {
		return Row{ID: k.ID, Gone: true}
	}
	return Row{ID: k.ID, Values: append([]change.Value(nil), r.values...)}
}
