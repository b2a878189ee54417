package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"crosswalk/internal/e2e/harness"
	"crosswalk/internal/topic"
)

// probe is one change of an org on its way to its view.
type probe struct {
	org       string
	sent      time.Time
	took      time.Duration
	underWay  bool
	mustCarry []byte // the view's bytes
}

// probes change each org all the time, one change after the other.
type probes struct {
	mu      sync.Mutex
	arrived *sync.Cond
	now     map[string]*probe // by org
	past    []probe
	err     error
}

func newProbes() *probes {
	p := &probes{now: map[string]*probe{}}
	p.arrived = sync.NewCond(&p.mu)
	return p
}

// run sends the changes of one org until ctx ends.
func (p *probes) run(ctx context.Context, o *org, account string) error {
	for n := 0; ctx.Err() == nil; n++ {
		text := fmt.Sprintf("probe %s %d.", o.alias, n)
		next := &probe{org: o.alias, sent: time.Now(), underWay: true, mustCarry: []byte(text)}
		p.mu.Lock()
		p.now[o.alias] = next
		p.mu.Unlock()
		if err := o.Do(context.WithoutCancel(ctx), http.MethodPatch, "/records/Account/"+account, map[string]any{"Phone": text}, nil); err != nil {
			return fmt.Errorf("probe %s: %w", o.alias, err)
		}
		p.mu.Lock()
		for next.underWay && p.err == nil {
			p.arrived.Wait()
		}
		err := p.err
		p.mu.Unlock()
		if err != nil {
			return nil // the reader says it
		}
		select {
		case <-time.After(50 * time.Millisecond): // between two probes
		case <-ctx.Done():
		}
	}
	return nil
}

// read watches the views until ctx ends.
func (p *probes) read(ctx context.Context, kafka *topic.Client, orgs []*org) (err error) {
	defer func() {
		p.mu.Lock()
		p.err = fmt.Errorf("the views are not read any more: %w", ctx.Err())
		p.arrived.Broadcast()
		p.mu.Unlock()
	}()
	byTopic := map[string]string{}
	var topics []string
	for _, o := range orgs {
		name := o.alias + "." + harness.Outputs[0]
		topics, byTopic[name] = append(topics, name), o.alias
	}
	r, err := kafka.NewReader(ctx, topic.ReaderConfig{Topics: topics, MaxWait: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only ends the fetching
	for {
		f, err := r.Poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
		for i := range f.Records {
			p.take(byTopic[f.Records[i].Topic], f.Records[i].Value)
		}
		p.mu.Unlock()
	}
}

// take notes an arrival. p.mu is held.
func (p *probes) take(org string, view []byte) {
	now := p.now[org]
	if now == nil || !now.underWay || !bytes.Contains(view, now.mustCarry) {
		return
	}
	now.took, now.underWay = time.Since(now.sent), false
	p.past = append(p.past, *now)
	p.arrived.Broadcast()
}

// quiet waits until every org has had two probes more, the second of which began after now: what a step did is in the figures.
func (p *probes) quiet(ctx context.Context) error {
	began := time.Now()
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.arrived.Broadcast()
	})
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for ctx.Err() == nil && p.err == nil {
		later := map[string]bool{}
		for _, past := range p.past {
			if past.sent.After(began) {
				later[past.org] = true
			}
		}
		if len(later) == len(p.now) {
			return nil
		}
		p.arrived.Wait()
	}
	if p.err != nil {
		return p.err
	}
	return fmt.Errorf("wait for a probe of each org: %w", context.Cause(ctx))
}

// since returns the slowest probe of the orgs that ran on and of the others, of those that were under way after a moment.
func (p *probes) since(at time.Time, whole map[string]bool) (ran, others time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, past := range p.past {
		if past.sent.Add(past.took).Before(at) {
			continue
		}
		if whole[past.org] {
			ran = max(ran, past.took)
		} else {
			others = max(others, past.took)
		}
	}
	return ran, others
}
