package matcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/state"
	"crosswalk/internal/topic"
)

// warmth is what a matcher that stood by leaves for its next Run.
type warmth struct {
	session *session
	store   *state.Store
}

// Follow stands by for another process that runs the task: it follows the inputs and what the owner publishes, and
// keeps the state as the owner has it, in memory and on this process's disk, without publishing anything. It returns nil
// when ctx ends. When ctx ends because the task is to run here now (topic.ErrPromoted), the next Run begins with this
// state: it has next to nothing to read before it publishes. Follow and Run must not overlap.
func (m *Matcher) Follow(ctx context.Context) error {
	store, err := m.open()
	if err != nil {
		return err
	}
	m.warm = nil // what it had is on the disk, or read again
	metrics := m.config.Metrics.of(m.config.Org)
	metrics.standby.Set(1)
	defer metrics.standby.Set(0)
	s, err := m.follow(ctx, disk{store})
	m.board.update(func(st *Status) { st.Phase = Stopped })
	if err == nil && errors.Is(context.Cause(ctx), topic.ErrPromoted) {
		m.warm = &warmth{s, store}
		return nil
	}
	if ctx.Err() != nil && !errors.Is(err, errCommit) {
		err = nil
	}
	if cerr := store.Close(); err == nil {
		err = cerr
	}
	return err
}

// follow stands by until ctx ends, and returns the session as it is then.
func (m *Matcher) follow(ctx context.Context, d disk) (*session, error) {
	for {
		s := newSession(m, d)
		err := s.follow(ctx)
		s.close()
		if ctx.Err() != nil && s.steady && !errors.Is(err, errCommit) {
			return s, nil
		}
		if !outOfDate(err) {
			return nil, err
		}
		if err := m.wipe(d, err); err != nil {
			return nil, err
		}
	}
}

// How a standby looks at its marks: so many at a time; once it is warm, not more than a tenth of its time, and every second
// at those that wait for the owner.
const (
	checkAtOnce = 20_000
	checkEvery  = time.Second
	checkShare  = 10
)

// follow is the life of a session that stands by.
func (s *session) follow(ctx context.Context) error {
	s.schemas.ctx = ctx
	s.board.update(func(st *Status) { st.Phase = Warming })
	if err := s.prepare(ctx); err != nil {
		return err
	}
	ends, err := s.config.Kafka.Offsets(ctx, append(s.names.written(), s.names.inputs...)...)
	if err != nil {
		return err
	}
	if err := s.readInputs(ctx, s.names.written()...); err != nil {
		return err
	}
	s.steady = true
	warm := false
	for f := s.reader.Start(); ; {
		if !warm && f.CaughtUp(ends) {
			if err := s.warmUp(ctx); err != nil {
				return err
			}
			warm = true
		}
		if warm {
			if err := s.check(checkAtOnce); err != nil {
				return err
			}
			if err := s.commitStandby(); err != nil {
				return err
			}
		}
		s.showStandby(warm)
		if f, err = s.reader.Poll(ctx); err != nil {
			return err
		}
		s.steady = false // until the whole of it is taken
		if err := s.takeAll(ctx, f); err != nil {
			return err
		}
		s.steady = true
	}
}

// warmUp looks at everything that is marked once, when the topics are read to the ends that they had.
func (s *session) warmUp(ctx context.Context) error {
	if err := s.built(); err != nil {
		return err
	}
	for todo := s.engine.Marks(); todo > 0 && ctx.Err() == nil; todo -= checkAtOnce {
		s.checkAt = time.Time{}
		if err := s.check(checkAtOnce); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// check looks at some marks, when it is time to.
func (s *session) check(n int) error {
	now := time.Now()
	if now.Before(s.checkAt) {
		return nil
	}
	s.forget(now)
	left, err := s.engine.Check(now.UnixMilli(), n)
	pause := checkShare * time.Since(now)
	if left > 0 {
		pause = max(pause, checkEvery)
	}
	s.checkAt, s.unconfirmed = now.Add(pause), left
	return err
}

// showStandby tells how warm the state is.
func (s *session) showStandby(warm bool) {
	left := s.unconfirmed
	stats, fresh, dead, link := s.engine.Stats(), s.now.Freshness, s.now.DeadLetter, s.now.Settings.Link
	s.metrics.unconfirmed.Set(float64(left))
	consumed := s.now.Inputs
	s.board.update(func(st *Status) {
		st.fill(stats, fresh, dead, link)
		st.Consumed = consumed
		st.Unconfirmed, st.Lag = left, s.lag
		if warm {
			st.Phase = Standby
		}
	})
}

// commitStandby makes the state durable, with the marks of what is not seen published yet.
func (s *session) commitStandby() error {
	due := s.changed.IsZero() || time.Since(s.changed) < standbyCommits*s.config.CommitEvery
	if due || len(s.refused) > 0 { // without the refused records the inputs must not count as taken
		return nil
	}
	text, err := json.Marshal(s.now)
	if err != nil {
		return err
	}
	if err := s.engine.Commit(s.store, join.Pair{Key: checkpointKey, Value: text}); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	s.saved, s.changed = s.now, time.Time{}
	next := s.now.Inputs
	s.board.update(func(st *Status) { st.Committed = next })
	return nil
}

// standbyCommits is how many times less often than an owner a standby commits: it only saves itself work after a restart.
const standbyCommits = 10
