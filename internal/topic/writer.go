package topic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/compress"
	"golang.org/x/sync/semaphore"
)

// ErrFenced says that another owner of the task has taken over: the broker refuses this writer for good (W2).
var ErrFenced = errors.New("another owner of the task writes now")

// ErrClosed is returned for what a closed writer or reader was asked to do or had not finished.
var ErrClosed = errors.New("closed")

// Compression is how batches are compressed.
type Compression = compress.Compression

// The compressions that Kafka knows.
const (
	None   = compress.None
	Gzip   = compress.Gzip
	Snappy = compress.Snappy
	Lz4    = compress.Lz4
	Zstd   = compress.Zstd
)

// WriterConfig says who writes where.
type WriterConfig struct {
	Task          string        // the transactional id that the owners of the task share
	Topics        []string      // all that this writer writes to; they must exist
	Linger        time.Duration // how long a batch waits for more records; 0: until the broker has answered the one before
	MaxBatchBytes int           // default 1,000,000, just below what a broker takes unless told otherwise
	MaxBuffered   int           // bytes that are sent or wait; default 32 MiB. Send blocks above it
	Compression   Compression   // default None

	// Renew is how often the writer shows the coordinator that it lives, default 24 h; Kafka forgets the task's
	// producer, and with it whom to refuse, after transactional.id.expiration.ms (7 days).
	Renew time.Duration
}

func (c *WriterConfig) fill() error {
	if c.Task == "" || len(c.Topics) == 0 {
		return errors.New("a writer needs a task and topics")
	}
	if c.MaxBatchBytes == 0 {
		c.MaxBatchBytes = 1_000_000
	}
	if c.MaxBuffered == 0 {
		c.MaxBuffered = 32 << 20
	}
	if c.Renew == 0 {
		c.Renew = 24 * time.Hour
	}
	return nil
}

// Writer is the one writer of a task. Records of a partition are appended in the order of the calls of Send, each
// exactly once, as long as the writer lives. It is safe for concurrent use.
type Writer struct {
	client *Client
	config WriterConfig
	lease  *Lease // nil: not bound to one
	room   *semaphore.Weighted

	life    context.Context // ends with the reason why the writer is at its end
	end     context.CancelCauseFunc
	ended   chan struct{}
	wake    chan struct{}
	ackMu   sync.Mutex     // calls of acked do not overlap
	sending sync.WaitGroup // requests on their way

	mu       sync.Mutex
	pid      int64
	epoch    int16
	renewAt  time.Time
	renewing bool
	topics   map[string][]*partition
	parts    []*partition   // all of them
	turn     int            // where the next request begins to collect, so that each partition has its turn
	busy     map[int32]bool // brokers that have not answered yet
	free     []*batch       // done: their memory is used again
	rejected error          // first record that was refused since the last Flush
	failed   error          // why the writer is at its end
}

// partition is what the writer knows of one partition.
type partition struct {
	topic    string
	id       int32
	identity string   // of the topic when the writer began
	queue    []*batch // in order; the last one may still take records
	flying   bool     // the first of the queue is on its way: at most one is, so order needs no care
	next     int32    // sequence number of the first record of the queue
	hold     time.Time
	pause    backoff
}

// batch is a run of records for one partition.
type batch struct {
	encoding
	closed  bool   // takes no more records
	out     []byte // sealed: what is sent, and sent again, byte for byte
	since   time.Time
	hurry   bool // somebody waits for it
	weight  int64
	records []pending
	waiters []*flushing
	tries   int
	unsure  bool // it may be in the log: no answer told
	shared  bool // an abandoned request may still read its memory
}

// pending is a record that is not acknowledged yet.
type pending struct {
	record Record
	acked  func(Record, error)
}

// NewWriter takes the task over: it gets the task's producer id with a new epoch, and writes a barrier to each
// partition of the topics. When it returns, brokers refuse what former owners send there, and what they did write lies
// before the offsets that [Client.Offsets] tells. ctx bounds this; inside a task it also carries the lease, to which the
// writer is then bound (W1).
func (c *Client) NewWriter(ctx context.Context, config WriterConfig) (*Writer, error) {
	if err := config.fill(); err != nil {
		return nil, err
	}
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	w := &Writer{
		client: c, config: config, lease: leaseOf(ctx), room: semaphore.NewWeighted(int64(config.MaxBuffered)),
		life: life, end: end, ended: make(chan struct{}), wake: make(chan struct{}, 1),
		topics: map[string][]*partition{}, busy: map[int32]bool{},
	}
	if err := w.begin(ctx); err != nil {
		end(err)
		return nil, fmt.Errorf("take over writing for task %s: %w", config.Task, err)
	}
	go w.run()
	if err := w.writeBarriers(ctx); err != nil {
		w.Close()
		return nil, fmt.Errorf("take over writing for task %s: %w", config.Task, err)
	}
	return w, nil
}

// begin finds the partitions and gets the producer id and epoch.
func (w *Writer) begin(ctx context.Context) error {
	for _, topic := range w.config.Topics {
		var p *place
		err := retry(ctx, func() (err error) {
			p, err = w.client.layout.look(ctx, topic)
			return err
		})
		if err != nil {
			return err
		}
		for i := range p.leaders {
			part := &partition{topic: topic, id: int32(i), identity: p.id}
			w.topics[topic] = append(w.topics[topic], part)
			w.parts = append(w.parts, part)
		}
	}
	if err := w.lease.await(ctx); err != nil {
		return err
	}
	pid, epoch, err := w.client.initProducer(ctx, w.config.Task, -1, -1)
	w.pid, w.epoch = pid, epoch
	w.renewAt = time.Now().Add(w.config.Renew)
	return err
}

func (w *Writer) writeBarriers(ctx context.Context) error {
	w.mu.Lock()
	for _, p := range w.parts {
		barrier := Record{Topic: p.topic, Key: []byte(BarrierKey), Headers: []Header{{Key: "task", Value: []byte(w.config.Task)}}}
		w.append(p, &barrier, 0, nil)
	}
	w.mu.Unlock()
	return w.Flush(ctx)
}

// Epoch returns the producer epoch that Kafka gave this owner. It tells owners apart; Kafka may start again from 0 with
// another producer id, so it is no order over all time.
func (w *Writer) Epoch() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(w.epoch)
}

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
		b = w.newBatch()
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

func (w *Writer) newBatch() *batch {
	b := &batch{}
	if n := len(w.free); n > 0 {
		b, w.free = w.free[n-1], w.free[:n-1]
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

// Close ends the writer. What is not acknowledged by then is reported as ErrClosed and may or may not be in the topics;
// call Flush before to know.
func (w *Writer) Close() {
	w.fail(ErrClosed)
	<-w.ended
}
