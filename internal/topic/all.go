package topic

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// ReadAll yields every record that the topics hold at the time of the call, barriers left out, each partition in its order,
// and returns the position behind them: a reader that begins there yields all that comes later. The record's memory is
// valid until fn returns.
func (c *Client) ReadAll(ctx context.Context, topics []string, fn func(Record) error) (Position, error) {
	ends, err := c.Offsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	r, err := c.NewReader(ctx, ReaderConfig{Topics: topics})
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only ends the fetching
	for f := r.Start(); !f.CaughtUp(ends); {
		if f, err = r.Poll(ctx); err != nil {
			return nil, err
		}
		for _, record := range f.Records {
			if record.Offset >= ends[record.Topic][record.Partition].End {
				continue // came while the rest was read, and is yielded to who reads on
			}
			if err := fn(record); err != nil {
				return nil, fmt.Errorf("take record %d of %s partition %d: %w", record.Offset, record.Topic, record.Partition, err)
			}
		}
	}
	next := make(Position, len(ends))
	for topic, ranges := range ends {
		for _, r := range ranges {
			next[topic] = append(next[topic], r.End)
		}
	}
	return next, nil
}

// Exists reports whether the cluster has the topic.
func (c *Client) Exists(ctx context.Context, topic string) (bool, error) {
	_, err := c.layout.look(ctx, topic)
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		return false, nil
	}
	return err == nil, err
}
