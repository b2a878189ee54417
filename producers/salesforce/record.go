package salesforce

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"crosswalk/internal/change"
	"crosswalk/internal/state"
	"crosswalk/producers/salesforce/handover"
)

// The keys of the local state.
const (
	recordPrefix = "r/" // entity "/" id: header and value as published
	childPrefix  = "c/" // account id "/" contact id: Contacts that once named the Account
	notePrefix   = "n/" // note id: version and digest
	metaKey      = "m"  // what topics and offsets the rest reflects
)

func recordKey(k handover.Key) []byte { return []byte(recordPrefix + k.Entity + "/" + k.ID) }

// records are the Machine's records: on disk, with those of the step in hand over them. Between two commits its memory
// is what the step touched.
type records struct {
	ctx   context.Context
	loop  *loop
	store *state.Store
	known *bloom
	step  map[handover.Key]*stored
}

// stored is a record with its value in the bytes that were published.
type stored struct {
	handover.Record
	value []byte // Confluent wire format; nil unless Live
	dirty bool
}

// Load implements handover.Records.
func (r *records) Load(k handover.Key) (handover.Record, error) {
	if s := r.step[k]; s != nil {
		return s.Record, nil
	}
	key := recordKey(k)
	if !r.known.maybe(key) {
		return handover.Record{}, nil
	}
	data, ok, err := r.store.Get(key)
	if err != nil || !ok {
		return handover.Record{}, err
	}
	s, err := r.parse(k.Entity, data)
	if err != nil {
		return handover.Record{}, err
	}
	r.step[k] = s
	return s.Record, nil
}

// parse decodes a stored record, its value into the current columns.
func (r *records) parse(entity string, data []byte) (*stored, error) {
	s, err := parseStored(data)
	if err != nil || s.State != handover.Live {
		return s, err
	}
	s.Values, _, err = r.loop.decode(r.ctx, r.loop.entities[entity], s.value)
	return s, err
}

// Store implements handover.Records.
func (r *records) Store(k handover.Key, rec handover.Record) error {
	s := r.step[k]
	if s == nil {
		s = &stored{}
		r.step[k] = s
	}
	s.Record, s.dirty = rec, true
	if rec.State != handover.Live {
		s.value = nil
	}
	return nil
}

// Contacts implements handover.Records.
func (r *records) Contacts(account string) ([]string, error) {
	var ids []string
	prefix := childPrefix + account + "/"
	err := r.store.Scan([]byte(prefix), func(key, _ []byte) error {
		ids = append(ids, strings.TrimPrefix(string(key), prefix))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for k := range r.step {
		if k.Entity == "Contact" {
			ids = append(ids, k.ID)
		}
	}
	var live []string
	for _, id := range ids {
		rec, err := r.Load(handover.Key{Entity: "Contact", ID: id})
		if err != nil {
			return nil, err
		}
		if rec.State == handover.Live && r.parent(rec) == account {
			live = append(live, id)
		}
	}
	return live, nil
}

// parent returns the Account that a Contact names.
func (r *records) parent(rec handover.Record) string {
	i := r.loop.entities["Contact"].schema.Index("AccountId")
	if i < 0 || i >= len(rec.Values) {
		return ""
	}
	return rec.Values[i].Str()
}

// flush puts what the step changed into batch. After the batch is committed, forget must follow.
func (r *records) flush(batch *state.Batch) {
	var buf []byte
	for k, s := range r.step {
		if !s.dirty {
			continue
		}
		key := recordKey(k)
		buf = s.append(buf[:0])
		batch.Set(key, buf)
		r.known.add(key)
		if k.Entity == "Contact" && s.State == handover.Live {
			if account := r.parent(s.Record); account != "" {
				batch.Set([]byte(childPrefix+account+"/"+k.ID), nil)
			}
		}
	}
}

func (r *records) forget() { clear(r.step) }

// refusedBit marks, in the byte of the state, a record whose last version the broker did not take.
const refusedBit = 0x80

// append encodes the record: state, version, lineage, pos, asof, commit, then the value as published.
func (s *stored) append(dst []byte) []byte {
	state := byte(s.State)
	if s.Refused {
		state |= refusedBit
	}
	dst = append(dst, state)
	for _, n := range [...]int64{s.Version.Epoch, s.Version.Rev, s.Lineage, s.Pos, s.AsOf, s.Commit} {
		dst = binary.AppendVarint(dst, n)
	}
	return append(dst, s.value...)
}

var errStored = errors.New("a record of the local state cannot be read: delete the state folder, it is rebuilt from the topics")

func parseStored(data []byte) (*stored, error) {
	if len(data) == 0 {
		return nil, errStored
	}
	s := &stored{}
	s.State, s.Refused, data = handover.State(data[0]&^refusedBit), data[0]&refusedBit != 0, data[1:]
	for _, n := range [...]*int64{&s.Version.Epoch, &s.Version.Rev, &s.Lineage, &s.Pos, &s.AsOf, &s.Commit} {
		v, size := binary.Varint(data)
		if size <= 0 {
			return nil, errStored
		}
		*n, data = v, data[size:]
	}
	if s.State == handover.Live {
		s.value = data
	}
	return s, nil
}

// move brings values from the columns of one schema to those of another.
func move(values []change.Value, from, to *change.Schema) []change.Value {
	if from == to {
		return values
	}
	return handover.Remap(values, from, to)
}
