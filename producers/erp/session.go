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
	w.Task, w.Topics = "crosswalk/"+cfg.Org+"/erp", s.topics.all()
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
	s.epoch = max(s.known.epoch(), s.positions[taskSource].Epoch) + 1
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

// batch is what one job has sent and waits for.
type batch struct {
	s       *session
	source  string
	trusted bool          // something was not sent because the topic holds it already
	left    int           // records that are not acknowledged; guarded by s.mu
	settled chan struct{} // closed when left falls to 0 while somebody waits; guarded by s.mu
}

func (s *session) begin(source string) *batch { return &batch{s: s, source: source} }

// put publishes a customer unless the topic holds it already, and reports whether it did. value is the framed record. It
// returns before the record is acknowledged: settle waits for that.
func (b *batch) put(ctx context.Context, key string, value []byte) (published bool, err error) {
	content := digestOf(value[wireHeader:])
	return b.send(ctx, key, func(d *directory, k *known) (topic.Record, bool) {
		if !d.changed(key, b.source, content) {
			return topic.Record{}, false
		}
		op := change.OpUpdate
		if !k.live {
			op = change.OpCreate
		}
		k.live, k.digest, k.source = true, content, d.source(b.source)
		return b.s.record(key, value, op, b.source), true
	})
}

// remove deletes a customer of the source, unless the topic does not hold it, and reports whether it did. A customer that
// another source publishes now is not this one's to delete.
func (b *batch) remove(ctx context.Context, key string) (deleted bool, err error) {
	return b.send(ctx, key, func(d *directory, k *known) (topic.Record, bool) {
		if !k.live || k.source != d.source(b.source) {
			return topic.Record{}, false
		}
		k.live = false
		return b.s.record(key, nil, change.OpDelete, b.source), true
	})
}

// wireHeader is the length of Confluent's frame before the Avro body.
const wireHeader = 5

// send lets decide make the record from what is known of the key, gives it its version, and hands it to the writer.
func (b *batch) send(ctx context.Context, key string, decide func(*directory, *known) (topic.Record, bool)) (bool, error) {
	s := b.s
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-s.ended:
		return false, s.cause()
	}
	s.mu.Lock()
	if s.broken != nil {
		s.mu.Unlock()
		return false, s.broken
	}
	k := s.known.keys[key]
	r, ok := decide(s.known, &k)
	if !ok {
		b.trusted = true
		if f := s.flying[key]; f != nil { // it is not there yet
			f.waiting = append(f.waiting, b)
			b.left++
		}
		s.mu.Unlock()
		return false, nil
	}
	k.version = change.Version{Epoch: s.epoch, Rev: k.version.Rev + 1}
	s.known.keys[key] = k
	f := &flight{waiting: []*batch{b}}
	s.flying[key] = f
	b.left++
	s.mu.Unlock()
	r.Headers = append(versionHeaders(key, k.version), r.Headers...)
	err := s.writer.Send(ctx, r, func(r topic.Record, err error) { s.acked(key, f, r, err) })
	if err != nil {
		err = fmt.Errorf("publish customer %s to %s: %w", key, s.topics.customer, err)
		s.acked(key, f, r, err)
		return false, err
	}
	return true, nil
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

// settle waits until all that the batch has sent, and all that it left out because it was on its way already, is acknowledged.
// What it left out because the topic holds it is true only if nobody else has written since: that is asked for.
func (b *batch) settle(ctx context.Context) error {
	if err := b.wait(ctx); err != nil || !b.trusted {
		return err
	}
	s := b.s
	now, err := s.cfg.Kafka.Offsets(ctx, s.topics.customer)
	if err != nil {
		return err
	}
	// What lies there and is this session's own is acknowledged, or is on its way now.
	s.mu.Lock()
	for _, f := range s.flying {
		f.waiting = append(f.waiting, b)
		b.left++
	}
	s.mu.Unlock()
	if err := b.wait(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range now[s.topics.customer] {
		if i >= len(s.ends) || p.End > s.ends[i] {
			s.end(errTaken)
		}
	}
	return s.broken
}

// wait waits until no record of the batch is under way.
func (b *batch) wait(ctx context.Context) error {
	b.s.mu.Lock()
	var settled chan struct{}
	if b.left > 0 {
		settled = make(chan struct{})
		b.settled = settled
	}
	b.s.mu.Unlock()
	if settled != nil {
		select {
		case <-settled:
		case <-b.s.ended:
		case <-ctx.Done():
			return fmt.Errorf("wait for acknowledgement: %w", context.Cause(ctx))
		}
	}
	return b.s.cause()
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

// since reports whether somebody has published customers of the source under a later epoch.
func (s *session) since(source string, epoch int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.since(source, epoch)
}

type topics struct{ customer, position, deadletter string }

func (t topics) all() []string { return []string{t.customer, t.position, t.deadletter} }
