package erp

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"crosswalk/internal/retry"
	"crosswalk/internal/topic"
)

// publisher is the one way of this process into an org's topic of customers. All sources share its session. When another
// process takes the topic over, an `erp import` by hand or the successor of this one, the jobs under way are begun anew once
// the topic is this process's again: what they had published is unchanged then, and costs nothing.
type publisher struct {
	cfg *Config
	// patient publishers wait until whoever took over has stopped writing before they take the topic back; the others only so
	// long that two of them do not keep step.
	patient bool

	making chan struct{} // held while a session is made
	mu     sync.Mutex
	held   *session
	losses int       // of the topic, in a row
	lostAt time.Time // the last one
}

func newPublisher(cfg *Config, patient bool) *publisher {
	return &publisher{cfg: cfg, patient: patient, making: make(chan struct{}, 1)}
}

// do runs a job as the writer of the topic until it ends without the topic having been lost meanwhile. A job may thus run
// several times, and must begin anew each time.
func (p *publisher) do(ctx context.Context, job func(context.Context, *session) error) error {
	for {
		s, err := p.session(ctx)
		if err == nil {
			err = job(ctx, s)
		}
		if s != nil && s.cause() != nil {
			p.drop(s)
			err = s.cause() // the reason for what the job met
		}
		if !taken(err) {
			return err
		}
		p.cfg.Logger.Info("another process writes the org's ERP customers; this one takes them back when it is done", "org", p.cfg.org())
		if err := p.yield(ctx); err != nil {
			return err
		}
	}
}

func taken(err error) bool { return errors.Is(err, errTaken) || errors.Is(err, topic.ErrFenced) }

// session returns the one that is held, or takes the topic over.
func (p *publisher) session(ctx context.Context) (*session, error) {
	select {
	case p.making <- struct{}{}:
		defer func() { <-p.making }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	held := p.held
	p.mu.Unlock()
	if held != nil {
		return held, nil
	}
	s, err := takeOver(ctx, p.cfg)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.held = s
	p.mu.Unlock()
	return s, nil
}

// drop gives a session up.
func (p *publisher) drop(s *session) {
	p.mu.Lock()
	mine := p.held == s
	if mine {
		p.held = nil
	}
	p.mu.Unlock()
	if mine {
		s.writer.Close()
	}
}

// close gives up whatever is held.
func (p *publisher) close() {
	p.mu.Lock()
	s := p.held
	p.mu.Unlock()
	if s != nil {
		p.drop(s)
	}
}

// The topic counts as quiet when nothing was written for so long; the time doubles with each loss that follows another within
// calm, so that an import that takes long gets through.
const (
	defaultQuiet = 2 * time.Second
	maxQuiet     = time.Minute
	calm         = 5 * time.Minute
)

// yield waits until it is this process's turn again.
func (p *publisher) yield(ctx context.Context) error {
	p.mu.Lock()
	if time.Since(p.lostAt) > calm {
		p.losses = 0
	}
	p.losses, p.lostAt = p.losses+1, time.Now()
	quiet := p.cfg.Quiet
	if quiet == 0 {
		quiet = defaultQuiet
	}
	quiet = min(quiet<<min(p.losses-1, 10), max(quiet, maxQuiet))
	p.mu.Unlock()
	quiet = quiet/2 + rand.N(quiet/2+1)
	if !p.patient {
		return retry.Sleep(ctx, quiet)
	}
	return p.awaitQuiet(ctx, quiet)
}

// awaitQuiet waits until the topic has not grown for so long.
func (p *publisher) awaitQuiet(ctx context.Context, quiet time.Duration) error {
	name := p.cfg.topics().customer
	var before []topic.Range
	for {
		now, err := p.cfg.Kafka.Offsets(ctx, name)
		if err != nil {
			return err
		}
		if before != nil && slices.Equal(before, now[name]) {
			return nil
		}
		before = now[name]
		if err := retry.Sleep(ctx, quiet); err != nil {
			return err
		}
	}
}
