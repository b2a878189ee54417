package cdc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"
	"time"
)

// smallestReplayID lies above 2^31, so that a client that keeps replay ids in 32 bits fails (facts 4.4).
const smallestReplayID = int64(1)<<33 + 17

// firstReplayID depends on the time at which a log begins. A log that begins anew does not give out the ids of the one
// before it, so that a client's position there is refused and never taken for another event's. The ids
// of 25,000 events per second fit in between, and all stay below 2^53 for clients that keep them in a double.
func firstReplayID(now time.Time) int64 {
	since := now.Sub(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	return smallestReplayID + max(0, since.Milliseconds())*100
}

// slabSize is the size of the blocks that hold rendered events; a block is freed when all of its events are expired.
const slabSize = 1 << 20

// ErrReplay says that a replay id names no retained event of the channel: expired, never given out, or of another channel.
var ErrReplay = errors.New("replay id is not retained")

// ErrExpired says that a cursor points at events that are no longer retained.
var ErrExpired = errors.New("cursor points at expired events")

// Event is one change event as it is kept.
type Event struct {
	ReplayID int64
	Entity   string
	Kind     string
	Data     []byte // the data member of the message: schema, payload, event; must not be changed
	at       int64  // arrival, Unix milliseconds
	standard bool   // the entity was selected for /data/ChangeEvents
}

// Log keeps the org's change events in commit order. It is safe for concurrent use.
type Log struct {
	opt Options

	mu        sync.RWMutex
	plans     map[string]*entityPlan
	revisions map[string]int
	selected  map[string]bool // nil: every entity
	channels  map[string]Channel
	events    []Event
	first     int64 // cursor of events[0]
	bytes     int64
	slab      []byte
	buf       []byte
	scratch   []*fieldPlan
	replayID  int64 // the last one given out
	begun     bool  // one was given out
	number    int64
	rand      *rand.Rand
	changed   chan struct{}
}

// NewLog returns an empty log, whose replay ids begin with the clock of opt.
func NewLog(opt Options) *Log {
	opt = opt.withDefaults()
	l := &Log{
		opt:       opt,
		plans:     make(map[string]*entityPlan),
		revisions: make(map[string]int),
		channels:  make(map[string]Channel),
		replayID:  firstReplayID(opt.Clock()),
		number:    1_082_990_428_293,
		rand:      rand.New(rand.NewPCG(opt.Seed, 0x5eed)),
	}
	l.setSelected(opt.Selected)
	return l
}

// Commit appends the events of one transaction and wakes whoever waits for them. It must be called in commit order.
// It returns the replay id of the last event, 0 when the transaction made none.
func (l *Log) Commit(c Commit) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.opt.Clock()
	if c.At.IsZero() {
		c.At = now
	}
	if c.Number == 0 {
		l.number += 1 + l.rand.Int64N(40)
		c.Number = l.number
	}
	if c.TransactionKey == "" {
		a, b := l.rand.Uint64(), l.rand.Uint64()
		c.TransactionKey = fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
	}
	last := int64(0)
	events := l.transaction(c, l.isPublished)
	for i := range events {
		if ev := &events[i]; !ev.silent {
			last = l.append(ev, c, now)
		}
	}
	l.trim(now)
	if last != 0 && l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return last
}

// append renders one event into the current slab.
func (l *Log) append(ev *pending, c Commit, now time.Time) int64 {
	l.replayID += 1 + l.rand.Int64N(7)
	l.begun = true
	p := l.plan(ev.Entity)
	l.buf = l.render(l.buf[:0], p, ev, c, l.replayID)
	if len(l.buf) > l.opt.MaxEventBytes && !isGap(ev.Kind) {
		ev.Kind, ev.Fields = "GAP_"+ev.Kind, nil
		l.buf = l.render(l.buf[:0], p, ev, c, l.replayID)
	}
	if cap(l.slab)-len(l.slab) < len(l.buf) {
		l.slab = make([]byte, 0, max(slabSize, len(l.buf)))
	}
	from := len(l.slab)
	l.slab = append(l.slab, l.buf...)
	l.bytes += int64(len(l.buf))
	l.events = append(l.events, Event{
		ReplayID: l.replayID, Entity: p.entity, Kind: ev.Kind, Data: l.slab[from:len(l.slab):len(l.slab)],
		at: now.UnixMilli(), standard: l.isSelected(ev.Entity),
	})
	return l.replayID
}

