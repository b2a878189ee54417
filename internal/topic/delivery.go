package topic

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// maxRequestBytes bounds one produce request, which carries at most one batch of each partition of a broker.
const maxRequestBytes = 16 << 20

// replicaTimeout is how long a broker may wait for its replicas; it answers before we give up waiting.
const replicaTimeout = requestTimeout * 2 / 3

// leasePoll is how soon a writer whose lease is too old looks again.
const leasePoll = 20 * time.Millisecond

// idleAfter is how long after its last request a writer gives its memory back.
const idleAfter = 5 * time.Second

// run sends what is ready, one request at a time to each broker, until the writer is at its end.
func (w *Writer) run() {
	defer close(w.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for w.life.Err() == nil {
		requests, next := w.collect(time.Now())
		for _, r := range requests {
			w.sending.Go(func() { w.deliver(r) })
		}
		timer.Reset(next)
		select {
		case <-w.wake:
		case <-timer.C:
		case <-w.life.Done():
		}
	}
	w.sending.Wait()
}

// request is a produce request: the first batch of each of some partitions that one broker leads.
type request struct {
	node  int32
	items []item
}

// item is the first batch of a partition, and what it is sealed as when it is sent for the first time.
type item struct {
	*partition
	batch *batch
	seq   sequence
}

// collect takes what is ready to be sent, and says how long there is nothing more to do unless somebody wakes it.
func (w *Writer) collect(now time.Time) (requests []*request, next time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next = time.Second
	if w.failed != nil || w.renew(now) {
		return nil, next
	}
	if now.Sub(w.sentAt) > idleAfter {
		w.free = nil // a writer at rest keeps no memory
	}
	byNode, size := map[int32]*request{}, map[int32]int{}
	for i := range w.parts {
		p := w.parts[(w.turn+i)%len(w.parts)]
		if p.flying || len(p.queue) == 0 {
			continue
		}
		if wait := p.ready(now, w.config.Linger); wait > 0 {
			next = min(next, wait)
			continue
		}
		node := w.client.layout.leader(p.topic, p.id)
		if node < 0 {
			w.later(p, now)
			w.sending.Go(func() { w.relocate(p.topic) })
			continue
		}
		b := p.queue[0]
		switch {
		case w.busy[node], size[node] > 0 && size[node]+len(b.buf) > maxRequestBytes:
			continue
		case b.out == nil && !now.Before(w.renewAt):
			continue // what was sent before is settled first
		case !w.lease.held():
			return nil, w.withhold()
		case byNode[node] == nil:
			byNode[node] = &request{node: node}
		}
		byNode[node].items = append(byNode[node].items, item{p, b, sequence{w.pid, w.epoch, p.next}})
		size[node] += len(b.buf)
	}
	w.turn++
	for node, r := range byNode {
		w.busy[node], w.sentAt = true, now
		for _, it := range r.items {
			it.flying, it.batch.closed = true, true
		}
		slices.SortFunc(r.items, func(a, b item) int {
			return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.id, b.id))
		})
		requests = append(requests, r)
	}
	return requests, next
}

// withhold is called when the lease is too old to send anything. w.mu is held.
func (w *Writer) withhold() time.Duration {
	w.client.config.Metrics.withheld.Inc()
	if w.lease.lost.Load() {
		w.sending.Go(func() { w.fail(fmt.Errorf("write as task %s: %w", w.config.Task, ErrLeaseLost)) })
	}
	return leasePoll
}

// ready returns how long the first batch of p still waits.
func (p *partition) ready(now time.Time, linger time.Duration) time.Duration {
	if wait := p.hold.Sub(now); wait > 0 {
		return wait
	}
	b := p.queue[0]
	if b.hurry || b.tries > 0 || len(p.queue) > 1 {
		return 0
	}
	return linger - now.Sub(b.since)
}

// later holds p back for a while after a failure. w.mu is held.
func (w *Writer) later(p *partition, now time.Time) {
	p.pause.next = min(max(2*p.pause.next, 20*time.Millisecond), time.Second)
	p.hold = now.Add(p.pause.next)
}

// relocate asks where a topic is. A topic that was made anew is the end of the writer: what it wrote is gone.
func (w *Writer) relocate(topic string) {
	place, err := w.client.layout.look(w.life, topic)
	if err == nil && place.id != w.topics[topic][0].identity {
		w.fail(fmt.Errorf("write to %s: the topic was deleted and made anew", topic))
	}
	w.nudge()
}

