package topictest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/topic"
)

// witness sends numbered records through one writer and remembers which were acknowledged and where.
type witness struct {
	name  string
	topic string
	w     *topic.Writer

	mu    sync.Mutex
	sent  int
	acked map[int]topic.Record
}

func newWitness(name, topicName string, w *topic.Writer) *witness {
	return &witness{name: name, topic: topicName, w: w, acked: map[int]topic.Record{}}
}

// send sends the next record. Its key, of which there are few, decides the partition.
func (x *witness) send(ctx context.Context) error {
	x.mu.Lock()
	n := x.sent
	x.sent++
	x.mu.Unlock()
	r := topic.Record{
		Topic: x.topic, Key: fmt.Appendf(nil, "key %d", n%17),
		Value: fmt.Appendf(nil, "%s %d %s", x.name, n, bytes.Repeat([]byte("."), n%300)),
	}
	return x.w.Send(ctx, r, func(r topic.Record, err error) {
		if err == nil {
			x.mu.Lock()
			x.acked[n] = r
			x.mu.Unlock()
		}
	})
}

// check compares what is in the log with what the witness knows: each record at most once, in the order of sending per
// key, none missing before one that is there, and each acknowledged one where it was said to be.
func (x *witness) check(log []topic.Record) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	at, last := map[int]topic.Record{}, map[string]int{}
	for _, r := range log {
		name, number, _ := strings.Cut(string(r.Value), " ")
		if name != x.name {
			continue
		}
		number, _, _ = strings.Cut(number, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("read number: %w", err)
		}
		if before, twice := at[n]; twice {
			return fmt.Errorf("writer %s: record %d is in partition %d at offsets %d and %d", name, n, r.Partition, before.Offset, r.Offset)
		}
		at[n] = r
		if before, ok := last[string(r.Key)]; ok && n != before+17 {
			return fmt.Errorf("writer %s: record %d follows %d under key %q", name, n, before, r.Key)
		} else if !ok && n >= 17 {
			return fmt.Errorf("writer %s: record %d is the first under key %q", name, n, r.Key)
		}
		last[string(r.Key)] = n
	}
	for n, want := range x.acked {
		got, ok := at[n]
		if !ok {
			return fmt.Errorf("writer %s: record %d was acknowledged and is not there", x.name, n)
		}
		if want.Partition != got.Partition || (want.Offset != topic.UnknownOffset && want.Offset != got.Offset) {
			return fmt.Errorf("writer %s: record %d was acknowledged at %d/%d and is at %d/%d", x.name, n, want.Partition, want.Offset, got.Partition, got.Offset)
		}
	}
	return nil
}

// takeover is the moment after a writer was made: nothing of the writers before it may lie at or behind these offsets.
type takeover struct {
	by   string
	ends []topic.Range
	old  map[string]bool
}

func (t *takeover) check(log []topic.Record) error {
	for _, r := range log {
		name, _, _ := strings.Cut(string(r.Value), " ")
		if t.old[name] && r.Offset >= t.ends[r.Partition].End {
			return fmt.Errorf("writer %s wrote offset %d of partition %d after %s had taken over", name, r.Offset, r.Partition, t.by)
		}
	}
	return nil
}

func lostReplies(ctx context.Context, e *Env) (err error) {
	n := newNemesis(e.rand(), 0.3)
	c, err := e.dial(ctx, n.between)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	name, err := e.compacted(ctx, c, "lost", 4)
	if err != nil {
		return err
	}
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}, MaxBatchBytes: 4000})
	if err != nil {
		return err
	}
	defer w.Close()
	x := newWitness("only", name, w)
	for range 3000 {
		if err := x.send(ctx); err != nil {
			return err
		}
	}
	if err := w.Flush(ctx); err != nil {
		return err
	}
	log, _, err := readAll(ctx, c, name)
	if err != nil {
		return err
	}
	if len(log) != 3000 || len(x.acked) != 3000 {
		return fmt.Errorf("3000 sent, %d acknowledged, %d in the log", len(x.acked), len(log))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hits == 0 {
		return errors.New("no fault was met")
	}
	e.Logf("%d requests met with a fault", n.hits)
	return x.check(log)
}

func fencing(ctx context.Context, e *Env) (err error) {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	name, err := e.compacted(ctx, c, "fence", 3)
	if err != nil {
		return err
	}
	old, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}, MaxBatchBytes: 2000})
	if err != nil {
		return err
	}
	defer old.Close()
	former := newWitness("former", name, old)
	over := make(chan error, 1)
	go func() {
		for {
			if err := former.send(ctx); err != nil {
				over <- err
				return
			}
		}
	}()
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}})
	if err != nil {
		return err
	}
	defer w.Close()
	t, err := taken(ctx, c, name, "present", "former")
	if err != nil {
		return err
	}
	if w.Epoch() == old.Epoch() {
		return fmt.Errorf("both owners have epoch %d", w.Epoch())
	}
	if err := <-over; !errors.Is(err, topic.ErrFenced) {
		return fmt.Errorf("the former owner ended with %w", err)
	}
	if err := old.Flush(ctx); !errors.Is(err, topic.ErrFenced) {
		return fmt.Errorf("flush of the former owner: %w", err)
	}
	present := newWitness("present", name, w)
	for range 100 {
		if err := present.send(ctx); err != nil {
			return err
		}
	}
	if err := w.Flush(ctx); err != nil {
		return err
	}
	log, _, err := readAll(ctx, c, name)
	if err != nil {
		return err
	}
	return errors.Join(former.check(log), present.check(log), t.check(log))
}

