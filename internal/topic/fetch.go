package topic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// fetched is the answer to a fetch, decoded; its memory belongs to a loop and is used again.
type fetched struct {
	home     chan *fetched
	answer   []byte
	unpacked []byte // batches that came compressed
	records  []Record
	headers  []Header
	names    names
	advances []advance
	aborted  []aborted
}

// advance is how far a fetch has brought a partition.
type advance struct {
	spot      *spot
	next, end int64
}

// aborted is a transaction whose records are not to be seen.
type aborted struct{ pid, first int64 }

// most is how much of one batch, unpacked, is held at most: far above what brokers accept.
const most = 512 << 20

// fetchLoop fetches from one broker what it leads, as long as it leads something.
func (r *Reader) fetchLoop(node int32, free chan *fetched) {
	for {
		var f *fetched
		select {
		case f = <-free:
		case <-r.life.Done():
			return
		}
		spots, wait := r.turn(node)
		if spots == nil && wait == 0 {
			return
		}
		if spots == nil {
			free <- f
			if !r.rest(wait) {
				return
			}
			continue
		}
		if err := r.fetch(node, spots, f); err != nil {
			r.client.config.Metrics.fetchErrors.Inc()
			r.client.config.Logger.Debug("fetch failed", "node", node, "error", err)
			r.release(spots)
			free <- f
			continue
		}
		select {
		case r.fetched <- f:
		case <-r.life.Done():
			return
		}
	}
}

// turn returns what the loop fetches now, or how long it has to wait; neither when it has nothing left and ends.
func (r *Reader) turn(node int32) (spots []*spot, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, mine := time.Now(), 0
	for _, s := range r.spots {
		if s.node != node {
			continue
		}
		mine++
		if hold := s.hold.Sub(now); hold > 0 {
			if wait == 0 || hold < wait {
				wait = hold
			}
			continue
		}
		spots = append(spots, s)
	}
	if mine == 0 {
		delete(r.loop, node)
	}
	if len(spots) > 1 { // each partition has its turn to be first, where the bytes are given out
		k := int(now.UnixNano()/1000) % len(spots)
		spots = slices.Concat(spots[k:], spots[:k])
	}
	return spots, wait
}

func (r *Reader) rest(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.life.Done():
		return false
	}
}

// release gives partitions up after a failure, looks up who leads them now, and holds them back for a while.
func (r *Reader) release(spots []*spot) {
	topics := map[string]bool{}
	r.mu.Lock()
	for _, s := range spots {
		s.pause.next = min(max(2*s.pause.next, 20*time.Millisecond), time.Second)
		s.hold = time.Now().Add(s.pause.next)
		topics[s.topic] = true
	}
	r.mu.Unlock()
	if err := r.client.layout.refresh(r.life, slices.Collect(maps.Keys(topics))...); err != nil {
		return // asked again after the next failure
	}
	r.verify()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range spots {
		r.give(s, r.client.layout.leader(s.topic, s.partition))
	}
}

// fetch asks for what follows the spots and decodes the answer into f.
func (r *Reader) fetch(node int32, spots []*spot, f *fetched) error {
	b := &toBroker{node: node, exchange: exchange{
		Message: &fetch.Request{}, version: 11, body: [][]byte{r.encodeFetch(spots)}, reply: f.answer,
		max: r.config.MaxBytes + most/4,
	}}
	if err := r.client.send(r.life, &b.exchange, b); err != nil {
		if !finished(b.done) {
			f.answer = nil // the exchange may still fill it
		}
		return err
	}
	f.answer = b.reply
	r.client.config.Metrics.readBytes.Add(float64(len(f.answer)))
	f.unpacked, f.records, f.headers, f.advances = f.unpacked[:0], f.records[:0], f.headers[:0], f.advances[:0]
	failed, err := r.decode(&decoder{b: f.answer}, spots, f)
	if len(failed) > 0 {
		r.client.config.Metrics.fetchErrors.Inc()
		r.release(failed)
	}
	return err
}

func (r *Reader) encodeFetch(spots []*spot) []byte {
	body := appendInt32(nil, -1) // no replica
	body = appendInt32(body, int32(r.config.MaxWait.Milliseconds()))
	body = appendInt32(body, int32(r.config.MinBytes))
	body = append(appendInt32(body, int32(r.config.MaxBytes)), readCommitted)
	body = appendInt32(appendInt32(body, 0), -1) // no session
	body = appendInt32(body, int32(len(spots)))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range spots {
		body = appendInt32(appendString(body, s.topic), 1)
		body = appendInt32(appendInt32(body, s.partition), -1)
		body = appendInt64(appendInt64(body, s.next), -1)
		body = appendInt32(body, int32(r.config.MaxBytes))
	}
	body = appendInt32(body, 0)   // nothing is forgotten
	return appendString(body, "") // no rack
}