// deliver sends a request and acts on the answer.
func (w *Writer) deliver(r *request) {
	defer w.nudge()
	message, err := w.encode(r)
	if err != nil {
		w.fail(err)
		return
	}
	start := time.Now()
	err = w.client.send(w.life, &message.exchange, message)
	w.client.config.Metrics.produce.Observe(time.Since(start).Seconds())
	var moved map[string]bool
	if err == nil {
		moved = w.settle(r.items, &decoder{b: message.reply})
	} else {
		w.client.config.Logger.Debug("produce request failed", "node", r.node, "error", err)
		moved = w.unanswered(r.items, !finished(message.done))
	}
	for topic := range moved {
		w.relocate(topic)
	}
	w.mu.Lock()
	delete(w.busy, r.node)
	w.mu.Unlock()
}

// unanswered is called when a request or its answer is lost: whether the records are in the log shows when they are
// sent again.
func (w *Writer) unanswered(items []item, shared bool) (moved map[string]bool) {
	moved = map[string]bool{}
	for _, it := range items {
		it.batch.shared = it.batch.shared || shared
		it.batch.unsure = true
		w.again(it)
		moved[it.topic] = true
	}
	return moved
}

func finished(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// encode seals the batches that are sent for the first time and builds the request around them.
func (w *Writer) encode(r *request) (*toBroker, error) {
	m := &toBroker{node: r.node, exchange: exchange{Message: &produce.Request{}, version: 8, max: 16 << 20}}
	head := appendInt16(appendNullString(nil), -1) // no transaction; all in-sync replicas
	head = appendInt32(head, int32(replicaTimeout.Milliseconds()))
	head = appendInt32(head, int32(countTopics(r.items)))
	for i, it := range r.items {
		b := it.batch
		if b.out == nil {
			out, err := b.seal(it.seq, w.config.Compression, nil)
			if err != nil {
				return nil, fmt.Errorf("write to %s: %w", it.topic, err)
			}
			b.out = out
		}
		if i == 0 || it.topic != r.items[i-1].topic {
			head = appendInt32(appendString(head, it.topic), int32(sameTopic(r.items[i:])))
		}
		head = appendInt32(appendInt32(head, it.id), int32(len(b.out)))
		m.body = append(m.body, head, b.out)
		head = nil
	}
	return m, nil
}

func countTopics(items []item) (n int) {
	for i, it := range items {
		if i == 0 || it.topic != items[i-1].topic {
			n++
		}
	}
	return n
}

// sameTopic returns how many of the first items have the same topic.
func sameTopic(items []item) int {
	for i, it := range items {
		if it.topic != items[0].topic {
			return i
		}
	}
	return len(items)
}

// settle acts on each partition's part of the answer and returns the topics whose leaders have to be looked up.
func (w *Writer) settle(left []item, d *decoder) (moved map[string]bool) {
	left, moved = slices.Clone(left), map[string]bool{}
	for range d.length() {
		topic := d.string()
		for range d.length() {
			a := decodeAnswer(d)
			i := slices.IndexFunc(left, func(it item) bool { return it.topic == topic && it.id == a.partition })
			if d.err != nil || i < 0 {
				continue
			}
			w.conclude(left[i], a)
			if a.moved() {
				moved[topic] = true
			}
			left = slices.Delete(left, i, i+1)
		}
	}
	maps.Copy(moved, w.unanswered(left, false))
	return moved
}

func decodeAnswer(d *decoder) answer {
	a := answer{partition: d.int32(), code: kafka.Error(d.int16()), offset: d.int64()}
	d.int64() // log append time
	d.int64() // log start
	for range d.length() {
		d.int32() // record
		a.reason = d.string()
	}
	a.reason = cmp.Or(a.reason, d.string())
	return a
}

// again puts the batch in line to be sent once more.
func (w *Writer) again(it item) {
	w.client.config.Metrics.retries.Inc()
	w.mu.Lock()
	defer w.mu.Unlock()
	it.flying = false
	it.batch.tries++
	w.later(it.partition, time.Now())
	if it.batch.tries == 3 && w.failed == nil {
		w.client.config.Logger.Warn("records wait because the broker does not take them", "topic", it.topic, "partition", it.id)
	}
}
