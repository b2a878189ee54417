package salesforce

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
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

// appendKey appends the key of a stored record.
func appendKey(dst []byte, k handover.Key) []byte {
	dst = append(append(dst, recordPrefix...), k.Entity...)
	return append(append(dst, '/'), k.ID...)
}

// records are the Machine's records: on disk, with those of the step in hand over them. Between two commits its memory
// is what the step touched.
type records struct {
	ctx   context.Context
	loop  *loop
	store *state.Store
	known *bloom
	step  map[handover.Key]*stored // also of keys that are not stored, once they were looked for
	list  []*stored                // the same, in the order in which they came
	fresh []stored                 // memory for them
	buf   []byte
	data  []byte // stored records that the step read
	warm  *warm
	// warming says that what is read now will likely be read again: events name it.
	warming bool

	contact   *entity // whose column AccountId is
	accountID int     // -1: it has none
}

// stored is a record with its value in the bytes that were published.
type stored struct {
	handover.Record
	key   handover.Key // in a step
	value []byte       // Confluent wire format; nil unless Live
	child string       // Account under which the store knows this Contact already; empty: none
	dirty bool
	warm  bool // it is to be kept in memory when it is stored
}

// Load implements handover.Records.
func (r *records) Load(k handover.Key) (handover.Record, error) {
	if s := r.step[k]; s != nil {
		return s.Record, nil
	}
	s, err := r.read(k)
	if err != nil {
		return handover.Record{}, err
	}
	s.warm = r.warming
	r.put(k, s)
	return s.Record, nil
}

// read reads a record from disk; one that is not there is the zero record.
func (r *records) read(k handover.Key) (*stored, error) {
	r.buf = appendKey(r.buf[:0], k)
	from := len(r.data)
	data, ok := r.warm.get(r.data, r.buf)
	if !ok {
		if !r.known.maybe(r.buf) {
			return r.blank(), nil
		}
		var err error
		if data, ok, err = r.store.Append(r.data, r.buf); err != nil || !ok {
			return r.blank(), err
		}
	}
	r.data = data
	s, err := r.parse(k, data[from:len(data):len(data)])
	if err == nil && k.Entity == "Contact" && s.State == handover.Live {
		s.child = r.parent(s.Record)
	}
	return s, err
}

// put makes s what the step knows of k.
func (r *records) put(k handover.Key, s *stored) {
	if before := r.step[k]; before != nil {
		s.child, s.warm = before.child, before.warm
	}
	s.key = k
	r.step[k] = s
	r.list = append(r.list, s)
}

// blank returns a zero record in memory that the steps use again and again.
func (r *records) blank() *stored {
	const chunk = 256
	if len(r.fresh) == cap(r.fresh) {
		r.fresh = make([]stored, 0, chunk) // the full one lives as long as what is in it
	}
	r.fresh = append(r.fresh, stored{})
	return &r.fresh[len(r.fresh)-1]
}

// parse decodes a stored record, its value into the current columns. Of one whose value cannot be read nothing is known.
func (r *records) parse(k handover.Key, data []byte) (*stored, error) {
	s, err := parseStored(data)
	if err != nil || s.State != handover.Live || s.hollow() {
		return s, err
	}
	s.Values, err = r.loop.decode(r.ctx, r.loop.entities[k.Entity], k.ID, s.value)
	if isDamage(err) {
		r.loop.lose(k, s.value, err)
		s.Values, s.value, s.Refused, err = nil, nil, true, nil
	}
	return s, err
}

// Store implements handover.Records.
func (r *records) Store(k handover.Key, rec handover.Record) error {
	s := r.step[k]
	if s == nil {
		s = r.blank()
		r.put(k, s)
	}
	s.Record, s.dirty = rec, true
	s.Values = filled(rec.Values) // as it is published, and as it will be read again
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
	for _, s := range r.list {
		if s.key.Entity == "Contact" {
			ids = append(ids, s.key.ID)
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
	if e := r.loop.entities["Contact"]; e != r.contact {
		r.contact, r.accountID = e, e.schema.Index("AccountId")
	}
	if r.accountID < 0 || r.accountID >= len(rec.Values) {
		return ""
	}
	return rec.Values[r.accountID].Str()
}

// flush puts what the step changed into batch, in the order of the ids: the store is fastest when its keys come in order. After
// the batch is committed, forget must follow.
func (r *records) flush(batch *state.Batch) {
	slices.SortFunc(r.list, func(a, b *stored) int { return strings.Compare(a.key.ID, b.key.ID) })
	for _, s := range r.list {
		if !s.dirty || r.step[s.key] != s {
			continue
		}
		r.buf = appendKey(r.buf[:0], s.key)
		key := len(r.buf)
		r.buf = s.append(r.buf)
		batch.Set(r.buf[:key], r.buf[key:])
		r.known.add(r.buf[:key])
		if s.warm {
			r.warm.put(r.buf[:key], r.buf[key:])
		} else {
			r.warm.drop(r.buf[:key])
		}
		if s.key.Entity != "Contact" || s.State != handover.Live {
			continue
		}
		if account := r.parent(s.Record); account != "" && account != s.child {
			r.buf = append(append(append(append(r.buf[:0], childPrefix...), account...), '/'), s.key.ID...)
			batch.Set(r.buf, nil)
		}
	}
}

// changed reports whether the step has anything to store.
func (r *records) changed() bool {
	return slices.ContainsFunc(r.list, func(s *stored) bool { return s.dirty })
}

// forget ends the step.
func (r *records) forget() {
	clear(r.step)
	clear(r.list)
	clear(r.fresh)
	r.list, r.fresh, r.data = r.list[:0], r.fresh[:0], r.data[:0]
}

// hollow reports whether nothing is known of the record but that the topic has it: what the topic has cannot be read.
func (s *stored) hollow() bool { return s.State == handover.Live && s.Refused && len(s.value) == 0 }

// storedKey reads the key of a stored record back.
func storedKey(key []byte) handover.Key {
	entity, id, _ := strings.Cut(string(key[len(recordPrefix):]), "/")
	return handover.Key{Entity: entity, ID: id}
}

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
