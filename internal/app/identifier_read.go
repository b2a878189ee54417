package app

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
)

// population is the live records of one topic, as the matcher has them (R1). Which record of each key counts is found in a
// first pass; any number of further passes then stream through the records and keep no value. About 100 bytes a key.
type population struct {
	p       *platform
	topic   string
	deleted []string // path of the flag that counts as a deletion; nil for none
	seeds   [2]maphash.Seed
	newest  map[digest]place
	walkers map[int]*avro.Walker // nil where the schema cannot be read
	tick    func()               // called for every record that is read
	broken  int                  // records that the last each could not decode
}

type digest [2]uint64

// place is where the record of a key stands that has the greatest version.
type place struct {
	version   change.Version
	offset    int64
	partition int32
}

// populate makes the first pass. A topic that is not there has no records.
func (p *platform) populate(ctx context.Context, name string, deleted []string, tick func()) (*population, error) {
	pop := &population{
		p: p, topic: name, deleted: deleted, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		newest: map[digest]place{}, walkers: map[int]*avro.Walker{}, tick: tick,
	}
	return pop, pop.read(ctx, func(r *topic.Record) error {
		v, err := matcher.VersionOf(r)
		if err != nil || len(r.Key) == 0 {
			return nil // the matcher refuses it (R4)
		}
		key := pop.digest(r.Key)
		if old, known := pop.newest[key]; !known || old.version.Less(v) {
			pop.newest[key] = place{v, r.Offset, r.Partition}
		}
		return nil
	})
}

func (pop *population) digest(key []byte) digest {
	return digest{maphash.Bytes(pop.seeds[0], key), maphash.Bytes(pop.seeds[1], key)}
}

func (pop *population) read(ctx context.Context, fn func(*topic.Record) error) error {
	exists, err := pop.p.kafka.Exists(ctx, pop.topic)
	if err != nil || !exists {
		return err
	}
	_, err = pop.p.kafka.ReadAll(ctx, []string{pop.topic}, func(r topic.Record) error {
		pop.tick()
		return fn(&r)
	})
	return err
}

// each calls fn for every live record, in no order; key and body are valid until fn returns. What cannot be decoded is left
// out, as the matcher leaves it out (R4), and counted.
func (pop *population) each(ctx context.Context, fn func(key []byte, w *avro.Walker, body []byte)) error {
	pop.broken = 0
	return pop.read(ctx, func(r *topic.Record) error {
		at, known := pop.newest[pop.digest(r.Key)]
		if !known || at.offset != r.Offset || at.partition != r.Partition || r.Value == nil {
			return nil
		}
		w, body, err := pop.walker(ctx, r.Value)
		if err != nil {
			return err
		}
		if w == nil || w.Check(body) != nil {
			pop.broken++
			return nil
		}
		if pop.deleted != nil {
			if flag, err := w.Lookup(body, pop.deleted...); err != nil || flag.True {
				return nil
			}
		}
		fn(r.Key, w, body)
		return nil
	})
}

// walker returns the Walker of a framed value and its body; nil when it has none.
func (pop *population) walker(ctx context.Context, value []byte) (*avro.Walker, []byte, error) {
	id, body, err := avro.Unframe(value)
	if err != nil {
		return nil, nil, nil
	}
	w, known := pop.walkers[id]
	if known {
		return w, body, nil
	}
	text, err := pop.p.registry.Schema(ctx, id)
	if err != nil && !registry.IsNotFound(err) {
		return nil, nil, err
	}
	if err == nil {
		w, _ = avro.NewWalker(text) // nil when it is no schema of a record
	}
	pop.walkers[id] = w
	return w, body, nil
}

// errSeen ends a pass that has seen enough.
var errSeen = errors.New("seen")

// has reports whether a live record has the field, and the names of all fields when none has.
func (pop *population) has(ctx context.Context, field string) (found bool, names map[string]bool, err error) {
	names = map[string]bool{}
	err = pop.read(ctx, func(r *topic.Record) error {
		if r.Value == nil {
			return nil
		}
		w, body, err := pop.walker(ctx, r.Value)
		if err != nil || w == nil {
			return err
		}
		if err := w.Leaves(body, func(path []byte, _ avro.Value) { names[string(path)] = true }); err != nil {
			return nil // the matcher refuses it (R4)
		}
		if names[field] {
			return errSeen
		}
		return nil
	})
	if errors.Is(err, errSeen) {
		return true, nil, nil
	}
	if err != nil {
		return false, nil, fmt.Errorf("look for field %s: %w", field, err)
	}
	return false, names, nil
}
