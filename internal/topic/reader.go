package topic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Position is the next offset to read of each partition, by topic and then partition number.
type Position map[string][]int64

// clone returns a copy that shares nothing.
func (p Position) clone() Position {
	c := make(Position, len(p))
	for topic, offsets := range p {
		c[topic] = slices.Clone(offsets)
	}
	return c
}

// ReaderConfig says what is read and from where.
type ReaderConfig struct {
	Topics   []string      // they must exist
	From     Position      // a topic, partition or offset (negative) that is missing begins at its first offset
	MaxBytes int           // of one fetch from one broker; default 4 MiB. A reader holds at most two per broker
	MinBytes int           // a broker waits for so much, up to MaxWait; default 1
	MaxWait  time.Duration // default 500 ms
}

func (c *ReaderConfig) fill() error {
	if len(c.Topics) == 0 {
		return errors.New("a reader needs topics")
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 4 << 20
	}
	if c.MinBytes == 0 {
		c.MinBytes = 1
	}
	if c.MaxWait == 0 {
		c.MaxWait = 500 * time.Millisecond
	}
	return nil
}

// Fetch is what one call of Poll yields.
type Fetch struct {
	Records []Record // in the order of each partition; their memory is used again by the next Poll
	Next    Position // behind all records that Poll has yielded, and behind what it left out
	End     Position // where each partition ended when it was last asked; -1 before that
}

// OffsetError says that a reader stands where its partition holds nothing (any more): what was there was deleted, or the
// topic is not the one that the position is of. The caller has to rebuild from the first offset (R34).
type OffsetError struct {
	Topic              string
	Partition          int32
	Offset, First, End int64
}

func (e *OffsetError) Error() string {
	return fmt.Sprintf("read %s partition %d: offset %d is outside of what it holds, %d up to %d",
		e.Topic, e.Partition, e.Offset, e.First, e.End)
}

// RecreatedError says that a topic was deleted and made anew while it was read.
type RecreatedError struct{ Topic string }

func (e *RecreatedError) Error() string {
	return fmt.Sprintf("read %s: the topic was deleted and made anew", e.Topic)
}

// Reader reads topics from explicit offsets. Barriers, transaction markers and aborted records are left out; what is
// compressed is unpacked. It fetches ahead while the caller works on what Poll has yielded, in bounded memory. Poll and
// Close are for one goroutine.
type Reader struct {
	client *Client
	config ReaderConfig

	life    context.Context
	stop    context.CancelFunc
	loops   sync.WaitGroup
	fetched chan *fetched
	last    *fetched // what the caller holds

	next, end Position // as of the last Poll

	mu     sync.Mutex
	spots  []*spot
	loop   map[int32]chan *fetched // one per broker: memory that is free
	failed error
}

// spot is where a reader stands in one partition.
type spot struct {
	topic     string
	partition int32
	identity  string
	next      int64 // what is fetched next: ahead of Reader.next
	node      int32 // the broker whose loop has it
	hold      time.Time
	pause     backoff
}

// NewReader finds the topics and begins to fetch; ctx bounds the finding, and the reader outlives it. Partitions that are
// added later are not read by this reader.
func (c *Client) NewReader(ctx context.Context, config ReaderConfig) (*Reader, error) {
	if err := config.fill(); err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Reader{
		client: c, config: config, life: life, stop: stop, fetched: make(chan *fetched),
		next: Position{}, end: Position{}, loop: map[int32]chan *fetched{},
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := r.begin(ctx); err != nil {
		stop()
		return nil, err
	}
	r.assign()
	r.loops.Add(1)
	go r.watch()
	return r, nil
}

func (r *Reader) begin(ctx context.Context) error {
	var first map[string][]Range // asked only when a first offset is needed
	for _, topic := range r.config.Topics {
		p, err := r.client.layout.find(ctx, topic)
		if err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		r.next[topic], r.end[topic] = make([]int64, len(p.leaders)), make([]int64, len(p.leaders))
		for i := range p.leaders {
			next := int64(-1)
			if from := r.config.From[topic]; i < len(from) {
				next = from[i]
			}
			if next < 0 {
				if first == nil {
					if first, err = r.client.Offsets(ctx, r.config.Topics...); err != nil {
						return err
					}
				}
				next = first[topic][i].First
			}
			r.next[topic][i], r.end[topic][i] = next, -1
			r.spots = append(r.spots, &spot{topic: topic, partition: int32(i), identity: p.id, next: next})
		}
	}
	return nil
}

// assign gives each partition to the loop of the broker that leads it, as far as is known.
func (r *Reader) assign() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spots {
		r.give(s, r.client.layout.leader(s.topic, s.partition))
	}
}

