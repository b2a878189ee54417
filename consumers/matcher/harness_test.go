package matcher

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"crosswalk/consumers/matcher/conformance"
	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/avro"
	"crosswalk/internal/broker"
	"crosswalk/internal/customer"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// patience bounds every wait of a test.
const patience = 20 * time.Minute

// cluster is an embedded broker and registry, shared by the tests: each uses an org of its own.
type cluster struct {
	broker   *broker.Broker
	kafka    *topic.Client
	registry *registry.Client
	url      string // of the registry

	mu       sync.Mutex
	subjects map[string]int
}

var shared = sync.OnceValues(func() (*cluster, error) {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		return nil, err
	}
	k, err := topic.Dial(context.Background(), topic.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		return nil, err
	}
	server, err := registry.NewServer(context.Background(), &registry.MemoryLog{})
	if err != nil {
		return nil, err
	}
	url := httptest.NewServer(server).URL
	return &cluster{broker: b, kafka: k, registry: registry.NewClient(url), url: url, subjects: map[string]int{}}, nil
})

// frame registers a schema under a subject of its own.
func (c *cluster) frame(ctx context.Context, schema string, body []byte) ([]byte, error) {
	c.mu.Lock()
	n, ok := c.subjects[schema]
	if !ok {
		n = len(c.subjects)
		c.subjects[schema] = n
	}
	c.mu.Unlock()
	id, err := c.registry.Register(ctx, fmt.Sprint("test-", n), schema)
	return append(avro.Frame(nil, id), body...), err
}

var orgs atomic.Int64

// pipeline is one org: its inputs, its matcher, and what that publishes.
type pipeline struct {
	*cluster
	t       *testing.T
	ctx     context.Context
	org     string
	names   names
	config  Config
	writer  *topic.Writer
	tracker *conformance.Tracker
	in      *conformance.Inputs
	read    topic.Position // outputs that the tracker has

	matcher *Matcher
	stop    context.CancelFunc
	ended   chan error
	dead    atomic.Bool // the state refuses to be written: what a killed process would have written is not there
}

func setup(t *testing.T) *pipeline {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	org := fmt.Sprint("org", orgs.Add(1))
	p := &pipeline{cluster: c, t: t, ctx: ctx, org: org, names: newNames(org), in: conformance.NewInputs(conformance.Step{Link: conformance.DefaultLink()})}
	p.config = Config{
		Org: org, Kafka: c.kafka, Registry: c.registry, StateDir: t.TempDir(), Link: conformance.DefaultLink(), Partitions: 2,
		ERPDeletedField: conformance.ERPDeletedField, faults: faults{store: func(s join.Store) join.Store { return mortal{s, &p.dead} }},
	}
	p.must(c.kafka.Ensure(ctx, p.names.specs(p.config)...))
	p.writer, err = c.kafka.NewWriter(ctx, topic.WriterConfig{Task: "test/" + org, Topics: p.names.read()})
	p.must(err)
	t.Cleanup(p.writer.Close)
	p.tracker, err = conformance.NewTracker()
	p.must(err)
	return p
}

func (p *pipeline) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// mortal is a Store that can be told to write nothing any more.
type mortal struct {
	join.Store
	dead *atomic.Bool
}

var errKilled = errors.New("killed")

func (m mortal) Write(set []join.Pair, drop [][]byte) error {
	if m.dead.Load() {
		return errKilled
	}
	return m.Store.Write(set, drop)
}

// start runs the matcher.
func (p *pipeline) start() {
	p.t.Helper()
	m, err := New(p.config)
	p.must(err)
	p.run(m)
}

// run lets a matcher own the task.
func (p *pipeline) run(m *Matcher) {
	p.t.Helper()
	p.matcher = m
	ctx, stop := context.WithCancel(p.ctx)
	p.stop, p.ended = stop, make(chan error, 1)
	p.dead.Store(false)
	ended := p.ended
	go func() { ended <- m.Run(ctx) }()
	p.t.Cleanup(func() {
		stop()
		<-ended
		ended <- nil
	})
}

// awaitLive waits until the matcher has read its topics, which it makes when they are not there.
func (p *pipeline) awaitLive() {
	p.t.Helper()
	p.must(p.matcher.Await(p.ctx, func(s Status) bool { return s.Phase == Live }))
}

// end stops the matcher; kill makes it leave its state as it was at its last commit.
func (p *pipeline) end(kill bool) {
	p.t.Helper()
	p.dead.Store(kill)
	p.stop()
	err := <-p.ended
	p.ended <- nil
	if err != nil && !(kill && errors.Is(err, errKilled)) {
		p.t.Fatalf("the matcher ends with %v", err)
	}
}

// loseState deletes the local state of a matcher that does not run.
func (p *pipeline) loseState() { p.config.StateDir = p.t.TempDir() }

