package topictest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"crosswalk/internal/topic"
)

// plain is kafka-go's own client, for what the product does not do.
func (e *Env) plain() *kafka.Client {
	var dial dial
	if e.Config.Dial != nil {
		dial = e.Config.Dial
	} else {
		dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	return &kafka.Client{
		Addr: kafka.TCP(e.Config.Brokers...), Timeout: 10 * time.Second,
		Transport: &kafka.Transport{TLS: e.Config.TLS, Dial: dial, MetadataTTL: 200 * time.Millisecond},
	}
}

func recreation(ctx context.Context, e *Env, c *topic.Client, name string) error {
	before, err := c.Identity(ctx, name, e.name("absent"))
	if err != nil {
		return err
	}
	if len(before) != 1 || before[name] == "" {
		return fmt.Errorf("identities are %v", before)
	}
	w, err := c.NewWriter(ctx, topic.WriterConfig{Task: name, Topics: []string{name}})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Write(ctx, topic.Record{Topic: name, Key: []byte("a")}); err != nil {
		return err
	}
	r, err := c.NewReader(ctx, topic.ReaderConfig{Topics: []string{name}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	answer, err := e.plain().DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}})
	if err == nil {
		err = answer.Errors[name]
	}
	if err != nil {
		return err
	}
	// A broker may take a moment to hear of the deletion.
	for after := before; after[name] == before[name] || after[name] == ""; {
		if err := c.Ensure(ctx, topic.Spec{Name: name, Partitions: 2}); err != nil {
			return err
		}
		if after, err = c.Identity(ctx, name); err != nil {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("identity was %s and is %s", before[name], after[name])
		}
	}
	for err == nil {
		_, err = r.Poll(ctx)
	}
	var recreated *topic.RecreatedError
	var outside *topic.OffsetError
	if !errors.As(err, &recreated) && !errors.As(err, &outside) {
		return fmt.Errorf("the reader of the old topic ended with %w", err)
	}
	return nil
}

// transactions writes as other producers may: an aborted transaction, a committed one, and one that stays open.
func transactions(ctx context.Context, e *Env) (err error) {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	name := e.name("txn")
	if err := c.Ensure(ctx, topic.Spec{Name: name, Partitions: 1}); err != nil {
		return err
	}
	k := e.plain()
	session, err := begin(ctx, k, name)
	if err != nil {
		return err
	}
	for i, commit := range []bool{false, true, false, true} {
		if err := inTransaction(ctx, k, name, session, int32(i), fmt.Sprint(i)); err != nil {
			return err
		}
		end, err := k.EndTxn(ctx, &kafka.EndTxnRequest{
			TransactionalID: name, ProducerID: session.ProducerID, ProducerEpoch: session.ProducerEpoch, Committed: commit,
		})
		if err == nil {
			err = end.Error
		}
		if err != nil {
			return fmt.Errorf("end transaction %d: %w", i, err)
		}
	}
	want := "13"
	for {
		log, _, err := readAll(ctx, c, name)
		if err != nil {
			return err
		}
		var got string
		for _, r := range log {
			got += string(r.Key)
		}
		if got == want {
			return nil
		}
		if len(got) >= len(want) || ctx.Err() != nil { // the last marker may take a moment
			return fmt.Errorf("read %q, want %q", got, want)
		}
	}
}

func begin(ctx context.Context, k *kafka.Client, id string) (*kafka.ProducerSession, error) {
	for {
		answer, err := k.InitProducerID(ctx, &kafka.InitProducerIDRequest{
			TransactionalID: id, TransactionTimeoutMs: 60_000, ProducerID: -1, ProducerEpoch: -1,
		})
		if err == nil {
			err = answer.Error
		}
		if err == nil {
			return answer.Producer, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("begin transactions: %w", err)
		}
	}
}

func inTransaction(ctx context.Context, k *kafka.Client, name string, s *kafka.ProducerSession, sequence int32, key string) error {
	var code error = kafka.ConcurrentTransactions // the one before may still be ending
	for errors.Is(code, kafka.ConcurrentTransactions) && ctx.Err() == nil {
		added, err := k.AddPartitionsToTxn(ctx, &kafka.AddPartitionsToTxnRequest{
			TransactionalID: name, ProducerID: s.ProducerID, ProducerEpoch: s.ProducerEpoch,
			Topics: map[string][]kafka.AddPartitionToTxn{name: {{Partition: 0}}},
		})
		if err != nil {
			return fmt.Errorf("begin transaction: %w", err)
		}
		code = added.Topics[name][0].Error
	}
	if code != nil {
		return fmt.Errorf("begin transaction: %w", code)
	}
	answer, err := k.RawProduce(ctx, &kafka.RawProduceRequest{
		Topic: name, Partition: 0, RequiredAcks: kafka.RequireAll, TransactionalID: name,
		RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(transactional(s, sequence, key))},
	})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		return fmt.Errorf("write in transaction: %w", err)
	}
	return nil
}

// transactional returns a batch of one record with the size in front, as RawProduce wants it.
func transactional(s *kafka.ProducerSession, sequence int32, key string) []byte {
	h, now := binary.BigEndian, uint64(time.Now().UnixMilli())
	record := append([]byte{0, 0, 0, byte(2 * len(key))}, key...)
	record = append(record, 2, 'v', 0)
	sealed := []byte{0, 0x10, 0, 0, 0, 0}
	sealed = h.AppendUint64(h.AppendUint64(sealed, now), now)
	sealed = h.AppendUint16(h.AppendUint64(sealed, uint64(s.ProducerID)), uint16(s.ProducerEpoch))
	sealed = h.AppendUint32(h.AppendUint32(sealed, uint32(sequence)), 1)
	sealed = append(append(sealed, byte(2*len(record))), record...)
	size := 4 + 1 + 4 + len(sealed)
	b := h.AppendUint32(nil, uint32(size+12))
	b = h.AppendUint32(h.AppendUint64(b, 0), uint32(size))
	b = append(append(b, 0xff, 0xff, 0xff, 0xff), 2)
	b = h.AppendUint32(b, crc32.Checksum(sealed, crc32.MakeTable(crc32.Castagnoli)))
	return append(b, sealed...)
}
