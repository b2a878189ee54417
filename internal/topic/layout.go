package topic

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"golang.org/x/sync/singleflight"
)

// place is where a topic is: one entry per partition.
type place struct {
	id      string  // Kafka's topic id; another one under the same name is another topic
	leaders []int32 // broker number; negative while there is none
	read    time.Time
}

// layout remembers where topics are. kafka-go's own look-up has no topic ids and asks for all topics of the cluster.
type layout struct {
	client *Client
	flight singleflight.Group

	mu         sync.Mutex
	places     map[string]*place
	controller int32
}

// get returns where a topic is, from memory if it is known. The error is kafka.UnknownTopicOrPartition when there is
// no such topic.
func (l *layout) get(ctx context.Context, topic string) (*place, error) {
	l.mu.Lock()
	p := l.places[topic]
	l.mu.Unlock()
	if p != nil {
		return p, nil
	}
	return l.look(ctx, topic)
}

// look asks for the topic and returns where it is.
func (l *layout) look(ctx context.Context, topic string) (*place, error) {
	if err := l.refresh(ctx, topic); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.places[topic]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("find topic %s: %w", topic, kafka.UnknownTopicOrPartition)
}

// patience is how long a topic that was just made may be unknown to a broker: from its first answer that it does not know it.
const patience = 3 * time.Second

// find looks a topic up for somebody who knows that it exists.
func (l *layout) find(ctx context.Context, topic string) (p *place, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var unknown time.Time // since when; brokers that are slow to answer cost no patience
	err = retry(ctx, func() (err error) {
		p, err = l.look(ctx, topic)
		switch {
		case !errors.Is(err, kafka.UnknownTopicOrPartition):
		case unknown.IsZero():
			unknown = time.Now()
		case time.Since(unknown) > patience:
			cancel()
		}
		return err
	})
	return p, err
}

// refresh asks where the topics are; none are needed to learn only the controller. Callers that ask for the same at
// the same time share one request.
func (l *layout) refresh(ctx context.Context, topics ...string) error {
	answer := l.flight.DoChan(fmt.Sprint(topics), func() (any, error) {
		return nil, l.ask(context.WithoutCancel(ctx), topics)
	})
	select {
	case a := <-answer:
		return a.Err
	case <-ctx.Done():
		return fmt.Errorf("look up topics: %w", ctx.Err())
	}
}

func (l *layout) ask(ctx context.Context, topics []string) error {
	body := binary.AppendUvarint(nil, uint64(len(topics))+1)
	for _, name := range topics {
		body = append(body, make([]byte, 16)...) // by name, not by id
		body = binary.AppendUvarint(body, uint64(len(name))+1)
		body = append(append(body, name...), 0)
	}
	body = append(body, 0, 0, 0, 0) // do not create, no authorizations, no tags
	b := &toBroker{node: -1, exchange: exchange{
		Message: &metadata.Request{}, version: 10, flexible: true, body: [][]byte{body}, max: 64 << 20,
	}}
	if err := l.client.send(ctx, &b.exchange, b); err != nil {
		return fmt.Errorf("look up topics: %w", err)
	}
	return l.decode(&decoder{b: b.reply}, topics)
}

func (l *layout) decode(d *decoder, asked []string) error {
	d.tags()
	d.int32() // throttled
	for range d.compactLength() {
		d.int32() // broker
		d.compactString()
		d.int32()
		d.compactString()
		d.tags()
	}
	d.compactString() // cluster
	controller := d.int32()
	found := map[string]*place{}
	var failed error
	for range d.compactLength() {
		code := kafka.Error(d.int16())
		name := d.compactString()
		p := decodePlace(d)
		switch code {
		case 0, kafka.LeaderNotAvailable:
			found[name] = p
		case kafka.UnknownTopicOrPartition:
		default:
			failed = fmt.Errorf("look up topic %s: %w", name, code)
		}
	}
	if d.err != nil {
		return fmt.Errorf("look up topics: %w", d.err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.places == nil {
		l.places = map[string]*place{}
	}
	l.controller = controller
	for _, name := range asked {
		if p := found[name]; p != nil {
			l.places[name] = p
		} else {
			delete(l.places, name)
		}
	}
	return failed
}

func decodePlace(d *decoder) *place {
	p := &place{id: hex.EncodeToString(d.take(16)), read: time.Now()}
	d.int8() // internal
	n := d.compactLength()
	p.leaders = make([]int32, n)
	for range n {
		d.int16() // error: shows as a leader that is missing
		index, leader := d.int32(), d.int32()
		d.int32() // leader epoch
		for range 3 {
			d.take(4 * d.compactLength()) // replicas, in sync, offline
		}
		d.tags()
		if index >= 0 && int(index) < n {
			p.leaders[index] = leader
		}
	}
	d.int32() // authorizations
	d.tags()
	return p
}

// leader returns the broker that leads a partition as far as is known, negative when it is not.
func (l *layout) leader(topic string, partition int32) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.places[topic]; p != nil && int(partition) < len(p.leaders) {
		return p.leaders[partition]
	}
	return -1
}

// identity returns the id of a topic as far as is known.
func (l *layout) identity(topic string) (id string, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.places[topic]; p != nil {
		return p.id, true
	}
	return "", false
}

// Identity returns Kafka's id of each topic, as text. A topic that was deleted and created anew under the same name
// has another one (R34, F13); a topic that does not exist is left out.
func (c *Client) Identity(ctx context.Context, topics ...string) (map[string]string, error) {
	err := retry(ctx, func() error { return c.layout.refresh(ctx, topics...) })
	if err != nil {
		return nil, err
	}
	ids := make(map[string]string, len(topics))
	c.layout.mu.Lock()
	defer c.layout.mu.Unlock()
	for _, topic := range topics {
		if p := c.layout.places[topic]; p != nil {
			ids[topic] = p.id
		}
	}
	return ids, nil
}