// put writes a step into the topics.
func (p *pipeline) put(s conformance.Step) {
	p.t.Helper()
	p.send(s)
	p.must(p.writer.Flush(p.ctx))
}

// send does the same without waiting for it.
func (p *pipeline) send(s conformance.Step) {
	p.t.Helper()
	p.in.Give(s)
	for _, r := range s.Records {
		record := topic.Record{Topic: p.names.inputs[r.Kind-1], Key: []byte(r.Key), Headers: versionHeaders(r.Version.Epoch, r.Version.Rev)}
		if r.Fields != nil {
			value, err := p.frame(p.ctx, r.Schema(), r.Body())
			p.must(err)
			record.Value = value
		}
		p.must(p.writer.Send(p.ctx, record, nil))
	}
	if s.IsLink {
		p.putLink(s.Link)
	}
}

func versionHeaders(epoch, rev int64) []topic.Header {
	return []topic.Header{{Key: "epoch", Value: strconv.AppendInt(nil, epoch, 10)}, {Key: "rev", Value: strconv.AppendInt(nil, rev, 10)}}
}

// putLink activates a link by control record.
func (p *pipeline) putLink(l *customer.Link) {
	p.t.Helper()
	record := avro.Control{Org: p.org, Kind: Activation, ID: "1", Detail: map[string]string{}}
	if l != nil {
		record.Link = &avro.LinkSetting{
			SalesforceField: l.SalesforceField, ERPField: l.ERPField, Cardinality: string(l.Cardinality), NearMiss: l.NearMiss,
		}
	}
	body, err := record.Append(nil)
	p.must(err)
	value, err := p.frame(p.ctx, schemas.Control, body)
	p.must(err)
	p.must(p.writer.Send(p.ctx, topic.Record{Topic: p.names.control, Key: []byte(ControlKey(p.org)), Value: value}, nil))
}

// settled waits until everything that is in the input topics is published, and returns what was published since the
// last call, in the table's notation.
func (p *pipeline) settled(repeats bool) []string {
	p.t.Helper()
	ends, err := p.kafka.Offsets(p.ctx, p.names.read()...)
	p.must(err)
	wait, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	ended := p.ended
	go func() {
		select {
		case err := <-ended:
			ended <- err
			cancel(fmt.Errorf("the matcher has ended: %w", err))
		case <-wait.Done():
		}
	}()
	if err := p.matcher.Await(wait, func(s Status) bool { return s.Covers(ends) }); err != nil {
		p.t.Fatalf("wait for the matcher, which is %+v: %v", p.matcher.Status(), err)
	}
	return p.published(repeats)
}

// published reads what is new in the output topics. Puts are taken before tombstones: they are on other partitions, whose order
// nothing tells.
func (p *pipeline) published(repeats bool) []string {
	p.t.Helper()
	ends, err := p.kafka.Offsets(p.ctx, p.names.outputs[:]...)
	p.must(err)
	r, err := p.kafka.NewReader(p.ctx, topic.ReaderConfig{Topics: p.names.outputs[:], From: p.read})
	p.must(err)
	defer func() { p.must(r.Close()) }()
	var f topic.Fetch
	var puts, tombstones []conformance.Out
	for !f.CaughtUp(ends) {
		f, err = r.Poll(p.ctx)
		p.must(err)
		for _, rec := range f.Records {
			out := p.out(rec)
			if out.Value == nil && !repeats {
				tombstones = append(tombstones, out)
			} else {
				puts = append(puts, out)
			}
		}
	}
	p.read = f.Next
	produced, err := p.tracker.Step(append(puts, tombstones...), repeats)
	p.must(err)
	return produced
}

func (p *pipeline) out(r topic.Record) conformance.Out {
	p.t.Helper()
	out := conformance.Out{Key: string(r.Key)}
	for t, name := range p.names.outputs {
		if name == r.Topic {
			out.Topic = join.Topic(t)
		}
	}
	if r.Value != nil {
		_, body, err := avro.Unframe(r.Value)
		p.must(err)
		out.Value = append([]byte{}, body...)
	}
	return out
}

// check compares what is published with the direct computation.
func (p *pipeline) check() {
	p.t.Helper()
	if err := conformance.CheckEqual(p.tracker.State(), p.in.Compute()); err != nil {
		p.t.Fatal(err)
	}
}

// deleteTopics takes topics away; a matcher that starts makes them anew.
func (p *pipeline) deleteTopics(names ...string) {
	p.t.Helper()
	client := kafka.Client{Addr: kafka.TCP(p.broker.Addr())}
	answer, err := client.DeleteTopics(p.ctx, &kafka.DeleteTopicsRequest{Topics: names})
	p.must(err)
	for _, err := range answer.Errors {
		p.must(err)
	}
}
