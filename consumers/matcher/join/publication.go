package join

import "crosswalk/internal/change"

// Topic names one of the three outputs.
type Topic uint8

// The output topics.
const (
	View Topic = iota
	Ambiguous
	Unmatched
	Topics // their number
)

// Output is one record to publish. Its slices are valid only during the call that hands it over.
type Output struct {
	Topic   Topic
	Key     []byte
	Value   []byte // nil for a tombstone
	Version change.Version
}

// Publisher takes what is to be published, in order.
type Publisher interface {
	Publish(Output) error
	// Await returns when everything published so far is acknowledged (R28).
	Await() error
}

// publication is what is published under one key: a digest instead of the bytes, to tell whether a value differs (R27).
type publication struct {
	digest digest
	rev    uint32
	block  uint32 // the block of the log that holds it
	near   bool   // it lists near misses
}

// settler is one Settle under way.
type settler struct {
	*Engine
	to   Publisher
	puts int
	gone []withdrawal

	differs bool // without a publisher: what is published is not what must be
}

// withdrawal is a key whose tombstone waits until all puts are acknowledged.
type withdrawal struct {
	topic Topic
	owner uint32 // record, or group for Ambiguous
}

// Settle publishes what has to change, all puts before the first tombstone (R28). Now is in milliseconds, for the
// orphans' grace. After an error the Engine does not know what was published any more: give it up and start again
// from what was committed.
func (e *Engine) Settle(now int64, to Publisher) error {
	e.ripen(now)
	s := settler{Engine: e, to: to}
	for _, g := range e.dirtyGroups {
		if err := s.settleGroup(g); err != nil {
			return err
		}
	}
	for i, id := range e.dirty {
		if i%AheadOf == 0 {
			e.lookAtViews(firstOf(e.dirty[i:], AheadOf))
		}
		if err := s.settleRecord(id, now); err != nil {
			return err
		}
		s.shed()
	}
	if err := s.withdrawAll(); err != nil {
		return err
	}
	for _, g := range e.dirtyGroups {
		e.groups.at(g).dirty = false
		e.reapGroup(g)
	}
	for _, id := range e.dirty {
		e.records.at(id).flags &^= dirty
		e.reap(id)
	}
	e.dirty, e.dirtyGroups = e.dirty[:0], e.dirtyGroups[:0]
	return nil
}

// Unsettled reports whether Settle has something to do.
func (e *Engine) Unsettled() bool { return len(e.dirty)+len(e.dirtyGroups) > 0 }

// publication returns where the owner keeps the number of what is published of it in a topic.
func (e *Engine) publication(t Topic, owner uint32) *uint32 {
	switch t {
	case Ambiguous:
		return &e.groups.at(owner).pub
	case View:
		return &e.records.at(owner).pub[slotView]
	default:
		return &e.records.at(owner).pub[slotUnmatched]
	}
}

// outputKey returns the key under which the owner's value is published.
func (e *Engine) outputKey(t Topic, owner uint32) []byte {
	switch t {
	case Ambiguous:
		return e.name(owner)
	case View:
		return e.key(owner)
	default:
		e.head = append(e.head[:0], sideOf(e.records.at(owner).kind).Prefix()...)
		e.head = append(e.head, e.key(owner)...)
		return e.head
	}
}

// put publishes a value if it is not what is published already (R27).
func (s *settler) put(t Topic, owner uint32, value []byte, near bool) error {
	pub := s.publication(t, owner)
	d := s.digests.of(value)
	if *pub != 0 && s.published.at(*pub).digest == d {
		s.setNear(*pub, near)
		return nil
	}
	if s.to == nil {
		s.differs = true
		return nil
	}
	if *pub == 0 {
		*pub = s.published.add()
		s.published.at(*pub).rev = s.floor
		s.stats.published(s.Engine, t, owner, 1)
	}
	p := s.published.at(*pub)
	p.digest = d
	p.rev++
	s.setNear(*pub, near)
	s.tell(t, owner)
	s.puts++
	return s.to.Publish(Output{t, s.outputKey(t, owner), value, s.version(p.rev)})
}

// withdraw remembers that a key must not be published any more.
func (s *settler) withdraw(t Topic, owner uint32) {
	if *s.publication(t, owner) == 0 {
		return
	}
	if s.to == nil {
		s.differs = true
	} else {
		s.gone = append(s.gone, withdrawal{t, owner})
	}
}

func (s *settler) withdrawAll() error {
	if len(s.gone) == 0 {
		return nil
	}
	if s.puts > 0 {
		if err := s.to.Await(); err != nil {
			return err
		}
	}
	for _, w := range s.gone {
		rev := s.published.at(*s.publication(w.topic, w.owner)).rev + 1
		s.unpublish(w.topic, w.owner, rev)
		if err := s.to.Publish(Output{w.topic, s.outputKey(w.topic, w.owner), nil, s.version(rev)}); err != nil {
			return err
		}
	}
	return nil
}

// unpublish forgets what was published under a key, but not that its revisions went up to rev.
func (e *Engine) unpublish(t Topic, owner, rev uint32) {
	e.floor = max(e.floor, rev)
	if *e.publication(t, owner) != 0 {
		e.dropPublication(t, owner)
		e.tell(t, owner)
	}
}

func (e *Engine) dropPublication(t Topic, owner uint32) {
	pub := e.publication(t, owner)
	e.setNear(*pub, false)
	e.published.remove(*pub)
	*pub = 0
	e.stats.published(e, t, owner, -1)
}

func (e *Engine) setNear(pub uint32, near bool) {
	if p := e.published.at(pub); p.near != near {
		p.near = near
		if near {
			e.stats.NearMisses++
		} else {
			e.stats.NearMisses--
		}
	}
}

func (e *Engine) version(rev uint32) change.Version {
	return change.Version{Epoch: e.epoch, Rev: int64(rev)}
}

// tell notes that the log does not have what is published of the owner.
func (e *Engine) tell(t Topic, owner uint32) {
	if t == Ambiguous {
		if g := e.groups.at(owner); !g.unsaved {
			g.unsaved = true
			e.unsavedGroups = append(e.unsavedGroups, owner)
		}
		return
	}
	r := e.records.at(owner)
	if !r.is(told0 | told1) {
		e.unsavedTold = append(e.unsavedTold, owner)
	}
	r.flags |= toldFlag(t)
}

// toldFlag says of a record that what is published of it in a topic differs from what the log has.
func toldFlag(t Topic) flag {
	if t == View {
		return told1
	}
	return told0
}
