// Package join is the state of the matcher and what follows from it: the rules of Part A, kept up to date record by record.
//
// An Input goes into Engine.Apply, which keeps its bytes, moves it to its place and marks every output that it may
// change. Engine.Settle computes what is marked, once however often it was marked, and hands the values that differ
// from the published ones to a Publisher. Engine.Commit writes what has changed since the last time into a Store,
// in one atomic write with whatever the caller adds, and Load brings it back.
//
// The package knows nothing of Kafka, of clocks or of files. An Engine is for one goroutine, but for what Engine.Read says.
package join

import (
	"hash/maphash"

	"crosswalk/internal/customer"
)

// DefaultViewMaxBytes is the bound of an encoded view (R29a).
const DefaultViewMaxBytes = 900_000

// Config is what an Engine is told at its start.
type Config struct {
	Readers         Readers
	ERPDeletedField []string       // path of the flag that counts as a deletion when it is true; nil for none
	OrphanGrace     int64          // milliseconds for which a new orphan is held back (R20)
	ViewMaxBytes    int            // bound of a view's value in bytes, frame included; 0 means DefaultViewMaxBytes (R29a)
	Frames          [Topics][]byte // what stands before the Avro body in the values of each output topic
	Memory          int64          // bytes that the Engine may take, as far as values can be left in the log; 0: any number
}

// Engine holds the live records of the four inputs, their groups, and what is published.
type Engine struct {
	readers        Readers
	deletedPath    []string
	grace          int64
	viewMax        int
	frames         [Topics][]byte
	epoch          int64
	link           *customer.Link
	salesforcePath []string
	erpPath        []string

	seed      maphash.Seed
	blobs     arena
	lists     lists
	records   table[record]
	groups    table[group]
	families  table[family]
	published table[publication]
	digests   *digester
	shapes    shapes
	byRecord  index
	byGroup   index
	byFamily  index
	keyOrder  func(a, b uint32) int // compareKeys
	nameOrder func(a, b uint32) int // compareNames

	bulk        bool // state is built as a whole: nothing is marked
	dirty       []uint32
	dirtyGroups []uint32
	marksSaved  bool // the log has marks
	orphans     orphans
	floor       uint32 // no key that was withdrawn had a greater rev

	unsaved       []uint32 // records, groups and publications that the log does not have yet
	unsavedTold   []uint32
	unsavedGroups []uint32
	log           logState
	memory        memory

	head    []byte // buffers used again
	stand   []byte
	kept    []byte
	fields  []byte
	lengths []int
	view    viewBuffer
	shown   []uint32
	looked  uint32 // makes the looking ahead count for the compiler
	report  []byte
	stats   Stats
}

// New returns an Engine without records and without a link.
func New(c Config) *Engine {
	if c.ViewMaxBytes == 0 {
		c.ViewMaxBytes = DefaultViewMaxBytes
	}
	e := &Engine{
		readers: c.Readers, deletedPath: c.ERPDeletedField, grace: c.OrphanGrace, viewMax: c.ViewMaxBytes, frames: c.Frames,
		seed: maphash.MakeSeed(), blobs: newArena(), lists: newLists(), digests: newDigester(),
	}
	e.memory.limit = c.Memory
	e.keyOrder, e.nameOrder = e.compareKeys, e.compareNames
	return e
}

// Verdict is what became of an input.
type Verdict uint8

// The verdicts of Apply.
const (
	Refused Verdict = iota // not decodable: for the dead-letter topic (R4)
	Applied
	Stale // not newer than what was applied for its key (R1)
)

// Apply takes one input into the state. An error means that it could not be decoded; the state is then as it was (R4).
func (e *Engine) Apply(in Input) (Verdict, error) {
	id := e.find(in.Kind, in.Key)
	if e.stale(id, in) {
		return Stale, nil
	}
	var r Reading
	r, e.kept = e.Read(in, e.kept[:0])
	return e.take(id, in, r)
}

// Take is Apply of an input that Read has read before, under the link of now.
func (e *Engine) Take(in Input, r Reading) (Verdict, error) {
	id := e.find(in.Kind, in.Key)
	if e.stale(id, in) {
		return Stale, nil
	}
	return e.take(id, in, r)
}

// stale reports whether a version at least as new as the input's was taken of the record, which is 0 when there is none (R1).
func (e *Engine) stale(id uint32, in Input) bool {
	return id != 0 && e.records.at(id).is(known) && !e.row(id).version.Less(in.Version)
}

func (e *Engine) take(id uint32, in Input, r Reading) (Verdict, error) {
	if r.err != nil {
		return Refused, r.err
	}
	if id == 0 {
		id = e.place(in.Kind, in.Key)
	}
	same := r.facts.live && e.sameKept(id, r.kept)
	before := *e.records.at(id)
	e.store(id, in, r.facts.live, r.kept)
	if !same {
		e.settleIn(id, before, r.facts)
	}
	e.shed()
	return Applied, nil
}

// store replaces the record.
func (e *Engine) store(id uint32, in Input, isLive bool, kept []byte) {
	if !isLive {
		kept = appendVarint(nil, in.Time)
	}
	e.write(id, in.Key, in.Version, kept)
	r := e.records.at(id)
	if r.is(live) != isLive {
		e.stats.count(r.kind, isLive)
	}
	r.flags = r.flags&^live | known
	if isLive {
		r.flags |= live
	}
	e.save(id)
}

// settleIn moves the record to its place among the others.
func (e *Engine) settleIn(id uint32, before record, f facts) {
	switch before.kind {
	case Account:
		e.moveMember(id, f)
		if before.is(live) != f.live {
			e.markAll(e.lists.items(&e.records.at(id).related))
			e.markAll(e.lists.items(&e.records.at(id).notes))
		}
	case Customer:
		e.moveMember(id, f)
	case Contact:
		e.moveContact(id, before, f)
	case Note:
		e.moveNote(id, f)
	}
	e.mark(id)
}

// Begin sets the first part of the version of everything that is published from now on: greater than that of any
// earlier owner.
func (e *Engine) Begin(epoch int64) { e.epoch = epoch }