// give puts a partition into the loop of a broker; any broker, when the number is negative, says that it is the wrong
// one. r.mu is held.
func (r *Reader) give(s *spot, node int32) {
	s.node = node
	if r.loop[node] == nil && r.life.Err() == nil {
		r.start(node)
	}
}

// watch looks every now and then whether the topics are still the same ones.
func (r *Reader) watch() {
	defer r.loops.Done()
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-r.life.Done():
			return
		}
		if err := r.client.layout.refresh(r.life, r.config.Topics...); err == nil {
			r.verify()
		}
	}
}

// watchEvery is how long a topic that was made anew may be taken for the old one.
const watchEvery = 5 * time.Second

// verify ends the reader if a topic is known to be another one now.
func (r *Reader) verify() {
	for _, s := range r.spots {
		if id, known := r.client.layout.identity(s.topic); known && id != s.identity {
			r.fail(&RecreatedError{Topic: s.topic})
			return
		}
	}
}

// start begins the loop of a broker. r.mu is held.
func (r *Reader) start(node int32) {
	free := make(chan *fetched, 2)
	for range 2 {
		free <- &fetched{home: free, names: names{}}
	}
	r.loop[node] = free
	r.loops.Add(1)
	go func() {
		defer r.loops.Done()
		r.fetchLoop(node, free)
	}()
}

// Poll waits for records and yields them; after MaxWait without any it yields an empty Fetch, so that the caller can do
// other things. An error is final: an *OffsetError, a *RecreatedError, ErrClosed, a record that cannot be decoded, or
// why ctx ended, after which Poll may be called again.
func (r *Reader) Poll(ctx context.Context) (Fetch, error) {
	if r.last != nil {
		r.last.home <- r.last
		r.last = nil
	}
	idle := time.NewTimer(r.config.MaxWait)
	defer idle.Stop()
	for {
		select {
		case f := <-r.fetched:
			moved := r.take(f)
			if len(f.records) == 0 && !moved {
				f.home <- f
				continue
			}
			r.last = f
			r.client.config.Metrics.read.Add(float64(len(f.records)))
			return Fetch{Records: f.records, Next: r.next.clone(), End: r.end.clone()}, nil
		case <-idle.C:
			return Fetch{Next: r.next.clone(), End: r.end.clone()}, nil
		case <-r.life.Done():
			return Fetch{}, r.reason()
		case <-ctx.Done():
			return Fetch{}, fmt.Errorf("read topics: %w", ctx.Err())
		}
	}
}

// Start is where the reader stands before the first Poll: a caller that has no more to read need not wait for an empty
// one.
func (r *Reader) Start() Fetch { return Fetch{Next: r.next.clone(), End: r.end.clone()} }

// reason returns why the reader has ended.
func (r *Reader) reason() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil {
		return r.failed
	}
	return ErrClosed
}

// take moves the position over what was fetched and reports whether it moved or an end did.
func (r *Reader) take(f *fetched) (moved bool) {
	for _, a := range f.advances {
		i := a.spot.partition
		next, end := r.next[a.spot.topic], r.end[a.spot.topic]
		moved = moved || next[i] != a.next || end[i] != a.end
		next[i], end[i] = a.next, a.end
	}
	return moved
}

// CaughtUp reports whether everything up to the given ends was yielded.
func (f Fetch) CaughtUp(ends map[string][]Range) bool {
	for topic, ranges := range ends {
		for i, r := range ranges {
			if next := f.Next[topic]; i >= len(next) || next[i] < r.End {
				return false
			}
		}
	}
	return true
}

// fail ends the reader with a reason that Poll returns.
func (r *Reader) fail(err error) {
	r.mu.Lock()
	if r.failed == nil {
		r.failed = err
	}
	r.mu.Unlock()
	r.stop()
}

// Close ends the reader. The memory of the last Fetch stays as it is.
func (r *Reader) Close() error {
	r.stop()
	r.loops.Wait()
	return nil
}
