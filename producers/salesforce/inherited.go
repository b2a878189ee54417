package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// noteSource begins the source under which crosswalk.position keeps how far a kind of notes is read; the object follows.
const noteSource = "notes/"

// inherited is what former processes left in crosswalk.position.
type inherited struct {
	records map[string]topic.Record // the last one, by source
	epoch   int64                   // the greatest of all, those that cannot be read included as far as their headers tell
	lost    error                   // why the stream's position cannot be read; nil when it can, or when there is none
	failed  []*Backfill             // those of which it cannot be read what became of them
}

// inherit reads what former processes left. Nobody else writes it while this one lives.
func (l *loop) inherit(ctx context.Context) error {
	l.left = inherited{records: map[string]topic.Record{}}
	_, err := l.cfg.Kafka.ReadAll(ctx, []string{l.topics.position}, func(r topic.Record) error {
		source, ours := strings.CutPrefix(string(r.Key), l.org()+"/")
		if !ours || source != streamSource && !strings.HasPrefix(source, noteSource) && !strings.HasPrefix(source, BackfillSource) {
			return nil
		}
		h, _, _ := parseHeaders(r) // as far as they can be read
		l.left.epoch = max(l.left.epoch, h.Epoch)
		delete(l.left.records, source)
		if r.Value != nil {
			l.left.records[source] = copyOf(r)
		}
		return nil
	})
	return err
}

