package matcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
)

// session is one life of the matcher: from its start to an error or the end of its context.
type session struct {
	config  Config
	board   *board
	metrics *orgMetrics
	names   names
	disk    disk
	store   join.Store
	schemas *schemaCache

	engine  *join.Engine
	writer  *topic.Writer
	out     *publisher
	reader  *topic.Reader
	saved   checkpoint // as of the last commit
	now     checkpoint // as of now, but for what is not acknowledged yet
	control *control

	building    bool      // the state was begun with none, and is not complete yet
	followed    bool      // the reader has been at work: now.Inputs says where it stands
	steady      bool      // of a standby: between two batches
	checkAt     time.Time // of a standby: when it looks at its marks again
	unconfirmed int       // of a standby: marks that were left then
	lag         int64     // records that were there when the topics were last asked, and are not consumed
	taken       int       // records since the last settle
	settled     time.Time // when that had ended
	coming      []join.Coming
	spent       chan piece // whose memory is used again
	changed     time.Time  // when the first change came that is not committed; zero when there is none
	forgetAt    time.Time
	reported    map[string]bool         // dead letters that are in the topic, while inputs are read again
	refused     map[string]topic.Record // dead letters that are not in the topic, while nothing is published
}

func newSession(m *Matcher, d disk) *session {
	s := &session{
		config: m.config, board: &m.board, names: newNames(m.config.Org), disk: d, store: d,
		schemas: newSchemaCache(m.config.Registry, m.config.Logger), metrics: m.config.Metrics.of(m.config.Org),
		reported: map[string]bool{}, refused: map[string]topic.Record{}, spent: make(chan piece, piecesInUse),
	}
	s.control = &control{org: m.config.Org, configured: m.config.Link, schemas: s.schemas, link: m.config.Link}
	if m.config.faults.store != nil {
		s.store = m.config.faults.store(d)
	}
	return s
}

func (s *session) close() {
	if s.reader != nil {
		_ = s.reader.Close() // only ends the fetching
		s.reader = nil
	}
	if s.writer != nil {
		s.writer.Close()
	}
}

// run is the session's life.
func (s *session) run(ctx context.Context) error {
	s.schemas.ctx = ctx
	s.board.update(func(st *Status) { st.Phase = Starting })
	if err := s.open(ctx); err != nil {
		return err
	}
	s.board.update(func(st *Status) { st.Phase, st.Committed = Live, s.saved.Inputs })
	for {
		if !s.gathers(time.Now()) {
			if err := s.settle(ctx); err != nil {
				return err
			}
			if err := s.commitWhenDue(ctx); err != nil {
				return err
			}
		}
		f, err := s.reader.Poll(ctx)
		if ctx.Err() != nil {
			return s.finish(ctx)
		}
		if err != nil {
			return err
		}
		if err := s.takeAll(ctx, f); err != nil {
			return err
		}
	}
}

// While more than gatherRecords wait, half of them are taken before what they lead to is computed: a view that several of them
// change is published once. The oldest waits gatherFor at most, and never longer than what comes behind it would.
const (
	gatherRecords = 10_000
	gatherFor     = 2 * time.Second
)

// gathers reports whether more inputs are to be taken before the next settle.
func (s *session) gathers(now time.Time) bool {
	return s.lag > gatherRecords && int64(s.taken) < s.lag && now.Sub(s.settled) < gatherFor
}

// ahead lets the engine look at what it needs of the next records.
func (s *session) ahead(next []topic.Record) {
	s.coming = s.coming[:0]
	for i := range next[:min(len(next), join.AheadOf)] {
		s.coming = append(s.coming, join.Coming{Kind: s.names.kind(next[i].Topic), Key: next[i].Key})
	}
	s.engine.Ahead(s.coming)
}

