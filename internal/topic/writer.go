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

// ErrRefused says that the broker does not take one record because of what it is: larger than the topic's
// max.message.bytes, or invalid. It is not in the log; the records around it are, in their order, and the writer lives on.
var ErrRefused = errors.New("the broker refuses the record for what it is")

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
	sending sync.WaitGroup // what the run has started: requests on their way, and the end of the writer

	mu       sync.Mutex
	pid      int64
	epoch    int16
	renewAt  time.Time
	renewing bool
	sentAt   time.Time
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
		p, err := w.client.layout.find(ctx, topic)
		if err != nil {
			return err
		}
		for i := range p.leaders {
			part := &partition{topic: topic, id: int32(i), identity: p.id}
			w.topics[topic] = append(w.topics[topic], part)
			w.parts = append(w.parts, part)
		}
	}
	pid, epoch, err := w.initProducer(ctx, -1, -1)
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

// Close ends the writer. What is not acknowledged by then is reported as ErrClosed and may or may not be in the topics;
// call Flush before to know.
func (w *Writer) Close() {
	w.fail(ErrClosed)
	<-w.ended
}
