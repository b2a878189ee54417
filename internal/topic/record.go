// Package topic is Kafka for the rest of Crosswalk: topics, the one writer of each task, readers, and the tasks that
// the processes of a deployment share.
//
// A record goes through it like this. The owner of a task gives it to its [Writer], which encodes it into the open
// batch of the partition that the key belongs to, sends batches with the task's producer id, epoch and sequence
// numbers, repeats them byte for byte until they are acknowledged by all in-sync replicas, and calls back with the
// offset. Elsewhere a [Reader] fetches it from an explicit offset and hands it over, records still in the bytes that
// came from the network. [Client.RunTasks] decides by Kafka's group protocol which process owns which task.
//
// It is built on kafka-go below its Writer and Reader; DESIGN.md says what is guaranteed and how.
//
// Metrics: crosswalk_topic_records_written_total, crosswalk_topic_written_bytes_total, crosswalk_topic_produce_seconds,
// crosswalk_topic_produce_retries_total, crosswalk_topic_records_rejected_total, crosswalk_topic_writers_fenced_total,
// crosswalk_topic_produce_withheld_total, crosswalk_topic_records_read_total, crosswalk_topic_read_bytes_total,
// crosswalk_topic_fetch_errors_total, crosswalk_topic_rebalances_total, crosswalk_topic_tasks,
// crosswalk_topic_standbys, crosswalk_topic_task_failures_total.
package topic

import (
	"encoding/binary"
	"time"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of a topic.
type Record struct {
	Topic     string
	Partition int32 // set by Writer and Reader; Writer ignores what it finds there
	Offset    int64 // set by Writer and Reader
	Key       []byte
	Value     []byte // nil: a tombstone
	Headers   []Header
	Time      time.Time // to the millisecond; zero when writing: now
}

// UnknownOffset is the offset of a record that is durable, but whose place the broker no longer tells.
const UnknownOffset = int64(-1)

// BarrierKey is the reserved key of the tombstones that a new writer puts into each partition before anything else
// (W2). No other record may have it; it cannot be a record id or a customer key, because it begins with a NUL.
const BarrierKey = "\x00crosswalk.barrier"

// IsBarrier reports whether r is a barrier and thus no record in the sense of the matching rules. Readers of this
// package leave barriers out by themselves.
func IsBarrier(r Record) bool { return r.Value == nil && string(r.Key) == BarrierKey }

// partitionOf returns the partition of a key, as the default partitioner of Java's client does.
func partitionOf(key []byte, partitions int) int32 {
	return int32(murmur2(key)&0x7fffffff) % int32(partitions)
}

func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k = (k ^ k>>24) * m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
