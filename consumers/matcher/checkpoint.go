package matcher

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
	"crosswalk/internal/state"
	"crosswalk/internal/topic"
)

// checkpoint is what the local state says beside the join's own log: of which moment it is, and under which settings it
// was published. It is committed with the log in one write (R33).
type checkpoint struct {
	Epoch      int64             `json:"epoch"`    // of everything published so far
	Inputs     topic.Position    `json:"inputs"`   // what the state reflects
	Outputs    topic.Position    `json:"outputs"`  // what the state knows of what is published
	Identity   map[string]string `json:"identity"` // of the topics, by name: one that was made anew has another
	Deleted    string            `json:"erp_deleted_field"`
	Settings   settings          `json:"settings"`
	Freshness  freshness         `json:"freshness"`
	DeadLetter int64             `json:"dead_letters"` // inputs refused so far
}

// settings are what the published values depend on besides the inputs: when they differ, every output is computed again.
type settings struct {
	Link         *customer.Link   `json:"link"`
	ViewMaxBytes int              `json:"view_max_bytes"`
	Schemas      [join.Topics]int `json:"schemas"`
}

func (s settings) equal(t settings) bool {
	return sameLink(s.Link, t.Link) && s.ViewMaxBytes == t.ViewMaxBytes && s.Schemas == t.Schemas
}

func sameLink(a, b *customer.Link) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// freshness is the time in milliseconds of the newest record consumed from each side: a change in Salesforce or in the
// ERP, not the moment when it was consumed.
type freshness struct {
	Salesforce int64 `json:"salesforce"`
	ERP        int64 `json:"erp"`
}

var checkpointKey = []byte("checkpoint")

// fits says why the state cannot be continued on the topics as they are; "" when it can (R34).
func (c checkpoint) fits(identity map[string]string, ranges map[string][]topic.Range, deleted string) string {
	if c.Deleted != deleted {
		return fmt.Sprintf("erp_deleted_field was %q and is %q now", c.Deleted, deleted)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Identity)) {
		if id, ok := identity[name]; ok && id != c.Identity[name] {
			return fmt.Sprintf("topic %s was made anew", name)
		}
	}
	for _, position := range []topic.Position{c.Inputs, c.Outputs} {
		for name, offsets := range position {
			for i, next := range offsets {
				if held := ranges[name]; i >= len(held) || next < held[i].First || next > held[i].End {
					return fmt.Sprintf("offset %d of %s partition %d is outside of what the topic holds", next, name, i)
				}
			}
		}
	}
	return ""
}

// disk is the join's Store on a state.Store.
type disk struct{ *state.Store }

// Write sets and drops keys in one atomic and durable write.
func (d disk) Write(set []join.Pair, drop [][]byte) error {
	size := 32 * (1 + len(set) + len(drop)) // what surrounds each
	for _, p := range set {
		size += len(p.Key) + len(p.Value)
	}
	b := d.NewBatchOf(size)
	for _, key := range drop {
		b.Delete(key)
	}
	for _, p := range set {
		b.Set(p.Key, p.Value)
	}
	return b.Commit()
}

// wipe forgets everything but the epoch, above which the next owner must begin.
func (d disk) wipe() error {
	c, _, err := readCheckpoint(d)
	if err != nil {
		c = checkpoint{} // the outputs tell the epoch as well
	}
	text, err := json.Marshal(checkpoint{Epoch: c.Epoch})
	if err != nil {
		return err
	}
	b := d.NewBatch()
	b.DeletePrefix(nil)
	b.Set(checkpointKey, text)
	return b.Commit()
}

func readCheckpoint(s join.Store) (c checkpoint, ok bool, err error) {
	text, ok, err := s.Append(nil, checkpointKey)
	if err != nil || !ok {
		return c, false, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return checkpoint{}, false, fmt.Errorf("read checkpoint: %w", err)
	}
	return c, true, nil
}
