package topictest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"crosswalk/internal/topic"
)

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
