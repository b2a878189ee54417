package handover

import (
	"fmt"
	"maps"
	"slices"

	"crosswalk/internal/change"
)

// entry of a topic: what a subscriber reads.
type published struct {
	key     Key
	version change.Version
	pos     int64
	asof    int64
	commit  int64
	values  []change.Value // nil: tombstone
	foreign bool           // written late by a former producer
}

// durable is what survives a crash of the producer.
type durable struct {
	topic    []published
	position Position
	pages    map[string]*job // what the position says of the bulk jobs
	disk     map[Key]Record  // the local copy
	reaches  int             // how far into the topic the local copy reaches
}

// job is a bulk query job of the org: pages with rows read at different moments (D2).
type job struct {
	pages []*page
}

type page struct {
	rows    []Row
	ready   bool
	applied bool
}

// wrong names the ways in which the driver, not a rule, can be wrong (D6).
type wrong struct {
	snapshotFirst, newAfterCrash, noRebuild bool
}

// producer drives a Machine as the runtime does, one incarnation at a time, and dies where the history says.
type producer struct {
	*durable
	w          *world
	c          *checker
	m          *Machine
	rules      rules
	wrong      wrong
	life       int // incarnation; what an older one started is ignored
	steps      int
	deaths     []int // steps at which it dies
	zombies    []int // steps at which it is stopped, and continued after another one took over
	cursor     int   // index of the next event of the bus
	subscribed bool
	busy       map[string]bool // what has been started and must not be started twice
	losses     int
	refusals   int
}

type death struct{}

// memory is the Records of the Machine: the local copy with what is not durable yet over it.
type memory struct {
	disk  map[Key]Record
	dirty map[Key]Record
}

func (r *memory) Load(k Key) (Record, error) {
	if rec, ok := r.dirty[k]; ok {
		return rec, nil
	}
	return r.disk[k], nil
}

func (r *memory) Store(k Key, rec Record) error {
	r.dirty[k] = rec
	return nil
}