// takeAll takes a batch of inputs into the state.
func (s *session) takeAll(ctx context.Context, f topic.Fetch) error {
	s.taken += len(f.Records)
	take := s.takeEach
	if s.building && s.manyInputs(f.Records) {
		take = s.takePieces
	}
	if err := take(ctx, f.Records); err != nil {
		return err
	}
	inputs, outputs := s.names.split(f.Next)
	if err := s.engine.Spill(s.store); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	moved := len(f.Records) > 0 || !maps.EqualFunc(s.now.Inputs, inputs, slices.Equal)
	s.now.Inputs = inputs
	if len(outputs) > 0 {
		s.now.Outputs = outputs
	}
	s.lag = 0
	for name, ends := range f.End {
		for i, end := range ends {
			s.lag += max(0, end-f.Next[name][i])
		}
	}
	s.metrics.lag.Set(float64(s.lag))
	if moved && s.changed.IsZero() {
		s.changed = time.Now()
	}
	return nil
}

// settle publishes what has to change and tells the world how it stands.
func (s *session) settle(ctx context.Context) error {
	start := time.Now()
	s.forget(start)
	s.out.begin(ctx, start, s.now.Freshness)
	if err := s.engine.Settle(start.UnixMilli(), s.out); err != nil {
		return err
	}
	s.taken, s.settled = 0, time.Now()
	s.metrics.settle.Observe(s.settled.Sub(start).Seconds())
	s.metrics.show(s.engine.Stats(), s.now.Freshness)
	s.out.mark(s.now.Inputs)
	if s.engine.Unsaved() && s.changed.IsZero() {
		s.changed = start
	}
	stats, fresh, dead, link := s.engine.Stats(), s.now.Freshness, s.now.DeadLetter, s.now.Settings.Link
	s.board.update(func(st *Status) {
		st.fill(stats, fresh, dead, link)
		st.Lag, st.Consumed = s.lag, s.now.Inputs
	})
	return nil
}

// rememberDeletions is for how long the version of a deleted key is kept (R2).
const rememberDeletions = 96 * time.Hour

// forget drops what is remembered of old deletions, every hour.
func (s *session) forget(now time.Time) {
	if now.Before(s.forgetAt) {
		return
	}
	s.forgetAt = now.Add(time.Hour)
	s.engine.Forget(now.Add(-rememberDeletions).UnixMilli())
}

func (s *session) commitWhenDue(ctx context.Context) error {
	if s.changed.IsZero() || time.Since(s.changed) < s.config.CommitEvery {
		return nil
	}
	return s.commit(ctx)
}

// commit makes the state durable, once everything that was published is acknowledged (R33).
func (s *session) commit(ctx context.Context) error {
	if err := s.writer.Flush(ctx); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	start := time.Now()
	next := s.now
	next.Outputs = s.out.position()
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := s.engine.Commit(s.store, join.Pair{Key: checkpointKey, Value: text}); err != nil {
		return fmt.Errorf("%w: nothing more is published until it can: %w", errCommit, err)
	}
	s.now, s.saved, s.changed = next, next, time.Time{}
	s.metrics.commit.Observe(time.Since(start).Seconds())
	s.board.update(func(st *Status) { st.Committed = next.Inputs })
	return nil
}

// finishing bounds the last commit of a matcher that is told to stop.
const finishing = 5 * time.Second

// finish commits what is settled before the matcher stops. What cannot be committed is done again after the next start.
func (s *session) finish(ctx context.Context) error {
	if s.changed.IsZero() || s.engine.Unsettled() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishing)
	defer cancel()
	err := s.commit(ctx)
	if err != nil && !errors.Is(err, errCommit) {
		s.config.Logger.Debug("the last commit was given up", "error", err)
		return nil
	}
	return err
}

// setLink changes the link, if it is another one (R7).
func (s *session) setLink(link *customer.Link) error {
	if sameLink(link, s.now.Settings.Link) {
		return nil
	}
	s.config.Logger.Info("the link is changed", "link", linkText(link))
	s.metrics.linkChanges.Inc()
	if err := s.engine.SetLink(link); err != nil {
		return err
	}
	s.now.Settings.Link = link
	return nil
}

func linkText(l *customer.Link) string {
	if l == nil {
		return "none"
	}
	return fmt.Sprintf("%s = %s (%s)", l.SalesforceField, l.ERPField, l.Cardinality)
}
