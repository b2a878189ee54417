package topictest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"crosswalk/internal/topic"
)

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

func fencing(ctx context.Context, _ *Env, c *topic.Client, name string) error {
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
	live, err := c.NewReader(ctx, topic.ReaderConfig{Topics: []string{name}, MaxBytes: 100_000, MaxWait: 100 * time.Millisecond})
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

func renewal(ctx context.Context, _ *Env, c *topic.Client, name string) error {
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
