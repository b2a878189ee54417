package matcher

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/topic"
)

// publisher sends the engine's outputs and keeps account of what is acknowledged.
type publisher struct {
	writer  *topic.Writer
	names   [join.Topics]string
	waited  func() error
	metrics *orgMetrics
	board   *board
	source  []byte
	done    func(topic.Record, error) // acknowledged, as a value made once

	// Of the settle under way.
	ctx              context.Context
	time             []byte
	salesforce, erp  []byte
	headers          []topic.Header
	epoch, rev, name []byte // buffers used again

	mu          sync.Mutex
	sent, acked int64
	next        topic.Position // behind the last record that is acknowledged
	marks       []mark
}

// mark is a position of the inputs whose outputs are all acknowledged as soon as so many records are.
type mark struct {
	sent   int64
	inputs topic.Position
}

func newPublisher(s *session) *publisher {
	p := &publisher{
		writer: s.writer, names: s.names.outputs, waited: s.config.faults.waited, metrics: s.metrics, board: s.board,
		source: []byte(source(s.config.Org)), next: topic.Position{},
	}
	for name, offsets := range s.now.Outputs {
		p.next[name] = slices.Clone(offsets)
	}
	p.done = p.acknowledged
	return p
}

func source(org string) string {
	return "/crosswalk/" + url.PathEscape(topic.OrgName(org)) + "/matcher"
}

const timeForm = "2006-01-02T15:04:05.000Z"

func appendTime(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, timeForm) }

// begin prepares what the headers of one settle have in common.
func (p *publisher) begin(ctx context.Context, now time.Time, f freshness) {
	p.ctx = ctx
	p.time = appendTime(p.time[:0], now)
	p.salesforce = strconv.AppendInt(p.salesforce[:0], f.Salesforce, 10)
	p.erp = strconv.AppendInt(p.erp[:0], f.ERP, 10)
}

var (
	specVersion = []byte("1.0")
	opUpdate    = []byte("update")
	opDelete    = []byte("delete")
)

// types are the CloudEvents types of puts and tombstones by topic.
var types = func() (out [join.Topics][2][]byte) {
	for t, o := range outputs {
		out[t] = [2][]byte{[]byte("crosswalk." + o.name + ".update"), []byte("crosswalk." + o.name + ".delete")}
	}
	return out
}()

// Publish sends one output with its version (C2), the freshness of both sides, and the CloudEvents binding.
func (p *publisher) Publish(o join.Output) error {
	p.epoch = strconv.AppendInt(p.epoch[:0], o.Version.Epoch, 10)
	p.rev = strconv.AppendInt(p.rev[:0], o.Version.Rev, 10)
	p.name = append(p.name[:0], url.PathEscape(string(o.Key))...)
	p.name = append(append(p.name, '-'), p.epoch...)
	p.name = append(append(p.name, '-'), p.rev...)
	op, kind := opUpdate, types[o.Topic][0]
	if o.Value == nil {
		op, kind = opDelete, types[o.Topic][1]
	}
	p.metrics.output(o.Topic, o.Value == nil)
	p.headers = append(p.headers[:0],
		topic.Header{Key: "epoch", Value: p.epoch}, topic.Header{Key: "rev", Value: p.rev}, topic.Header{Key: "op", Value: op},
		topic.Header{Key: "salesforce_asof", Value: p.salesforce}, topic.Header{Key: "erp_asof", Value: p.erp},
		topic.Header{Key: "ce_specversion", Value: specVersion}, topic.Header{Key: "ce_id", Value: p.name},
		topic.Header{Key: "ce_type", Value: kind}, topic.Header{Key: "ce_source", Value: p.source},
		topic.Header{Key: "ce_time", Value: p.time}, topic.Header{Key: "ce_subject", Value: o.Key},
	)
	return p.send(p.ctx, topic.Record{Topic: p.names[o.Topic], Key: o.Key, Value: o.Value, Headers: p.headers})
}

func (p *publisher) send(ctx context.Context, r topic.Record) error {
	p.mu.Lock()
	p.sent++
	p.mu.Unlock()
	if err := p.writer.Send(ctx, r, p.done); err != nil {
		return fmt.Errorf("publish to %s: %w", r.Topic, err)
	}
	return nil
}

// Await returns when everything sent so far is acknowledged (R28).
func (p *publisher) Await() error {
	if err := p.writer.Flush(p.ctx); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if p.waited != nil {
		return p.waited()
	}
	return nil
}

// acknowledged is called by the writer for each record; the record's memory is not ours any more, its place is.
func (p *publisher) acknowledged(r topic.Record, err error) {
	if err != nil {
		return // Flush returns it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked++
	if r.Offset != topic.UnknownOffset {
		p.next[r.Topic][r.Partition] = r.Offset + 1
	}
	p.tell(p.reached())
}

// mark says that everything sent so far is what the inputs up to a position lead to.
func (p *publisher) mark(inputs topic.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marks = append(p.marks, mark{p.sent, inputs})
	p.tell(p.reached())
}

// reached takes out the marks whose records are acknowledged and returns the last of them. p.mu is held.
func (p *publisher) reached() topic.Position {
	var last topic.Position
	n := 0
	for n < len(p.marks) && p.marks[n].sent <= p.acked {
		last = p.marks[n].inputs
		n++
	}
	p.marks = slices.Delete(p.marks, 0, n)
	return last
}

// tell shows a position, before another can be reached: p.mu is held.
func (p *publisher) tell(inputs topic.Position) {
	if inputs != nil {
		p.board.update(func(s *Status) { s.Published = inputs })
	}
}

// position returns where the output topics stand after all that is acknowledged.
func (p *publisher) position() topic.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := topic.Position{}
	for name, offsets := range p.next {
		out[name] = slices.Clone(offsets)
	}
	return out
}