// inheritedPosition returns the last record of a source, nil when there is none. One that cannot be read is a *damage.
func (l *loop) inheritedPosition(ctx context.Context, source string) (*avro.Position, error) {
	r, ok := l.left.records[source]
	if !ok {
		return nil, nil
	}
	id, body, err := avro.Unframe(r.Value)
	if err != nil {
		return nil, damaged("%w", err)
	}
	text, err := l.registered(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err := avro.DecodePosition(text, body)
	switch {
	case err != nil:
		return nil, damaged("%w", err)
	case p.Source != source:
		return nil, damaged("it is the position of %q", p.Source)
	}
	return &p, nil
}

// readPosition takes up the last stored position of the stream; it is zero when there is none. One that cannot be read is a lost one:
// its bytes go to the dead letter topic, and resume gives it up (H10).
func (l *loop) readPosition(ctx context.Context) (handover.Position, error) {
	value, err := l.inheritedPosition(ctx, streamSource)
	if err == nil && value == nil {
		return handover.Position{}, nil
	}
	var d *detail
	if err == nil {
		d, err = readDetail(value)
	}
	if isDamage(err) {
		l.left.lost = err
		if value != nil && value.ReplayID != nil {
			l.stored.ReplayID = *value.ReplayID // where the hole begins
		}
		return handover.Position{}, l.post(ctx, letter{record: l.left.records[streamSource], why: err})
	}
	if err != nil {
		return handover.Position{}, err
	}
	if d.Jobs != nil {
		l.jobs = d.Jobs
	}
	maps.Copy(l.feeds, d.Feeds)
	l.book = hole.NewBook(l.org(), d.Book)
	l.stored, l.storedAt = d.Position, time.Now()
	l.hadColumns, err = l.columnsOf(ctx, d.Schemas)
	return d.Position, err
}

// readDetail reads what a position keeps for the next owner. What cannot be followed is a *damage.
func readDetail(p *avro.Position) (*detail, error) {
	d := &detail{}
	if err := json.Unmarshal([]byte(p.Detail[detailKey]), d); err != nil {
		return nil, damaged("its detail %q cannot be read: %w", detailKey, err)
	}
	if d.Position.Lineage == 0 {
		return nil, damaged("its detail %q tells of no stream", detailKey)
	}
	strange := func(name string, there bool) bool { return !there || !slices.Contains(entities, name) }
	for name, j := range d.Jobs {
		if strange(name, j != nil) {
			return nil, damaged("its detail %q has no job of %q that can be followed", detailKey, name)
		}
	}
	for name, f := range d.Feeds {
		if strange(name, f != nil) {
			return nil, damaged("its detail %q does not tell how changes of %q are learned", detailKey, name)
		}
	}
	for name := range d.Position.Snapshots {
		if strange(name, true) {
			return nil, damaged("its detail %q has a snapshot of %q", detailKey, name)
		}
	}
	return d, nil
}

// losePosition gives up a position that cannot be read: everything is read again.
func (l *loop) losePosition() {
	l.lost(hole.DamagedPosition, "the stored position cannot be read ("+l.left.lost.Error()+"): it is in the dead letter topic, and everything is read again")
}

// readCursor returns how far a kind of notes was read, nil when nothing is known of it. A cursor that cannot be read is a hole: all notes of the
// kind are read again.
func (n *notes) readCursor(ctx context.Context, object string) (*avro.Poll, error) {
	p, err := n.inheritedPosition(ctx, noteSource+object)
	if err == nil && p != nil && (p.Poll == nil || p.Poll.CoveredUntil == nil || p.Poll.DeletedCoveredUntil == nil) {
		err = damaged("it does not tell what is covered")
	}
	if isDamage(err) {
		return nil, n.do(ctx, func() error {
			n.loop.book.Note(hole.Finding{
				Entity: object, Reason: hole.DamagedPosition, Repair: hole.BySnapshot, Lineage: n.m.Lineage(),
				Why: "the position of " + object + " cannot be read (" + err.Error() + "): it is in the dead letter topic, and all of them are read again",
			}, n.now())
			return n.post(ctx, letter{record: n.left.records[noteSource+object], why: err})
		})
	}
	if err != nil || p == nil {
		return nil, err
	}
	return p.Poll, nil
}

// recallBackfills puts what became of former requests onto the desk. One of which that cannot be read has failed; the others go on.
func (l *loop) recallBackfills(ctx context.Context) error {
	for _, source := range slices.Sorted(maps.Keys(l.left.records)) {
		id, ok := strings.CutPrefix(source, BackfillSource)
		if !ok {
			continue
		}
		p, err := l.inheritedPosition(ctx, source)
		var b *Backfill
		if err == nil {
			b, err = ReadBackfill(p)
		}
		if err != nil && !isDamage(err) {
			return err
		}
		if err != nil {
			r := l.left.records[source]
			b = l.loseBackfill(id, r.Time, err)
			if err := l.post(ctx, letter{record: r, why: err}); err != nil {
				return err
			}
		}
		l.desk.states[id] = b
	}
	return nil
}

// loseBackfill makes a backfill a failed one because what became of it cannot be read.
func (l *loop) loseBackfill(id string, stored time.Time, why error) *Backfill {
	b := &Backfill{ID: id, RequestedAt: stored.UTC()}
	if q := l.desk.request(id); q != nil {
		b = q.backfill()
	}
	b.State, b.EndedAt = BackfillFailed, time.Now().UTC()
	b.Reason = "what was stored of it cannot be read (" + why.Error() + "): it is in the dead letter topic; ask for the backfill again"
	l.left.failed = append(l.left.failed, b)
	return b
}

// ReadBackfill returns the backfill that a position of source backfill/ID is about.
func ReadBackfill(p *avro.Position) (*Backfill, error) {
	b := &Backfill{}
	err := json.Unmarshal([]byte(p.Detail[backfillKey]), b)
	if err == nil && (BackfillSource+b.ID != p.Source || !b.State.Over() && len(b.Parts) != len(b.Objects)) {
		err = errors.New("it is not whole")
	}
	if err != nil {
		return nil, &damage{why: fmt.Errorf("read the position of %s: %w", p.Source, err)}
	}
	return b, nil
}

// tellLost stores and tells which backfills have failed because what became of them cannot be read. A snapshot that only one of them wanted is
// given up.
func (c *clerk) tellLost(ctx context.Context) error {
	for _, b := range c.left.failed {
		err := c.do(ctx, func() error {
			for _, object := range b.Objects {
				c.drop(object, snapshotReason(b.ID))
			}
			return nil
		})
		if err != nil {
			return err
		}
		c.cfg.Logger.Warn("a backfill failed", "backfill", b.ID, "error", b.Reason)
		c.over(ctx, b)
		if err := c.keep(ctx, b); err != nil {
			return err
		}
	}
	c.left.failed = nil
	return nil
}