func isGap(kind string) bool { return len(kind) > 4 && kind[:4] == "GAP_" }

// trim drops what is older than the retention or beyond MaxBytes.
func (l *Log) trim(now time.Time) {
	limit := now.Add(-l.opt.Retention).UnixMilli()
	n := 0
	for n < len(l.events) && (l.events[n].at < limit || l.bytes > l.opt.MaxBytes) {
		l.bytes -= int64(len(l.events[n].Data))
		n++
	}
	if n == 0 {
		return
	}
	clear(l.events[:n])
	l.events = l.events[n:]
	l.first += int64(n)
}

// Purge expires every retained event, as if the retention had passed. Waiting readers are not woken.
func (l *Log) Purge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first += int64(len(l.events))
	l.events, l.bytes = nil, 0
}

// Last returns the replay id of the newest event ever appended, 0 before the first.
func (l *Log) Last() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.begun {
		return 0
	}
	return l.replayID
}

// Len returns the number of retained events and their size in bytes.
func (l *Log) Len() (events int, bytes int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.events), l.bytes
}

// Changed returns a channel that is closed when the next event is appended. Take it before reading, then wait on it.
func (l *Log) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// Position turns a replay option into a cursor: -1 means new events only, -2 all that are retained, anything else the
// events after the one with that replay id, which must be a retained event of the channel (facts 4.4), else ErrReplay.
func (l *Log) Position(c Channel, replay int64) (cursor int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim(l.opt.Clock())
	switch replay {
	case -1:
		return l.first + int64(len(l.events)), nil
	case -2:
		return l.first, nil
	}
	i := sort.Search(len(l.events), func(i int) bool { return l.events[i].ReplayID >= replay })
	if i == len(l.events) || l.events[i].ReplayID != replay || !c.Carries(l.events[i]) {
		return 0, ErrReplay
	}
	return l.first + int64(i) + 1, nil
}

// Back moves a cursor back by n events of the channel, as far as they are retained: these will be seen twice.
func (l *Log) Back(c Channel, cursor int64, n int) int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for n > 0 && cursor > l.first {
		cursor--
		if c.Carries(l.events[cursor-l.first]) {
			n--
		}
	}
	return cursor
}

// Read appends to dst up to limit events from the cursor on, of all channels, and returns the cursor behind them.
// ErrExpired means that events between the cursor and the oldest retained one are gone.
func (l *Log) Read(dst []Event, cursor int64, limit int) (_ []Event, next int64, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if cursor < l.first {
		return dst, cursor, ErrExpired
	}
	rest := l.events[cursor-l.first:]
	rest = rest[:min(limit, len(rest))]
	return append(dst, rest...), cursor + int64(len(rest)), nil
}

// Select sets the entities of /data/ChangeEvents from now on; nil selects all, none selects nothing (facts 5.6).
func (l *Log) Select(entities []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setSelected(entities)
}

func (l *Log) setSelected(entities []string) {
	l.selected = nil
	if entities == nil {
		return
	}
	l.selected = make(map[string]bool, len(entities))
	for _, e := range entities {
		l.selected[e] = true
	}
}

// Selected returns the entities of /data/ChangeEvents, sorted; nil when all are selected.
func (l *Log) Selected() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.selected == nil {
		return nil
	}
	list := make([]string, 0, len(l.selected))
	for e := range l.selected {
		list = append(list, e)
	}
	slices.Sort(list)
	return list
}

func (l *Log) isSelected(entity string) bool {
	return l.selected == nil || l.selected[entity]
}

// isPublished reports whether changes of the entity raise events at all: it is selected or a member of a custom channel.
// It does not ask Exists: the org commits what exists, and this runs under the lock.
func (l *Log) isPublished(entity string) bool {
	if l.isSelected(entity) {
		return true
	}
	for _, c := range l.channels {
		if _, member := c.members[entity]; member {
			return true
		}
	}
	return false
}

// Redefine tells the log that the definition of an object changed: its schema id changes and fields are looked up anew.
func (l *Log) Redefine(entity string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revisions[entity]++
	delete(l.plans, entity)
}

// Schema returns the schema id that events of the entity carry now.
func (l *Log) Schema(entity string) string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return schemaID(entity, l.revisions[entity])
}