// decode goes through the answer. It returns the partitions that have to be asked elsewhere or later.
func (r *Reader) decode(d *decoder, spots []*spot, f *fetched) (failed []*spot, err error) {
	d.int32() // throttled
	if code := d.int16(); code != 0 {
		return nil, kafka.Error(code)
	}
	d.int32() // session
	for range d.length() {
		topic := d.string()
		for range d.length() {
			partition, code := d.int32(), kafka.Error(d.int16())
			d.int64() // high watermark: what counts is the end of what is committed
			end := d.int64()
			d.int64() // log start
			f.aborted = f.aborted[:0]
			for range d.length() {
				f.aborted = append(f.aborted, aborted{pid: d.int64(), first: d.int64()})
			}
			d.int32() // preferred replica
			records := d.bytes()
			i := slices.IndexFunc(spots, func(s *spot) bool { return s.topic == topic && s.partition == partition })
			if d.err != nil || i < 0 {
				continue
			}
			if code != 0 {
				if r.refused(spots[i], code) {
					failed = append(failed, spots[i])
				}
				continue
			}
			if err := r.decodePartition(spots[i], records, end, f); err != nil {
				r.fail(fmt.Errorf("read %s partition %d: %w", topic, partition, err))
				return nil, err
			}
		}
	}
	return failed, d.err
}

// refused acts on an error of one partition and reports whether it is to be asked again.
func (r *Reader) refused(s *spot, code kafka.Error) (again bool) {
	if code == kafka.OffsetOutOfRange {
		err := r.explainOffset(s)
		if err != nil {
			r.fail(err)
		}
		return err == nil
	}
	if transient(code) {
		return true
	}
	r.fail(fmt.Errorf("read %s partition %d: %w", s.topic, s.partition, code))
	return false
}

// explainOffset finds out what the partition holds; nil when the offset is there after all.
func (r *Reader) explainOffset(s *spot) error {
	ctx, cancel := context.WithTimeout(r.life, requestTimeout)
	defer cancel()
	ranges, err := r.client.Offsets(ctx, s.topic)
	if err != nil {
		if errors.Is(err, errPermanent) {
			return err
		}
		return nil // asked again
	}
	e := &OffsetError{Topic: s.topic, Partition: s.partition, Offset: s.next, First: -1, End: -1}
	if int(s.partition) < len(ranges[s.topic]) {
		e.First, e.End = ranges[s.topic][s.partition].First, ranges[s.topic][s.partition].End
	}
	if s.next >= e.First && s.next <= e.End {
		return nil
	}
	return e
}

// decodePartition adds the records of one partition to f.
func (r *Reader) decodePartition(s *spot, b []byte, end int64, f *fetched) error {
	next := s.next
	hidden := map[int64]bool(nil) // producers whose transaction is one that was aborted
	for len(b) > 0 {
		v, rest, ok, err := nextBatch(b)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		b = rest
		if v.last < next {
			continue
		}
		hidden = hide(hidden, f.aborted, v.last)
		switch {
		case v.attributes&control != 0:
			delete(hidden, v.pid) // the transaction ends here
		case v.attributes&transaction != 0 && hidden[v.pid]:
		default:
			if err := f.add(s, &v, next); err != nil {
				return err
			}
		}
		next = v.last + 1
	}
	r.mu.Lock()
	s.next = next
	s.pause, s.hold = backoff{}, time.Time{}
	r.mu.Unlock()
	f.advances = append(f.advances, advance{spot: s, next: next, end: end})
	return nil
}

// hide adds the producers whose aborted transaction begins up to last.
func hide(hidden map[int64]bool, list []aborted, last int64) map[int64]bool {
	for i, a := range list {
		if a.first >= 0 && a.first <= last {
			if hidden == nil {
				hidden = map[int64]bool{}
			}
			hidden[a.pid] = true
			list[i].first = -1 // done
		}
	}
	return hidden
}

// add decodes a batch; what lies before next was read before.
func (f *fetched) add(s *spot, v *batchView, next int64) error {
	records, grown, err := v.unpack(f.unpacked, most)
	f.unpacked = grown
	if err != nil {
		return err
	}
	x := recordReader{batch: v, d: decoder{b: records}, left: v.count, headers: f.headers, names: f.names}
	r := Record{Topic: s.topic, Partition: s.partition}
	for x.next(&r) {
		if r.Offset >= next && !IsBarrier(r) {
			f.records = append(f.records, r)
		}
	}
	f.headers = x.headers
	if x.d.err != nil {
		return fmt.Errorf("record batch at offset %d: %w", v.base, x.d.err)
	}
	return nil
}
