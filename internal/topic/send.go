package topic

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Send puts r behind all that was sent to its partition before, which is chosen from the key as Java's default
// partitioner does. It blocks while MaxBuffered is reached. What r points to may be reused as soon as Send returns.
//
// acked, which may be nil, is called once, unless Send itself returns an error: with Partition and Offset set when all
// in-sync replicas have the record, else with the error. Per partition the calls come in the order of the offsets,
// and calls of one writer never overlap; they must not wait for the writer. The record given to it shares the memory
// that was given to Send.
func (w *Writer) Send(ctx context.Context, r Record, acked func(Record, error)) error {
	if string(r.Key) == BarrierKey || len(r.Key) == 0 {
		return fmt.Errorf("write to %s: %q is not a key", r.Topic, r.Key)
	}
	parts := w.topics[r.Topic]
	if len(parts) == 0 {
		return fmt.Errorf("write to %s: the writer of task %s has no barrier there", r.Topic, w.config.Task)
	}
	size := min(int64(recordBound(&r)), int64(w.config.MaxBuffered))
	if !w.room.TryAcquire(size) {
		if err := w.makeRoom(ctx, size); err != nil {
			return err
		}
	}
	w.mu.Lock()
	if w.failed != nil {
		err := w.failed
		w.mu.Unlock()
		w.room.Release(size)
		return err
	}
	ready := w.append(parts[partitionOf(r.Key, len(parts))], &r, size, acked)
	w.mu.Unlock()
	if ready {
		w.nudge()
	}
	return nil
}

// makeRoom waits until size bytes are free, or the writer or ctx ends.
func (w *Writer) makeRoom(ctx context.Context, size int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(w.life, func() { cancel(context.Cause(w.life)) })
	defer stop()
	if w.room.Acquire(ctx, size) == nil {
		return nil
	}
	return context.Cause(ctx)
}

// append adds r to the open batch of p and reports whether the sender has to look at it. w.mu is held.
func (w *Writer) append(p *partition, r *Record, size int64, acked func(Record, error)) (ready bool) {
	var b *batch
	if n := len(p.queue); n > 0 {
		b = p.queue[n-1]
	}
	if b == nil || b.closed || len(b.buf)+recordBound(r) > w.config.MaxBatchBytes {
		b = w.newBatch(len(p.queue) > 0)
		p.queue = append(p.queue, b)
		ready = true
	}
	at := r.Time
	if at.IsZero() {
		at = b.since
		if b.count > 0 {
			at = time.Now()
		}
		r.Time = time.UnixMilli(at.UnixMilli())
	}
	b.add(r, at.UnixMilli())
	b.weight += size
	r.Partition = p.id
	b.records = append(b.records, pending{record: *r, acked: acked})
	return ready
}

// newBatch returns an empty batch; when others wait already, this one will be filled, and gets its memory at once.
func (w *Writer) newBatch(full bool) *batch {
	b := &batch{}
	if n := len(w.free); n > 0 {
		b, w.free = w.free[n-1], w.free[:n-1]
	} else if full {
		b.buf = make([]byte, 0, w.config.MaxBatchBytes)
	}
	b.since = time.Now()
	b.reset()
	return b
}

// Write sends the records and waits until all are acknowledged by all in-sync replicas. It returns the first error.
func (w *Writer) Write(ctx context.Context, records ...Record) error {
	var mu sync.Mutex
	var first error
	var left sync.WaitGroup
	note := func(_ Record, err error) {
		mu.Lock()
		if first == nil {
			first = err
		}
		mu.Unlock()
		left.Done()
	}
	for _, r := range records {
		left.Add(1)
		if err := w.Send(ctx, r, note); err != nil {
			return err
		}
	}
	w.hurry()
	done := make(chan struct{})
	go func() { left.Wait(); close(done) }()
	select {
	case <-done:
		mu.Lock()
		defer mu.Unlock()
		return first
	case <-ctx.Done():
		return fmt.Errorf("wait for acknowledgement: %w", ctx.Err())
	}
}

// flushing is a Flush that waits for batches.
type flushing struct {
	left int
	done chan struct{}
}

// Flush waits until everything sent so far is acknowledged by all in-sync replicas. It returns why the writer failed,
// or the first record that was refused since the last Flush.
func (w *Writer) Flush(ctx context.Context) error {
	f := &flushing{done: make(chan struct{})}
	w.mu.Lock()
	for _, p := range w.parts {
		for _, b := range p.queue {
			b.hurry = true
			b.waiters = append(b.waiters, f)
			f.left++
		}
	}
	if f.left == 0 {
		close(f.done)
	}
	w.mu.Unlock()
	w.nudge()
	select {
	case <-f.done:
	case <-ctx.Done():
		return fmt.Errorf("wait for acknowledgement: %w", ctx.Err())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.rejected
	w.rejected = nil
	if w.failed != nil {
		err = w.failed
	}
	return err
}

// hurry ends the linger of all that waits.
func (w *Writer) hurry() {
	w.mu.Lock()
	for _, p := range w.parts {
		for _, b := range p.queue {
			b.hurry = true
		}
	}
	w.mu.Unlock()
	w.nudge()
}

func (w *Writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
