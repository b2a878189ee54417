package harness

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"crosswalk/internal/change"
	"crosswalk/internal/topic"
)

// History is what one topic held, record after record in the order of the offsets of each partition.
type History struct {
	topic      string
	mayRepeat  bool // an output: a crash may repeat a record with the same bytes (R33)
	Records    int
	Tombstones int // of these
	Repairs    int // of these: op=repair, which has to do with H15 and W3 only
	Repeats    int // of these: the same version again with the same bytes, after a crash
	latest     map[string]*latest
	effects    []effect
	Faults     []string
}

// latest is the newest record of a key.
type latest struct {
	value     []byte // nil: a tombstone
	version   change.Version
	pos       int64
	partition int32
}

// NewHistory returns an empty history. mayRepeat says that a crash may repeat a record with the same bytes.
func NewHistory(name string, mayRepeat bool) *History {
	return &History{topic: name, mayRepeat: mayRepeat, latest: map[string]*latest{}}
}

// Add takes the next record and notes what is wrong with it (I6, R33).
func (h *History) Add(r topic.Record) {
	h.Records++
	next := &latest{value: slices.Clone(r.Value), partition: r.Partition}
	if r.Value == nil {
		h.Tombstones++
	}
	key, op := string(r.Key), ""
	for _, header := range r.Headers {
		var err error
		switch text := string(header.Value); header.Key {
		case "epoch":
			next.version.Epoch, err = strconv.ParseInt(text, 10, 64)
		case "rev":
			next.version.Rev, err = strconv.ParseInt(text, 10, 64)
		case "pos":
			next.pos, err = strconv.ParseInt(text, 10, 64)
		case "op":
			if op = text; op == "repair" {
				h.Repairs++
			}
		}
		if err != nil {
			h.fault(r, "header %s: %v", header.Key, err)
		}
	}
	if next.version == (change.Version{}) {
		h.fault(r, "it has no version")
	}
	old := h.latest[key]
	if old != nil {
		h.compare(r, old, next)
	}
	h.note(r, old, next, op)
	h.latest[key] = next
}

// effect is the first record that shows an event of the stream.
type effect struct {
	what string
	pos  int64
	at   time.Time // when it was sent
}

// note keeps the record if it is the first that shows an event.
func (h *History) note(r topic.Record, old, next *latest, op string) {
	switch op {
	case "create", "update", "delete", "undelete":
		if old == nil || next.pos > old.pos {
			h.effects = append(h.effects, effect{fmt.Sprintf("%s %s (partition %d, offset %d)", h.topic, r.Key, r.Partition, r.Offset), next.pos, r.Time})
		}
	}
}

func (h *History) compare(r topic.Record, old, next *latest) {
	same := old.version == next.version
	switch {
	case old.partition != next.partition:
		h.fault(r, "its key was in partition %d before", old.partition)
	case next.version.Less(old.version):
		h.fault(r, "version %v after %v", next.version, old.version)
	case same && !h.mayRepeat:
		h.fault(r, "version %v twice", next.version)
	case same && bytes.Equal(old.value, next.value) && old.pos == next.pos:
		h.Repeats++
	case same && !bytes.Equal(old.value, next.value):
		h.fault(r, "version %v twice, with other bytes", next.version)
	case old.version.Epoch == next.version.Epoch && next.pos < old.pos:
		h.fault(r, "pos %d after %d in epoch %d", next.pos, old.pos, next.version.Epoch)
	}
}

func (h *History) fault(r topic.Record, format string, args ...any) {
	h.Faults = append(h.Faults, fmt.Sprintf("%s %s (partition %d, offset %d): ", h.topic, r.Key, r.Partition, r.Offset)+fmt.Sprintf(format, args...))
}

// Live counts the keys whose newest record is no tombstone.
func (h *History) Live() int {
	n := 0
	for _, l := range h.latest {
		if l.value != nil {
			n++
		}
	}
	return n
}

// Keys counts the keys that there have been.
func (h *History) Keys() int { return len(h.latest) }
