//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"crosswalk/internal/topic"
)

// seen is what another Kafka client saw of one run.
type seen struct {
	sent      int64
	sending   time.Duration
	published int64           // of these, while the org was sending
	latencies []time.Duration // from the org's send to the read; sorted
}

func (s *seen) print(rate int) {
	at := func(q float64) float64 {
		if len(s.latencies) == 0 {
			return 0
		}
		return float64(s.latencies[int(q*float64(len(s.latencies)-1))].Microseconds()) / 1000
	}
	fmt.Printf("%-12d %10d %10.0f %12.0f %10d %10.2f %10.2f %10.2f\n", rate, s.sent, float64(s.sent)/s.sending.Seconds(),
		float64(s.published)/s.sending.Seconds(), s.sent-s.published, at(0.5), at(0.99), at(1))
}

// patience bounds how long the last records are waited for.
const patience = 2 * time.Minute

// sendEvery is how often the org is asked for the changes that are due.
const sendEvery = 5 * time.Millisecond

// drive has the org send changes at a rate and reads their records until all have come.
func drive(ctx context.Context, kafka *topic.Client, o *options, rate int, lasting time.Duration) (r seen, err error) {
	reader, err := kafka.NewReader(ctx, topic.ReaderConfig{Topics: []string{o.records()}, From: o.From})
	if err != nil {
		return r, err
	}
	defer func() { _ = reader.Close() }() // only ends the fetching
	var read atomic.Int64
	sent := make(chan int64, 1)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		began := time.Now()
		n, err := send(ctx, o, rate, lasting)
		r.sent, r.sending, r.published = n, time.Since(began), min(n, read.Load())
		sent <- n
		return err
	})
	group.Go(func() error {
		whole, wait := int64(-1), time.NewTimer(lasting+patience)
		defer wait.Stop()
		for whole < 0 || read.Load() < whole {
			select {
			case whole = <-sent:
			case <-wait.C:
				return fmt.Errorf("only %d records came in time", read.Load())
			default:
			}
			f, err := reader.Poll(ctx)
			if err != nil {
				return err
			}
			now := time.Now()
			for _, record := range f.Records {
				at, err := sentAt(record.Value)
				if err != nil {
					return err
				}
				r.latencies = append(r.latencies, now.Sub(at))
			}
			read.Add(int64(len(f.Records)))
		}
		return nil
	})
	err = group.Wait()
	slices.Sort(r.latencies)
	return r, err
}

// send asks the org for changes as they are due, each a transaction of its own, until the time is over.
func send(ctx context.Context, o *options, rate int, lasting time.Duration) (n int64, err error) {
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	began := time.Now()
	whole := int64(lasting.Seconds() * float64(rate))
	for n < whole {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return n, context.Cause(ctx)
		}
		due := min(int64(time.Since(began).Seconds()*float64(rate)), whole) - n
		if due = min(due, 1000); due <= 0 {
			continue
		}
		path := fmt.Sprintf("/emit?object=Contact&field=Department&scattered=%t&count=%d", !o.InTurn, due)
		if err := o.Control(ctx, http.MethodPost, path, nil, nil); err != nil {
			return n, err
		}
		n += due
	}
	return n, nil
}

// sentAt finds in a record the time that the org wrote into the changed field when it sent the change.
func sentAt(value []byte) (time.Time, error) {
	_, rest, ok := bytes.Cut(value, []byte(" emitted at "))
	end := bytes.IndexByte(rest, 'Z')
	if !ok || end < 0 {
		return time.Time{}, errors.New("a record came that no change of this benchmark made")
	}
	at, err := time.Parse(time.RFC3339Nano, string(rest[:end+1]))
	if err != nil {
		return at, fmt.Errorf("read when a change was sent: %w", err)
	}
	return at, nil
}
