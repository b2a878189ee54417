package salesforce

import (
	"context"
	"slices"

	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
)

// rebuilder takes the records of the topics into the local state.
type rebuilder struct {
	*loop
	meta    *meta
	high    int64                          // no record can have applied later events
	foreign []foreignRecord                // to be answered
	strange map[handover.Key]foreignRecord // the same, under keys that are no ids, until a tombstone is found behind them
	letters []letter                       // dead letters of the batch in hand; what a later record makes good needs none
}

const rebuildBatch = 5000

func (r *rebuilder) read(ctx context.Context, names []string, ends map[string][]topic.Range) error {
	reader, err := r.cfg.Kafka.NewReader(ctx, topic.ReaderConfig{Topics: names, From: r.meta.Offsets})
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // only ends the fetching
	var f topic.Fetch
	f.Next = r.meta.Offsets
	for !f.CaughtUp(ends) {
		if f, err = reader.Poll(ctx); err != nil {
			return err
		}
		for _, rec := range f.Records {
			if err := r.take(rec); err != nil {
				return err
			}
		}
		r.offsets.next = f.Next
		if len(r.records.step)+len(r.letters) >= rebuildBatch || f.CaughtUp(ends) {
			if err := r.commitRebuilt(ctx); err != nil {
				return err
			}
		}
	}
	r.offsets.next = r.offsets.snapshot()
	return nil
}

// commitRebuilt makes a batch durable: first the dead letters, since what is behind the offsets is not looked at again. What is
// to be answered holds them back until it is.
func (r *rebuilder) commitRebuilt(ctx context.Context) error {
	defer r.records.forget()
	for _, letter := range r.letters {
		if err := r.post(ctx, letter); err != nil {
			return err
		}
	}
	if len(r.letters) > 0 {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	r.letters = nil
	r.offsets.takeForeign()
	for _, f := range r.foreign {
		r.offsets.giveBack([]span{f.at})
	}
	for _, f := range r.strange {
		r.offsets.giveBack([]span{f.at})
	}
	batch := r.store.NewBatch()
	r.records.flush(batch)
	if err := r.putMeta(batch); err != nil {
		batch.Discard()
		return err
	}
	return batch.Commit()
}

// take applies one record of the topic: the highest version counts, wherever it stands (W3).
func (r *rebuilder) take(rec topic.Record) error {
	k := r.keyOf(rec)
	if !isRecord(k.Entity, k.ID) {
		r.takeStrange(k, rec)
		return nil
	}
	s, why := r.recordOf(k, rec)
	if why != nil && !isDamage(why) {
		return why
	}
	if why != nil {
		s.Pos = min(s.Pos, r.high)
	}
	r.note(s.Version.Epoch, s.Pos)
	old, err := r.records.Load(k)
	if err != nil {
		return err
	}
	switch {
	case why != nil:
		r.takeDamaged(k, rec, s, old, why)
		return nil
	case s.Version.Less(old.Version):
		r.foreign = append(r.foreign, foreignRecord{key: k, at: spanOf(rec), value: s.value, rec: s.Record})
		return nil
	case s.Version == old.Version:
		return nil
	}
	if len(r.letters) > 0 {
		r.letters = slices.DeleteFunc(r.letters, func(m letter) bool { return m.key == k })
	}
	delete(r.hollow, k)
	s.dirty = true
	r.records.put(k, s)
	return nil
}

// takeDamaged notes a record that cannot be read. When a later one is known, that is published again; else nothing is known of the
// record any more, whatever an earlier one says, until Salesforce is asked.
func (r *rebuilder) takeDamaged(k handover.Key, rec topic.Record, s *stored, old handover.Record, why error) {
	r.letters = append(r.letters, letterOf(k, rec, why))
	if !unversioned(why) && known(old) && !old.Version.Less(s.Version) {
		r.foreign = append(r.foreign, foreignRecord{key: k, at: spanOf(rec), rec: s.Record, why: why})
		return
	}
	if s.Version.Less(old.Version) {
		s.Version = old.Version
	}
	s.dirty = true
	r.records.put(k, s)
	r.hollow[k] = why.Error()
}

// known reports whether something is known of a record.
func known(rec handover.Record) bool {
	return rec.State == handover.Deleted || rec.State == handover.Live && rec.Values != nil
}

// takeStrange notes a record under a key that is no id. A tombstone under one is nothing.
func (r *rebuilder) takeStrange(k handover.Key, rec topic.Record) {
	h, _, _ := parseHeaders(rec) // as far as they can be read
	r.note(h.Epoch, 0)
	if rec.Value == nil {
		delete(r.strange, k)
		r.letters = slices.DeleteFunc(r.letters, func(m letter) bool { return m.key == k })
		return
	}
	why := damaged("its key %.80q is no id of %s", k.ID, k.Entity)
	r.letters = append(r.letters, letterOf(k, rec, why))
	r.strange[k] = foreignRecord{key: k, at: spanOf(rec), place: place(rec), rec: handover.Record{Version: h.Version}, strange: true}
}

func (r *rebuilder) note(epoch, pos int64) {
	r.meta.Epoch = max(r.meta.Epoch, epoch)
	r.meta.Pos[epoch] = max(r.meta.Pos[epoch], pos)
	r.seen = *r.meta
}

// recordOf reads a record of a topic of rows. Its memory is its own. One that cannot be read is a *damage, and what it
// returns stands for a record of which nothing is known but that the topic has it.
func (l *loop) recordOf(k handover.Key, rec topic.Record) (*stored, error) {
	h, commit, err := parseHeaders(rec)
	s := &stored{Record: handover.Record{State: handover.Deleted, Version: h.Version, Pos: h.Pos, AsOf: h.AsOf, Commit: commit}}
	if err == nil && rec.Value == nil {
		return s, nil
	}
	if err == nil {
		s.State, s.value = handover.Live, append([]byte(nil), rec.Value...)
		s.Values, err = l.decode(l.ctx, l.entities[k.Entity], k.ID, s.value)
	}
	if isDamage(err) {
		s = &stored{Record: handover.Record{State: handover.Live, Version: h.Version, Pos: h.Pos, Refused: true}}
	}
	return s, err
}
