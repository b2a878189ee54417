package app

import (
	"context"
	"fmt"

	"crosswalk/internal/topic"
)

// schemasTopic is where Confluent's registry keeps its schemas, so that a real one can take over.
const schemasTopic = "_schemas"

// schemaLog keeps the embedded registry's records in a compacted topic of one partition.
type schemaLog struct {
	kafka  *topic.Client
	writer *topic.Writer
}

func openSchemaLog(ctx context.Context, kafka *topic.Client) (*schemaLog, error) {
	spec := topic.Spec{Name: schemasTopic, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}}
	if err := kafka.Ensure(ctx, spec); err != nil {
		return nil, err
	}
	w, err := kafka.NewWriter(ctx, topic.WriterConfig{Task: "crosswalk/schemas", Topics: []string{schemasTopic}})
	if err != nil {
		return nil, err
	}
	return &schemaLog{kafka: kafka, writer: w}, nil
}

// Append writes one record and waits until it is durable.
func (l *schemaLog) Append(ctx context.Context, key, value []byte) error {
	if err := l.writer.Write(ctx, topic.Record{Topic: schemasTopic, Key: key, Value: value}); err != nil {
		return fmt.Errorf("keep schema in %s: %w", schemasTopic, err)
	}
	return nil
}

// Load yields what was kept, in the order in which it was appended; the slices are valid until fn returns.
func (l *schemaLog) Load(ctx context.Context, fn func(key, value []byte) error) error {
	_, err := l.kafka.ReadAll(ctx, []string{schemasTopic}, func(r topic.Record) error { return fn(r.Key, r.Value) })
	return err
}

func (l *schemaLog) close() { l.writer.Close() }
