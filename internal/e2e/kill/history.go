package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"crosswalk/internal/change"
	"crosswalk/internal/topic"
)

// history is what one topic held, record after record in the order of the offsets of each partition.
type history struct {
	topic      string
	mayRepeat  bool // an output: a crash may repeat a record with the same bytes (R33)
	records    int
	tombstones int // of these
	repairs    int // of these: op=repair, which has to do with H15 and W3 only
	latest     map[string]*latest
	faults     []string
}

// latest is the newest record of a key.
type latest struct {
	value     []byte // nil: a tombstone
	version   change.Version
	pos       int64
	partition int32
}

func newHistory(name string, mayRepeat bool) *history {
	return &history{topic: name, mayRepeat: mayRepeat, latest: map[string]*latest{}}
}

// add takes the next record and notes what is wrong with it (I6, R33).
func (h *history) add(r topic.Record) {
	h.records++
	next := &latest{value: slices.Clone(r.Value), partition: r.Partition}
	if r.Value == nil {
		h.tombstones++
	}
	key := string(r.Key)
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
			if text == "repair" {
				h.repairs++
			}
		}
		if err != nil {
			h.fault(r, "header %s: %v", header.Key, err)
		}
	}
	if next.version == (change.Version{}) {
		h.fault(r, "it has no version")
	}
	if old := h.latest[key]; old != nil {
		h.compare(r, old, next)
	}
	h.latest[key] = next
}

func (h *history) compare(r topic.Record, old, next *latest) {
	same := old.version == next.version
	switch {
	case old.partition != next.partition:
		h.fault(r, "its key was in partition %d before", old.partition)
	case next.version.Less(old.version):
		h.fault(r, "version %v after %v", next.version, old.version)
	case same && !h.mayRepeat:
		h.fault(r, "version %v twice", next.version)
	case same && !bytes.Equal(old.value, next.value):
		h.fault(r, "version %v twice, with other bytes", next.version)
	case old.version.Epoch == next.version.Epoch && next.pos < old.pos:
		h.fault(r, "pos %d after %d in epoch %d", next.pos, old.pos, next.version.Epoch)
	}
}

func (h *history) fault(r topic.Record, format string, args ...any) {
	h.faults = append(h.faults, fmt.Sprintf("%s %s (partition %d, offset %d): ", h.topic, r.Key, r.Partition, r.Offset)+fmt.Sprintf(format, args...))
}

// live counts the keys whose newest record is no tombstone.
func (h *history) live() int {
	n := 0
	for _, l := range h.latest {
		if l.value != nil {
			n++
		}
	}
	return n
}
