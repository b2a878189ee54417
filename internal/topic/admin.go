package topic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// Spec describes a topic to be made.
type Spec struct {
	Name        string
	Partitions  int               // 0: the cluster's default
	Replication int               // 0: the cluster's default
	Config      map[string]string // such as cleanup.policy: compact
}

// Ensure makes the topics that are missing and waits until each partition has a leader. Topics that exist stay as they
// are, whatever the spec says.
func (c *Client) Ensure(ctx context.Context, specs ...Spec) error {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	return retry(ctx, func() error {
		if err := c.layout.refresh(ctx, names...); err != nil {
			return err
		}
		// A broker may not know yet of a topic that was just made or deleted, so both steps are taken until it does.
		missing := slices.DeleteFunc(slices.Clone(specs), func(s Spec) bool { return c.exists(s.Name) })
		if len(missing) > 0 {
			if err := c.create(ctx, missing); err != nil {
				return err
			}
		}
		return c.usable(ctx, names)
	})
}

func (c *Client) exists(topic string) bool {
	c.layout.mu.Lock()
	defer c.layout.mu.Unlock()
	return c.layout.places[topic] != nil
}

// usable fails while a partition of a topic has no leader.
func (c *Client) usable(ctx context.Context, topics []string) error {
	if err := c.layout.refresh(ctx, topics...); err != nil {
		return err
	}
	c.layout.mu.Lock()
	defer c.layout.mu.Unlock()
	for _, topic := range topics {
		p := c.layout.places[topic]
		if p == nil {
			return fmt.Errorf("find topic %s: %w", topic, kafka.UnknownTopicOrPartition)
		}
		if len(p.leaders) == 0 || slices.Min(p.leaders) < 0 {
			return fmt.Errorf("find leaders of topic %s: %w", topic, kafka.LeaderNotAvailable)
		}
	}
	return nil
}

func (c *Client) create(ctx context.Context, specs []Spec) error {
	body := appendInt32(nil, int32(len(specs)))
	for _, s := range specs {
		body = appendString(body, s.Name)
		body = appendInt32(body, int32(orDefault(s.Partitions)))
		body = appendInt16(body, int16(orDefault(s.Replication)))
		body = appendInt32(body, 0) // the cluster chooses the brokers
		body = appendInt32(body, int32(len(s.Config)))
		for _, k := range slices.Sorted(maps.Keys(s.Config)) {
			body = appendString(appendString(body, k), s.Config[k])
		}
	}
	body = append(appendInt32(body, int32(requestTimeout.Milliseconds()/2)), 0)
	c.layout.mu.Lock()
	controller := c.layout.controller
	c.layout.mu.Unlock()
	d, err := c.ask(ctx, controller, &createtopics.Request{}, 4, body)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	d.int32() // throttled
	for range d.length() {
		name, code, reason := d.string(), kafka.Error(d.int16()), d.string()
		if code == 0 || code == kafka.TopicAlreadyExists || d.err != nil {
			continue
		}
		err = errors.Join(err, fmt.Errorf("create topic %s: %s: %w", name, reason, code))
	}
	return errors.Join(err, d.err)
}

func orDefault(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// Range is what a partition holds: offsets from First up to, not including, End. End is where the next record goes,
// or where the first transaction that is still open began.
type Range struct{ First, End int64 }

// Offsets returns the range of each partition of the topics, by topic and then partition number. A topic that does not
// exist is an error.
func (c *Client) Offsets(ctx context.Context, topics ...string) (map[string][]Range, error) {
	var all map[string][]Range
	err := retry(ctx, func() error {
		if err := c.layout.refresh(ctx, topics...); err != nil {
			return err
		}
		all = make(map[string][]Range, len(topics))
		asked := map[int32]map[string][]int32{}
		for _, topic := range topics {
			p, err := c.layout.get(ctx, topic)
			if err != nil {
				return permanent(err)
			}
			all[topic] = make([]Range, len(p.leaders))
			for i, leader := range p.leaders {
				if asked[leader] == nil {
					asked[leader] = map[string][]int32{}
				}
				asked[leader][topic] = append(asked[leader][topic], int32(i))
			}
		}
		for leader, parts := range asked {
			if err := c.listOffsets(ctx, leader, parts, all); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read offsets: %w", err)
	}
	return all, nil
}

// permanent keeps retry from trying again what the cluster has answered.
func permanent(err error) error {
	return fmt.Errorf("%w: %s", errPermanent, err)
}

var errPermanent = errors.New("it does not help to try again")

// readCommitted is the isolation level of all reading: nothing of transactions that are open or were aborted.
const readCommitted = byte(1)

const (
	firstOffset = int64(-2) // as Kafka writes "the first" where a time is expected
	endOffset   = int64(-1)
)

// listOffsets fills in the ranges of partitions that one broker leads.
func (c *Client) listOffsets(ctx context.Context, leader int32, parts map[string][]int32, into map[string][]Range) error {
	if leader < 0 {
		return kafka.LeaderNotAvailable
	}
	for _, which := range []int64{firstOffset, endOffset} {
		body := append(appendInt32(nil, -1), readCommitted)
		body = appendInt32(body, int32(len(parts)))
		for topic, partitions := range parts {
			body = appendString(body, topic)
			body = appendInt32(body, int32(len(partitions)))
			for _, p := range partitions {
				body = appendInt64(appendInt32(appendInt32(body, p), -1), which)
			}
		}
		d, err := c.ask(ctx, leader, &listoffsets.Request{}, 5, body)
		if err != nil {
			return err
		}
		if err := decodeOffsets(d, which, into); err != nil {
			return err
		}
	}
	return nil
}

func decodeOffsets(d *decoder, which int64, into map[string][]Range) error {
	d.int32() // throttled
	for range d.length() {
		topic := d.string()
		for range d.length() {
			partition, code := d.int32(), d.int16()
			d.int64() // time
			offset := d.int64()
			d.int32() // leader epoch
			ranges := into[topic]
			switch {
			case d.err != nil:
			case code != 0:
				return kafka.Error(code)
			case int(partition) >= len(ranges):
			case which == firstOffset:
				ranges[partition].First = offset
			default:
				ranges[partition].End = offset
			}
		}
	}
	return d.err
}