func (r *memory) Contacts(account string) ([]string, error) {
	all := maps.Clone(r.disk)
	maps.Copy(all, r.dirty)
	var ids []string
	for k, rec := range all {
		if k.Entity == "Contact" && rec.State == Live && rec.Values[parentField] == change.StringValue(account) {
			ids = append(ids, k.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// guard runs one step of the current incarnation; a death in it starts the next one.
func (p *producer) guard(life int, do func()) {
	if life != p.life {
		return
	}
	defer func() {
		switch x := recover(); x.(type) {
		case nil:
		case death:
			p.c.note("death")
			p.life++
			p.subscribed = false
			p.w.after(p.w.between(0, 4000), p.start)
		default:
			panic(x)
		}
	}()
	do()
}

func (p *producer) after(d int64, do func()) {
	life := p.life
	p.w.after(d, func() { p.guard(life, do) })
}

// step is a moment at which the process can die.
func (p *producer) step() {
	p.steps++
	if slices.Contains(p.deaths, p.steps) {
		panic(death{})
	}
}

// start brings the next incarnation up: state from the topic or from the local copy, position from the store (H12).
func (p *producer) start() {
	life := p.life
	p.busy, p.subscribed = map[string]bool{}, false
	if p.w.chance(0.5) {
		p.disk, p.reaches = map[Key]Record{}, 0
	}
	foreign := p.catchUp()
	target, seen := int64(0), int64(0)
	for _, rec := range p.topic {
		seen = max(seen, rec.version.Epoch)
		if rec.version.Epoch >= p.position.Lineage {
			target = max(target, rec.pos)
		}
	}
	p.m = New(p.position, Config{Records: &memory{p.disk, map[Key]Record{}}, SkipMargin: 5000, Seen: seen, Target: target})
	p.m.rules = p.rules
	for _, s := range schemas {
		p.m.SetSchema(s)
	}
	p.guard(life, func() {
		for _, k := range p.w.keys {
			if rec, ok := foreign[k]; ok {
				must(p.m.Foreign(k, rec))
			}
		}
		p.subscribe(p.position.Lineage == 0)
	})
}

// catchUp brings the local copy up to the topic's end. A record of a lower version than one before it is answered.
func (p *producer) catchUp() map[Key]Record {
	foreign := map[Key]Record{}
	for _, e := range p.topic[p.reaches:] {
		rec := e.record()
		if old := p.disk[e.key]; rec.Version.Less(old.Version) {
			foreign[e.key] = rec
			continue
		} else if rec.Version == old.Version {
			continue
		}
		delete(foreign, e.key)
		p.disk[e.key] = rec
	}
	p.reaches = len(p.topic)
	return foreign
}

func (e published) record() Record {
	rec := Record{State: Live, Values: e.values, Version: e.version, Pos: e.pos, AsOf: e.asof, Commit: e.commit}
	if e.values == nil {
		rec.State = Deleted
	}
	return rec
}

// subscribe asks for the stream and, once it is acknowledged, goes on with the snapshots (H2).
func (p *producer) subscribe(first bool) {
	from := p.position.Resume()
	if p.subscribed {
		from = p.m.Renew()
		if p.m.CaughtUp() && p.position.ReplayID > 0 && p.w.chance(0.5) {
			from = p.position.ReplayID
		}
	}
	if p.wrong.noRebuild && p.position.ReplayID > 0 {
		from = p.position.ReplayID
	}
	if first {
		p.m.Begin(p.w.now)
		p.commit(nil)
	}
	if first || p.wrong.newAfterCrash && from == ReplayAll {
		from = ReplayNew
	}
	if from > 0 && p.refusals > 0 && p.w.chance(0.5) {
		p.refusals--
		p.w.first = max(p.w.first, p.visible()-p.w.rng.IntN(4))
	}
	if !first && p.purged(from) {
		p.c.lost()
		p.m.Lost(p.w.now, "replay id refused")
		p.store(nil)
		from = ReplayAll
	}
	if p.wrong.snapshotFirst && first {
		p.after(1, p.snapshots)
		p.after(p.w.between(200, 4000), func() { p.listen(from) })
		return
	}
	p.after(p.w.between(10, 300), func() {
		p.listen(from)
		p.snapshots()
	})
}

// purged reports whether events that a subscription from there would have to deliver are not retained any more: an id
// is refused, and T0 is known to be too old.
func (p *producer) purged(from int64) bool {
	if p.w.first == 0 || from == ReplayNew {
		return false
	}
	last := p.w.bus[p.w.first-1]
	return from > 0 && last.ReplayID > from || from == ReplayAll && last.CommitTimestamp >= p.position.T0-5000
}

// visible is the number of events that have reached the bus by now.
func (p *producer) visible() int {
	n := 0
	for n < len(p.w.bus) && p.w.bus[n].at <= p.w.now {
		n++
	}
	return n
}

// listen is the moment at which the subscription is acknowledged.
func (p *producer) listen(from int64) {
	p.m.Subscribed(from)
	p.c.note("subscribed from %d", from)
	switch from {
	case ReplayNew:
		p.cursor = p.visible()
	case ReplayAll:
		p.cursor = p.w.first
	default:
		p.cursor = 0
		for p.cursor < len(p.w.bus) && p.w.bus[p.cursor].ReplayID <= from {
			p.cursor++
		}
	}
	p.subscribed = true
	p.deliver()
}

// deliver hands over the next events of the bus, one to three at a time.
func (p *producer) deliver() {
	if p.cursor >= len(p.w.bus) {
		p.after(500, p.deliver)
		return
	}
	p.after(max(0, p.w.bus[p.cursor].at-p.w.now)+p.w.between(0, p.w.between(0, 3000)), func() {
		if p.m.First(p.w.bus[p.cursor].ReplayID) {
			p.step()
			p.position = p.m.Position()
		}
		for range 1 + p.w.rng.IntN(3) {
			if p.cursor < len(p.w.bus) && p.w.bus[p.cursor].at <= p.w.now {
				ev := p.w.bus[p.cursor].Event
				p.step()
				p.c.consumed(p.cursor, p.m, &ev)
				must(p.m.Event(&ev))
				p.cursor++
			}
		}
		p.commit(nil)
		if p.losses > 0 && p.w.chance(0.1) {
			p.losses--
			p.subscribe(false)
			return
		}
		p.deliver()
	})
}

// commit makes durable what the last step did, and starts what follows from it.
func (p *producer) commit(also func()) {
	p.store(also)
	p.follow()
}

// store publishes, stores the local copy, then the position, and may die between any two of them.
func (p *producer) store(also func()) {
	pubs := p.m.Publications()
	for i, pub := range pubs {
		p.steps++
		if slices.Contains(p.zombies, p.steps) {
			p.haunt(pubs[i:])
		}
		if slices.Contains(p.deaths, p.steps) {
			panic(death{})
		}
		p.publish(pub, false)
	}
	p.step()
	mem := p.m.records.(*memory)
	maps.Copy(mem.disk, mem.dirty)
	clear(mem.dirty)
	p.reaches = len(p.topic)
	p.step()
	if also != nil || p.w.chance(0.7) || p.position.Lineage != p.m.lineage {
		p.position = p.m.Position()
		if also != nil {
			also()
		}
		p.c.stored(p.position)
	}
}

// haunt stops the process before it has published the rest, and lets it go on after the next one has begun: its
// requests are refused (W2) or arrive late, and are then answered (W3).
func (p *producer) haunt(rest []Publication) {
	fenced := p.w.chance(0.5)
	p.w.after(p.w.between(4500, 12_000), func() {
		if !fenced {
			p.late(rest)
		}
	})
	panic(death{})
}

// late lets the requests of a former producer land, once the current one has begun to read its own topic.
func (p *producer) late(pubs []Publication) {
	if !p.subscribed {
		p.w.after(300, func() { p.late(pubs) })
		return
	}
	p.guard(p.life, func() {
		for _, pub := range pubs {
			p.publish(pub, true)
			must(p.m.Foreign(pub.Key, p.topic[len(p.topic)-1].record()))
		}
		p.commit(nil)
	})
}

func (p *producer) publish(pub Publication, foreign bool) {
	e := published{
		key: pub.Key, version: pub.Headers.Version, pos: pub.Headers.Pos, asof: pub.Headers.AsOf,
		commit: pub.Meta.CommitTimestamp, values: pub.Values, foreign: foreign,
	}
	p.topic = append(p.topic, e)
	p.c.published(e, pub.Meta)
}

// follow starts what the Machine wants: re-fetches and snapshots.
func (p *producer) follow() {
	if !p.subscribed {
		return
	}
	for _, entity := range []string{"Account", "Contact"} {
		if p.m.Waiting(entity) > 0 {
			p.after(p.w.between(10, 500), func() { p.fetch(entity) })
		}
	}
	if p.m.CaughtUp() {
		p.snapshots()
	}
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprint("handover: ", err))
	}
}