// taken notes where the topic ends now.
func taken(ctx context.Context, c *topic.Client, name, by string, old ...string) (*takeover, error) {
	ends, err := c.Offsets(ctx, name)
	if err != nil {
		return nil, err
	}
	t := &takeover{by: by, ends: ends[name], old: map[string]bool{}}
	for _, o := range old {
		t.old[o] = true
	}
	return t, nil
}

// history lets owners follow each other at random moments. Each meets with faults; some live on after they were
// replaced, some are closed with records on their way.
func history(ctx context.Context, e *Env) (err error) {
	rng := e.rand()
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	name, err := e.compacted(ctx, c, "history", 3)
	if err != nil {
		return err
	}
	h := &succession{env: e, topic: name}
	defer func() { err = errors.Join(err, h.end()) }()
	for i := range 8 {
		if err := h.next(ctx, c, rng, i); err != nil {
			return err
		}
	}
	h.quiet.Wait()
	log, _, err := readAll(ctx, c, name)
	if err != nil {
		return err
	}
	for _, x := range h.writers {
		err = errors.Join(err, x.check(log))
	}
	for _, t := range h.takeovers {
		err = errors.Join(err, t.check(log))
	}
	e.Logf("%d records of %d owners in the log", len(log), len(h.writers))
	return err
}

// succession is a row of owners of one task.
type succession struct {
	env       *Env
	topic     string
	clients   []*topic.Client
	writers   []*witness
	takeovers []*takeover
	quiet     sync.WaitGroup
}

func (h *succession) next(ctx context.Context, plain *topic.Client, rng *rand.Rand, i int) error {
	c, err := h.env.dial(ctx, newNemesis(rng, 0.2).between)
	if err != nil {
		return err
	}
	h.clients = append(h.clients, c)
	w, err := c.NewWriter(ctx, topic.WriterConfig{
		Task: h.topic, Topics: []string{h.topic}, MaxBatchBytes: 1000 + rng.IntN(5000), MaxBuffered: 20_000,
		Linger: time.Duration(rng.IntN(3)) * time.Millisecond, Compression: topic.Compression(rng.IntN(5)),
	})
	if err != nil {
		return err
	}
	var old []string
	for _, x := range h.writers {
		old = append(old, x.name)
	}
	x := newWitness(fmt.Sprint("owner", i), h.topic, w)
	h.writers = append(h.writers, x)
	t, err := taken(ctx, plain, h.topic, x.name, old...)
	if err != nil {
		return err
	}
	h.takeovers = append(h.takeovers, t)
	for range 50 + rng.IntN(300) {
		if err := x.send(ctx); err != nil {
			return err
		}
	}
	switch rng.IntN(3) {
	case 0:
		w.Close()
	case 1:
		return w.Flush(ctx)
	default: // a former owner that does not know yet
		more := rng.IntN(2000)
		h.quiet.Go(func() {
			for range more {
				if x.send(ctx) != nil {
					return
				}
			}
			_ = w.Flush(ctx) // it may be refused
		})
	}
	return nil
}

func (h *succession) end() (err error) {
	h.quiet.Wait()
	for _, x := range h.writers {
		x.w.Close()
	}
	for _, c := range h.clients {
		err = errors.Join(err, c.Close())
	}
	return err
}

// leaderMoves writes and reads at the same time while the cluster is disturbed.
func leaderMoves(ctx context.Context, e *Env) (err error) {
	if e.Disturb == nil {
		e.Logf("nothing here can disturb the cluster")
		return nil
	}
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	name, err := e.compacted(ctx, c, "moves", 6)
	if err != nil {
		return err
	}
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}, MaxBatchBytes: 20_000, MaxBuffered: 200_000})
	if err != nil {
		return err
	}
	defer w.Close()
	live, err := c.NewReader(topic.ReaderConfig{Topics: []string{name}, MaxBytes: 100_000, MaxWait: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, live.Close()) }()
	x := newWitness("only", name, w)
	turn, calm := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 5 && err == nil; i++ {
			<-turn
			err = e.Disturb(ctx, i)
		}
		calm <- err
	}()
	for round, waiting := 0, true; waiting; round++ {
		for range 50 {
			if err := x.send(ctx); err != nil {
				return err
			}
		}
		if err := w.Flush(ctx); err != nil {
			return err
		}
		select {
		case turn <- struct{}{}:
		case err := <-calm:
			if err != nil {
				return err
			}
			waiting = round < 20
			calm <- nil
		default:
		}
	}
	var seen []topic.Record
	for len(seen) < x.sent {
		f, err := live.Poll(ctx)
		if err != nil {
			return fmt.Errorf("%d of %d read: %w", len(seen), x.sent, err)
		}
		for _, r := range f.Records {
			seen = append(seen, keep(r))
		}
	}
	log, _, err := readAll(ctx, c, name)
	if err != nil {
		return err
	}
	e.Logf("%d records written meanwhile", len(log))
	return errors.Join(x.check(log), x.check(seen))
}

func renewal(ctx context.Context, e *Env) (err error) {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	name, err := e.compacted(ctx, c, "renew", 2)
	if err != nil {
		return err
	}
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}, Renew: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	defer w.Close()
	x, first := newWitness("only", name, w), w.Epoch()
	for w.Epoch() < first+3 {
		if err := x.send(ctx); err != nil {
			return err
		}
		if x.sent%50 == 0 {
			if err := w.Flush(ctx); err != nil {
				return err
			}
		}
	}
	if err := w.Flush(ctx); err != nil {
		return err
	}
	log, _, err := readAll(ctx, c, name)
	if err != nil {
		return err
	}
	if len(log) != x.sent {
		return fmt.Errorf("%d sent, %d in the log", x.sent, len(log))
	}
	return x.check(log)
}
