package erp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// errTaken says that somebody else has written to the topic since this process took it over: what it knows of the
// topic is out of date.
var errTaken = errors.New("another process has taken over writing the org's ERP customers")

// session is the time between taking the topic over and losing it to somebody else: one writer, one epoch, and the knowledge
// of what the topic holds, which nobody else can change meanwhile. All sources of the process share it.
type session struct {
	cfg        *Config
	topics     topics
	writer     *topic.Writer
	epoch      int64
	schemaID   int
	positionID int
	positions  map[string]avro.Position // by source, as stored
	formerly   int64                    // the greatest epoch of all that was stored

	turn chan struct{} // held while a record is decided on and sent, so that versions rise in the order of the log

	mu     sync.Mutex
	known  *directory
	ends   []int64 // of the customers' topic: behind the last record that this session knows of
	flying map[string]*flight
	broken error
	ended  chan struct{} // closed when broken is set
}

// flight is the last record of a key that is not acknowledged yet.
type flight struct{ waiting []*batch }

// topicConfig is that of every topic that is written: the last record per key stays, tombstones for 96 hours (R2).
var topicConfig = map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "345600000"}

// takeOver becomes the writer of the topic and reads what it holds. From then on the broker refuses whoever wrote before.
func takeOver(ctx context.Context, cfg *Config) (_ *session, err error) {
	s := &session{
		cfg: cfg, topics: cfg.topics(), positions: map[string]avro.Position{}, turn: make(chan struct{}, 1),
		known: newDirectory(), flying: map[string]*flight{}, ended: make(chan struct{}),
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	w := cfg.Writer
	w.Task, w.Topics = taskOf(cfg.Org), s.topics.all()
	if s.writer, err = cfg.Kafka.NewWriter(ctx, w); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.writer.Close()
		}
	}()
	if err := s.readPositions(ctx); err != nil {
		return nil, err
	}
	if err := s.readCustomers(ctx); err != nil {
		return nil, err
	}
	// Deletions are compacted away in the end, and with them the epoch that they had: the position remembers it.
	s.epoch = max(s.known.epoch(), s.formerly) + 1
	if err := s.store(ctx, taskSource, nil); err != nil {
		return nil, err
	}
	cfg.Metrics.takeovers.Inc()
	return s, nil
}

// prepare makes the topics that are missing and registers the schemas.
func (s *session) prepare(ctx context.Context) (err error) {
	var specs []topic.Spec
	for _, name := range s.topics.all() {
		spec := topic.Spec{Name: name, Partitions: s.cfg.Partitions, Replication: s.cfg.Replication, Config: topicConfig}
		if name != s.topics.customer {
			spec.Partitions = 1
		}
		specs = append(specs, spec)
	}
	if err := s.cfg.Kafka.Ensure(ctx, specs...); err != nil {
		return err
	}
	if s.schemaID, err = s.cfg.Registry.Register(ctx, s.topics.customer+"-value", schemas.ERPCustomer); err != nil {
		return err
	}
	s.positionID, err = s.cfg.Registry.Register(ctx, s.topics.position+"-value", schemas.Position)
	return err
}

// readCustomers reads the topic of customers to its end.
func (s *session) readCustomers(ctx context.Context) error {
	next, err := s.cfg.Kafka.ReadAll(ctx, []string{s.topics.customer}, func(r topic.Record) error {
		if err := s.known.read(r); err != nil {
			s.cfg.Logger.Warn("a record of the ERP topic is not ours and is overwritten when its customer is imported",
				"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
		}
		return nil
	})
	s.ends = next[s.topics.customer]
	return err
}

// acked is told that a record is in the topic, or why not; then what is known of the topic is wrong, and the session ends.
func (s *session) acked(key string, f *flight, r topic.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range f.waiting {
		if b.left--; b.left == 0 && b.settled != nil {
			close(b.settled)
			b.settled = nil
		}
	}
	if s.flying[key] == f {
		delete(s.flying, key)
	}
	if err != nil {
		s.end(fmt.Errorf("publish customer %s to %s: %w", key, s.topics.customer, err))
		return
	}
	if int(r.Partition) < len(s.ends) {
		s.ends[r.Partition] = max(s.ends[r.Partition], r.Offset+1)
	}
	if r.Value == nil {
		s.cfg.Metrics.deleted.Inc()
	} else {
		s.cfg.Metrics.published.Inc()
	}
}

// end ends the session; s.mu is held.
func (s *session) end(err error) {
	if s.broken != nil {
		return
	}
	if errors.Is(err, topic.ErrFenced) {
		err = fmt.Errorf("%w: %w", errTaken, err)
	}
	s.broken = err
	close(s.ended)
}

func (s *session) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// versionHeaders are the version (C2) and the id that follows from it: a record that one owner sends twice has the same.
func versionHeaders(key string, v change.Version) []topic.Header {
	epoch, rev := strconv.FormatInt(v.Epoch, 10), strconv.FormatInt(v.Rev, 10)
	return []topic.Header{
		{Key: "epoch", Value: []byte(epoch)},
		{Key: "rev", Value: []byte(rev)},
		{Key: "ce_id", Value: []byte(url.PathEscape(key) + "-" + epoch + "-" + rev)},
	}
}

// record makes a record of the customers' topic, but for its version.
func (s *session) record(key string, value []byte, op change.Op, source string) topic.Record {
	lower := strings.ToLower(string(op))
	h := func(name, value string) topic.Header { return topic.Header{Key: name, Value: []byte(value)} }
	return topic.Record{Topic: s.topics.customer, Key: []byte(key), Value: value, Headers: []topic.Header{
		h("op", lower), h("ce_specversion", "1.0"), h("ce_type", "crosswalk.erp.customer."+lower), h("ce_source", sourceURI(s.cfg.Org, source)),
		h("ce_time", time.Now().UTC().Format("2006-01-02T15:04:05.000Z")), h("ce_subject", key),
	}}
}

// gone lists the customers of a source that a full list does not name.
func (s *session) gone(source string, named func(string) bool, share float64) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.missing(source, named, share)
}

// lostZeros tells of a list whose numbers have lost zeros.
func (s *session) lostZeros(source string, named map[string]int64) *LostZerosError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.lostZeros(source, named)
}

// since reports whether somebody has published customers of the source under a later epoch.
func (s *session) since(source string, epoch int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.since(source, epoch)
}

type topics struct{ customer, position, deadletter string }

func (t topics) all() []string { return []string{t.customer, t.position, t.deadletter} }
