package topic

import (
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
)

// answer is what a broker says about one batch.
type answer struct {
	partition int32
	code      kafka.Error
	offset    int64 // of the first record
	reason    string
}

// verdict is what an answer means for the batch.
type verdict int

const (
	written  verdict = iota // it is in the log
	repeat                  // whether it is in the log is open, or it may be taken later
	refused                 // it is not in the log, because of what it contains
	impostor                // another owner has taken over
	hopeless                // the order or the number of records can no longer be vouched for
)

func judge(code kafka.Error) verdict {
	switch code {
	case 0, kafka.DuplicateSequenceNumber:
		return written
	case kafka.InvalidProducerEpoch, kafka.ProducerFenced:
		return impostor
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidTimestamp:
		return refused
	}
	if transient(code) {
		return repeat
	}
	return hopeless
}

// conclude acts on the answer about a batch.
func (w *Writer) conclude(p item, a answer) {
	switch judge(a.code) {
	case written:
		offset := a.offset
		if a.code != 0 {
			offset = UnknownOffset
		}
		w.acknowledge(p, offset)
	case repeat:
		p.batch.unsure = p.batch.unsure || a.unsure()
		w.again(p)
	case refused:
		w.refuse(p, fmt.Errorf("write to %s: %w: %w", p.topic, ErrRefused, a.err()))
	case impostor:
		w.client.config.Metrics.fenced.Inc()
		w.fail(fmt.Errorf("write to %s as task %s: %w: %w", p.topic, w.config.Task, ErrFenced, a.code))
	case hopeless:
		w.fail(fmt.Errorf("write to %s partition %d: %w", p.topic, p.id, a.err()))
	}
}

func (a answer) err() error {
	if a.reason == "" {
		return a.code
	}
	return fmt.Errorf("%s: %w", a.reason, a.code)
}

// unsure reports whether the batch may be in the log all the same.
func (a answer) unsure() bool {
	return a.code == kafka.RequestTimedOut || a.code == kafka.NotEnoughReplicasAfterAppend || a.code == kafka.NetworkException
}

// moved reports whether another broker is to be asked.
func (a answer) moved() bool {
	switch a.code {
	case kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition,
		kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch, kafka.KafkaStorageError, kafka.BrokerNotAvailable:
		return true
	}
	return false
}

// acknowledge ends a batch: its records are in the log from offset on.
func (w *Writer) acknowledge(p item, offset int64) {
	w.mu.Lock()
	if w.failed != nil {
		w.mu.Unlock()
		return // its records were reported with the reason
	}
	b := p.batch
	if b.tries >= 3 {
		w.client.config.Logger.Info("the broker takes records again", "topic", p.topic, "partition", p.id)
	}
	p.queue = slices.Delete(p.queue, 0, 1)
	p.flying, p.pause = false, backoff{}
	p.next = int32((int64(p.next) + int64(b.count)) & 0x7fffffff) // Kafka's numbers begin again at 0
	w.mu.Unlock()
	w.room.Release(b.weight)
	w.client.config.Metrics.written.Add(float64(b.count))
	w.client.config.Metrics.writtenBytes.Add(float64(len(b.out)))
	b.report(w, offset, nil)
	w.finish(b)
}

// report calls back for each record of the batch.
func (b *batch) report(w *Writer, offset int64, err error) {
	w.ackMu.Lock()
	defer w.ackMu.Unlock()
	for i := range b.records {
		r := &b.records[i]
		r.record.Offset = UnknownOffset
		if offset >= 0 {
			r.record.Offset = offset + int64(i)
		}
		if r.acked != nil {
			r.acked(r.record, err)
		}
	}
}

// finish tells those who wait and keeps the memory of the batch for another.
func (w *Writer) finish(b *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range b.waiters {
		if f.left--; f.left == 0 {
			close(f.done)
		}
	}
	if !b.shared && len(w.free) < w.config.MaxBuffered/w.config.MaxBatchBytes+4 {
		clear(b.records)
		*b = batch{encoding: b.encoding, records: b.records[:0]}
		w.free = append(w.free, b)
	}
}

// refuse deals with a batch that the broker does not take because of a record in it: it is halved until that record is
// found. The batch is not in the log, so its sequence numbers are free; an earlier try whose end is open
// forbids that.
func (w *Writer) refuse(p item, reason error) {
	w.mu.Lock()
	b := p.batch
	if w.failed != nil {
		w.mu.Unlock()
		return
	}
	if b.unsure {
		w.mu.Unlock()
		w.fail(reason)
		return
	}
	if b.count > 1 {
		first, second := b.halves()
		first.waiters, second.waiters = b.waiters, slices.Clone(b.waiters)
		for _, f := range b.waiters {
			f.left++
		}
		p.queue = slices.Replace(p.queue, 0, 1, first, second)
		p.flying = false
		w.mu.Unlock()
		return
	}
	p.queue = slices.Delete(p.queue, 0, 1)
	p.flying = false
	if w.rejected == nil {
		w.rejected = reason
	}
	w.mu.Unlock()
	w.room.Release(b.weight)
	w.client.config.Metrics.rejected.Inc()
	b.report(w, UnknownOffset, reason)
	w.finish(b)
}

// halves copies the records into two new batches.
func (b *batch) halves() (first, second *batch) {
	first, second = &batch{since: b.since, hurry: true}, &batch{since: b.since, hurry: true}
	first.reset()
	second.reset()
	view := batchView{firstTime: b.firstTime, count: b.count}
	records := recordReader{batch: &view, d: decoder{b: b.buf[batchHeader:]}, left: b.count, names: names{}}
	var r Record
	for i := 0; records.next(&r); i++ {
		half := first
		if i >= len(b.records)/2 {
			half = second
		}
		half.add(&r, r.Time.UnixMilli())
		half.records = append(half.records, b.records[i])
	}
	first.weight = b.weight / 2
	second.weight = b.weight - first.weight
	first.closed, second.closed = true, true
	return first, second
}

// fail is the end of the writer: all that is not acknowledged is reported with the reason. The first reason stays.
func (w *Writer) fail(reason error) {
	w.mu.Lock()
	if w.failed != nil {
		w.mu.Unlock()
		return
	}
	w.failed = reason
	var rest []*batch
	for _, p := range w.parts {
		rest = append(rest, p.queue...)
		p.queue = nil
	}
	w.mu.Unlock()
	w.end(reason)
	for _, b := range rest {
		b.report(w, UnknownOffset, reason)
		w.room.Release(b.weight)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range rest {
		for _, f := range b.waiters {
			if f.left--; f.left == 0 {
				close(f.done)
			}
		}
	}
}
