package erp

import (
	"context"
	"fmt"

	"crosswalk/internal/change"
	"crosswalk/internal/topic"
)

// batch is what one job has sent and waits for.
type batch struct {
	s       *session
	source  string
	trusted bool          // something was not sent because the topic holds it already
	left    int           // records that are not acknowledged; guarded by s.mu
	settled chan struct{} // closed when left falls to 0 while somebody waits; guarded by s.mu
}

func (s *session) begin(source string) *batch { return &batch{s: s, source: source} }

// put publishes a customer unless the topic holds it already, and reports whether it did. value is the framed record. It
// returns before the record is acknowledged: settle waits for that.
func (b *batch) put(ctx context.Context, key string, value []byte) (published bool, err error) {
	content := digestOf(value[wireHeader:])
	return b.send(ctx, key, func(d *directory, k *known) (topic.Record, bool) {
		if !d.changed(key, b.source, content) {
			return topic.Record{}, false
		}
		op := change.OpUpdate
		if !k.live {
			op = change.OpCreate
		}
		k.live, k.digest, k.source = true, content, d.source(b.source)
		return b.s.record(key, value, op, b.source), true
	})
}

// remove deletes a customer of the source, unless the topic does not hold it, and reports whether it did. A customer that
// another source publishes now is not this one's to delete.
func (b *batch) remove(ctx context.Context, key string) (deleted bool, err error) {
	return b.send(ctx, key, func(d *directory, k *known) (topic.Record, bool) {
		if !k.live || k.source != d.source(b.source) {
			return topic.Record{}, false
		}
		k.live = false
		return b.s.record(key, nil, change.OpDelete, b.source), true
	})
}

// wireHeader is the length of Confluent's frame before the Avro body.
const wireHeader = 5

// send lets decide make the record from what is known of the key, gives it its version, and hands it to the writer.
func (b *batch) send(ctx context.Context, key string, decide func(*directory, *known) (topic.Record, bool)) (bool, error) {
	s := b.s
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-s.ended:
		return false, s.cause()
	}
	s.mu.Lock()
	if s.broken != nil {
		s.mu.Unlock()
		return false, s.broken
	}
	k := s.known.keys[key]
	r, ok := decide(s.known, &k)
	if !ok {
		b.trusted = true
		if f := s.flying[key]; f != nil { // it is not there yet
			f.waiting = append(f.waiting, b)
			b.left++
		}
		s.mu.Unlock()
		return false, nil
	}
	k.version = change.Version{Epoch: s.epoch, Rev: k.version.Rev + 1}
	s.known.keys[key] = k
	f := &flight{waiting: []*batch{b}}
	s.flying[key] = f
	b.left++
	s.mu.Unlock()
	r.Headers = append(versionHeaders(key, k.version), r.Headers...)
	err := s.writer.Send(ctx, r, func(r topic.Record, err error) { s.acked(key, f, r, err) })
	if err != nil {
		err = fmt.Errorf("publish customer %s to %s: %w", key, s.topics.customer, err)
		s.acked(key, f, r, err)
		return false, err
	}
	return true, nil
}

// settle waits until all that the batch has sent, and all that it left out because it was on its way already, is acknowledged.
// What it left out because the topic holds it is true only if nobody else has written since: that is asked for.
func (b *batch) settle(ctx context.Context) error {
	if err := b.wait(ctx); err != nil || !b.trusted {
		return err
	}
	s := b.s
	now, err := s.cfg.Kafka.Offsets(ctx, s.topics.customer)
	if err != nil {
		return err
	}
	// What lies there and is this session's own is acknowledged, or is on its way now.
	s.mu.Lock()
	for _, f := range s.flying {
		f.waiting = append(f.waiting, b)
		b.left++
	}
	s.mu.Unlock()
	if err := b.wait(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range now[s.topics.customer] {
		if i >= len(s.ends) || p.End > s.ends[i] {
			s.end(errTaken)
		}
	}
	return s.broken
}

// wait waits until no record of the batch is under way.
func (b *batch) wait(ctx context.Context) error {
	b.s.mu.Lock()
	var settled chan struct{}
	if b.left > 0 {
		settled = make(chan struct{})
		b.settled = settled
	}
	b.s.mu.Unlock()
	if settled != nil {
		select {
		case <-settled:
		case <-b.s.ended:
		case <-ctx.Done():
			return fmt.Errorf("wait for acknowledgement: %w", context.Cause(ctx))
		}
	}
	return b.s.cause()
}
