//go:build unix

package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/topic"
)

// prober changes single records at a steady pace and waits for the view in which each shows. Sent is when the change is
// handed to its writer, seen is when the view comes out of another client's reader.
type prober struct {
	*filler
	mu      sync.Mutex
	sent    map[string]time.Time // by the view's key
	took    []time.Duration
	missing int
}

// probe is the prober's part.
func probe(ctx context.Context, o options) error {
	f, err := newFiller(ctx, o)
	if err != nil {
		return err
	}
	defer f.writer.Close()
	k, err := dial(ctx, o)
	if err != nil {
		return err
	}
	view := topic.Name(o.Org, matcher.ViewTopic)
	ends, err := k.Offsets(ctx, view)
	if err != nil {
		return err
	}
	from := topic.Position{}
	for _, r := range ends[view] {
		from[view] = append(from[view], r.End)
	}
	r, err := k.NewReader(ctx, topic.ReaderConfig{Topics: []string{view}, From: from, MaxWait: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only ends the fetching
	p := &prober{filler: f, sent: map[string]time.Time{}}
	m := newMeter()
	wrote := make(chan error, 1)
	go func() { wrote <- p.write() }()
	if err := p.read(ctx, r, wrote); err != nil {
		return err
	}
	if len(p.took) == 0 || p.missing > 0 {
		return errors.New("single changes did not show in any view")
	}
	slices.Sort(p.took)
	ms := func(q float64) float64 {
		return float64(p.took[int(q*float64(len(p.took)-1))].Microseconds()) / 1000
	}
	return m.say(figures{Work: "prober: single changes", Events: int64(len(p.took)), P50: ms(0.5), P99: ms(0.99), Max: ms(1)})
}

// write changes one record after the other, of each kind in turn.
func (p *prober) write() error {
	ticker := time.NewTicker(time.Second / time.Duration(p.o.Rate))
	defer ticker.Stop()
	p.rev = time.Now().UnixMilli() // newer than whatever is there
	n := int(p.o.Probe.Seconds() * float64(p.o.Rate))
	for i := range n {
		<-ticker.C
		p.rev++
		of := i % p.o.Accounts
		p.mu.Lock()
		p.sent[customerKey(of)] = time.Now()
		p.mu.Unlock()
		var err error
		switch i % 3 {
		case 0:
			err = p.writeAccount(of)
		case 1:
			err = p.writeContact(3 * of)
		default:
			err = p.writeCustomer(of)
		}
		if err != nil {
			return err
		}
	}
	return p.writer.Flush(p.ctx)
}

// patience is how long the last views are waited for.
const patience = 10 * time.Second

// read takes the times until every change has been seen.
func (p *prober) read(ctx context.Context, r *topic.Reader, wrote <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	writing := true
	for {
		f, err := r.Poll(ctx)
		if err != nil {
			p.missing = len(p.sent)
			return err
		}
		now := time.Now()
		p.mu.Lock()
		for _, record := range f.Records {
			if at, ok := p.sent[string(record.Key)]; ok {
				p.took = append(p.took, now.Sub(at))
				delete(p.sent, string(record.Key))
			}
		}
		left := len(p.sent)
		p.mu.Unlock()
		select {
		case err := <-wrote:
			if err != nil {
				return err
			}
			writing = false
			time.AfterFunc(patience, cancel)
		default:
		}
		if !writing && left == 0 {
			return nil
		}
	}
}
