package salesforce

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/change"
	"crosswalk/internal/topic"
)

// envelope makes keys and headers of records for one goroutine. What many records have in common it keeps as text; what
// only one has is valid until reset.
type envelope struct {
	published *prometheus.CounterVec
	source    []byte // ce_source
	kinds     map[kind]*kindText
	at        int64  // of ce_time
	time      []byte // ce_time
	text      []byte // of keys and headers since the last reset
	list      []topic.Header
}

// kind is what a record says by its topic and op.
type kind struct {
	entity, topic string
	op            change.Op
}

type kindText struct {
	op, event []byte             // header op, ce_type
	published prometheus.Counter // of this kind
}

func newEnvelope(p *Producer) *envelope {
	return &envelope{
		published: p.cfg.Metrics.published, source: []byte("/crosswalk/" + url.PathEscape(p.org()) + "/salesforce"), kinds: map[kind]*kindText{},
	}
}

// reset ends what was made so far.
func (v *envelope) reset() { v.text, v.list = v.text[:0], v.list[:0] }

func (v *envelope) kind(k kind) *kindText {
	t := v.kinds[k]
	if t == nil {
		op := strings.ToLower(string(k.op))
		t = &kindText{
			op: []byte(op), event: []byte("crosswalk.salesforce." + strings.ToLower(k.entity) + "." + op),
			published: v.published.WithLabelValues(k.topic, op),
		}
		v.kinds[k] = t
	}
	return t
}

// number appends a number as text.
func (v *envelope) number(n int64) []byte {
	from := len(v.text)
	v.text = strconv.AppendInt(v.text, n, 10)
	return v.text[from:len(v.text):len(v.text)]
}

var specVersion = []byte("1.0")

// record makes a record without its value: topic, key, and the headers, which are the version (C2) and the CloudEvents
// binding. at is when its change happened, epoch milliseconds: the commit of an event, the start of a read. Numbers are
// decimal text. It is counted as published.
func (v *envelope) record(entity, name, id string, h change.Headers, at int64) topic.Record {
	k := v.kind(kind{entity, name, h.Op})
	k.published.Inc()
	if at != v.at || v.time == nil {
		v.at, v.time = at, time.UnixMilli(at).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z")
	}
	epoch, rev := v.number(h.Epoch), v.number(h.Rev)
	from := len(v.text)
	v.text = append(append(append(append(append(v.text, id...), '-'), epoch...), '-'), rev...)
	event := v.text[from:len(v.text):len(v.text)]
	key := event[:len(id):len(id)]
	first := len(v.list)
	v.list = append(
		v.list,
		topic.Header{Key: "epoch", Value: epoch},
		topic.Header{Key: "rev", Value: rev},
		topic.Header{Key: "pos", Value: v.number(h.Pos)},
		topic.Header{Key: "asof", Value: v.number(h.AsOf)},
		topic.Header{Key: "op", Value: k.op},
		topic.Header{Key: "ce_specversion", Value: specVersion},
		topic.Header{Key: "ce_id", Value: event},
		topic.Header{Key: "ce_type", Value: k.event},
		topic.Header{Key: "ce_source", Value: v.source},
		topic.Header{Key: "ce_time", Value: v.time},
		topic.Header{Key: "ce_subject", Value: key},
	)
	return topic.Record{Topic: name, Key: key, Headers: v.list[first:len(v.list):len(v.list)]}
}

// maxVersion bounds epochs and revs: a greater one is damage, and could not be exceeded for ever.
const maxVersion = 1 << 60

// parseHeaders reads the version back. commit is ce_time when an event made the record, else 0. With an error, a
// *damage, h has what can be read: a record must have an epoch and a rev, and what else it has must be in order.
func parseHeaders(r topic.Record) (h change.Headers, commit int64, err error) {
	epoch, rev := false, false
	number := func(text []byte) (int64, error) {
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err == nil && (n < 0 || n > maxVersion) {
			return 0, fmt.Errorf("%d is out of range", n)
		}
		return n, err
	}
	for _, header := range r.Headers {
		var bad error
		switch header.Key {
		case "epoch":
			h.Epoch, bad = number(header.Value)
			epoch = bad == nil
		case "rev":
			h.Rev, bad = number(header.Value)
			rev = bad == nil
		case "pos":
			h.Pos, bad = number(header.Value)
		case "asof":
			h.AsOf, bad = number(header.Value)
		case "op":
			h.Op = change.Op(strings.ToUpper(string(header.Value)))
		case "ce_time":
			var at time.Time
			at, bad = time.Parse(time.RFC3339, string(header.Value))
			commit = at.UnixMilli()
		}
		if bad != nil && err == nil {
			err = fmt.Errorf("header %s: %w", header.Key, bad)
		}
	}
	if err == nil && !(epoch && rev) {
		err = errors.New("it has no headers epoch and rev")
	}
	if err != nil {
		return h, 0, &damage{why: err, unversioned: true}
	}
	switch h.Op {
	case change.OpCreate, change.OpUpdate, change.OpDelete, change.OpUndelete:
		return h, commit, nil
	}
	return h, 0, nil
}
