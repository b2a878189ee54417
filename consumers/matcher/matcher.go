// Package matcher joins the records of one Salesforce org with the customers of an ERP and publishes what comes of it,
// by the matching rules (R…, Part A), whose conformance table is testdata/matching-rules.md.
//
// A record of an input topic is decoded no further than its version and its schema (session.take), goes into the
// state (join.Engine), and marks what it changes. After each batch the marked outputs are computed once and those
// that differ are published (publisher), puts before tombstones. Once everything is acknowledged, the changed
// state and the input positions that it reflects are committed in one write (session.commit). What cannot be decoded
// goes to crosswalk.deadletter. A start reads state, outputs and inputs before it publishes anything (session.open).
//
// Sub-packages: rule, the decisions as pure functions; join, the state and what follows from it; naive, the same answer
// computed directly; conformance, the table's notation for tests.
//
// Metrics, each with the label org: crosswalk_matcher_inputs_total{topic,verdict},
// crosswalk_matcher_outputs_total{topic,kind}, crosswalk_matcher_live_records{kind}, crosswalk_matcher_matched_customers,
// crosswalk_matcher_ambiguous_groups, crosswalk_matcher_unmatched_records{side}, crosswalk_matcher_near_miss_records,
// crosswalk_matcher_lag_records, crosswalk_matcher_owner, crosswalk_matcher_standby,
// crosswalk_matcher_unconfirmed_outputs, crosswalk_matcher_disk_records, crosswalk_matcher_newest_input_timestamp_seconds{side}, crosswalk_matcher_settle_seconds,
// crosswalk_matcher_commit_seconds, crosswalk_matcher_rebuilds_total, crosswalk_matcher_link_changes_total.
package matcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
	"crosswalk/internal/registry"
	"crosswalk/internal/state"
	"crosswalk/internal/topic"
)

// Config says for which org, on which Kafka, and by which link is matched.
type Config struct {
	Org                     string // alias; prefix of the topics' names, may be empty
	Kafka                   *topic.Client
	Registry                *registry.Client
	StateDir                string         // folder of the local state, made when it is missing
	Link                    *customer.Link // as configured; nil for none. A later activation by control record wins
	OrphanGrace             time.Duration  // R20; 0 reports orphans at once
	ERPDeletedField         string         // path of the flag that counts as a deletion when it is true; "" for none
	ViewMaxBytes            int            // R29a; default 900,000
	Partitions, Replication int            // of topics that have to be made; 0 is the cluster's default
	Compression             topic.Compression
	Memory                  int64          // bytes that the state may take in memory: beyond it records are read from StateDir; 0: no bound
	CommitEvery             time.Duration  // how much work a crash may repeat; default 1 s
	Logger                  *slog.Logger   // default discards
	Metrics                 *Metrics       // default counts nowhere
	StateMetrics            *state.Metrics // default counts nowhere

	faults faults // of tests
}

// faults are where tests interrupt a matcher.
type faults struct {
	store  func(join.Store) join.Store // put before the local state
	waited func() error                // called between the puts and the tombstones of a batch
}

// Matcher is the task that matches one org.
type Matcher struct {
	config Config
	board  board
	warm   *warmth // what Follow has left for Run
}

// New checks the configuration. It starts nothing.
func New(c Config) (*Matcher, error) {
	if c.Kafka == nil || c.Registry == nil || c.StateDir == "" {
		return nil, errors.New("a matcher needs Kafka, a schema registry and a folder for its state")
	}
	if c.Link != nil {
		if err := c.Link.Validate(); err != nil {
			return nil, err
		}
	}
	if c.CommitEvery == 0 {
		c.CommitEvery = time.Second
	}
	if c.ViewMaxBytes == 0 {
		c.ViewMaxBytes = join.DefaultViewMaxBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	c.Logger = c.Logger.With("org", topic.OrgName(c.Org))
	return &Matcher{config: c, board: newBoard(c.Org)}, nil
}

// Task is the name of the matcher's task, for the group that shares tasks and as its transactional id.
func (m *Matcher) Task() string { return taskOf(m.config.Org) }

func taskOf(org string) string { return "matcher/" + topic.OrgName(org) }

// Run matches until ctx ends, and returns nil then. An error is a sentence for the operator: the matcher has stopped
// publishing, its state is that of the last commit, and Run may be called again. topic.ErrFenced means that another
// owner has taken over.
func (m *Matcher) Run(ctx context.Context) error {
	store, err := m.open()
	if err != nil {
		return err
	}
	metrics := m.config.Metrics.of(m.config.Org)
	metrics.owner.Set(1)
	defer metrics.ended()
	err = m.run(ctx, disk{store})
	if ctx.Err() != nil && !errors.Is(err, errCommit) {
		err = nil
	}
	m.board.update(func(s *Status) { s.Phase = Stopped })
	if cerr := store.Close(); err == nil {
		err = cerr
	}
	return err
}

// open opens the local state, or takes the one that Follow has left open.
func (m *Matcher) open() (*state.Store, error) {
	if m.warm != nil {
		return m.warm.store, nil
	}
	return state.Open(m.config.StateDir, state.Logger(m.config.Logger), state.WithMetrics(m.config.StateMetrics), state.Uncompressed())
}

// errCommit marks an error of the local state, which is told even when the context has ended.
var errCommit = errors.New("the local state cannot be written")

// run starts sessions until one ends for another reason than that its state belongs to topics that are no more.
func (m *Matcher) run(ctx context.Context, d disk) error {
	for {
		s := m.session(d)
		err := s.run(ctx)
		s.close()
		if !outOfDate(err) {
			return err
		}
		if err := m.wipe(d, err); err != nil {
			return err
		}
	}
}

// session returns the one that stood by, or a new one.
func (m *Matcher) session(d disk) *session {
	if m.warm == nil {
		return newSession(m, d)
	}
	s := m.warm.session
	m.warm = nil
	return s
}

// wipe gives a state up that does not belong to the topics.
func (m *Matcher) wipe(d disk, reason error) error {
	m.config.Logger.Warn("the local state is rebuilt from the topics", "reason", reason)
	if err := d.wipe(); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return nil
}

// outOfDate reports whether an error says that the state does not belong to what the topics hold (R34).
func outOfDate(err error) bool {
	var offset *topic.OffsetError
	var recreated *topic.RecreatedError
	return errors.As(err, &offset) || errors.As(err, &recreated) || errors.Is(err, errRebuild)
}

// Status says how the matcher is.
func (m *Matcher) Status() Status { return m.board.get() }

// Await waits until the status is as wanted. The error is the cause with which ctx ended before.
func (m *Matcher) Await(ctx context.Context, wanted func(Status) bool) error {
	return m.board.await(ctx, wanted)
}
