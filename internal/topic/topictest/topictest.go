// Package topictest holds what internal/topic promises as cases that run against any Kafka: the tests run them against
// the embedded broker, and the program of this folder's subfolder realtest against a real one, so that both are held to
// the same.
package topictest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"crosswalk/internal/topic"
)

// Case is one promise.
type Case struct {
	Name string
	Run  func(ctx context.Context, e *Env) error
}

// Cases returns all promises, each of which is kept on topics and groups of its own.
func Cases() []Case {
	return []Case{
		{"records come back as they were written", on("round", 4, roundTrip)},
		{"each compression comes back", on("packed", 2, compressions)},
		{"a reader goes on from a position", on("resume", 3, resume)},
		{"an offset that is not there is an error", on("range", 2, outOfRange)},
		{"many topics in one writer and one reader", manyTopics},
		{"a record that is too large is refused alone", tooLarge},
		{"lost replies write nothing twice and lose nothing", lostReplies},
		{"a former owner is refused", on("fence", 3, fencing)},
		{"owners take over again and again under faults", history},
		{"leaders move while records flow", leaderMoves},
		{"a renewed writer goes on", on("renew", 2, renewal)},
		{"records of aborted transactions are not seen", transactions},
		{"a topic that was made anew is another one", on("recreated", 2, recreation)},
		{"tasks move and run in one place", taskMoves},
		{"a silent process loses its tasks and writes nothing", silence},
	}
}

// on is a case with a connection and a topic of its own.
func on(what string, partitions int, run func(ctx context.Context, e *Env, c *topic.Client, name string) error) func(context.Context, *Env) error {
	return func(ctx context.Context, e *Env) (err error) {
		c, err := e.dial(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		name, err := e.compacted(ctx, c, what, partitions)
		if err != nil {
			return err
		}
		return run(ctx, e, c, name)
	}
}

// Env is the Kafka that a case runs against.
type Env struct {
	Config  topic.Config
	Session time.Duration // the shortest that the broker allows
	Seed    uint64
	Disturb func(ctx context.Context, i int) error // makes leaders move or brokers die and come back; nil: cannot
	Logf    func(format string, args ...any)

	names atomic.Int64
}

// name returns a name that nobody else uses.
func (e *Env) name(what string) string {
	return fmt.Sprintf("topictest-%d-%d-%s", time.Now().UnixNano(), e.names.Add(1), what)
}

func (e *Env) rand() *rand.Rand { return rand.New(rand.NewPCG(e.Seed, 0x70)) }

// dial connects with the configuration of the environment, changed by the functions given.
func (e *Env) dial(ctx context.Context, change ...func(*topic.Config)) (*topic.Client, error) {
	config := e.Config
	for _, fn := range change {
		fn(&config)
	}
	return topic.Dial(ctx, config)
}

// compacted makes a topic as the product does.
func (e *Env) compacted(ctx context.Context, c *topic.Client, what string, partitions int) (string, error) {
	name := e.name(what)
	return name, c.Ensure(ctx, topic.Spec{
		Name: name, Partitions: partitions, Config: map[string]string{"cleanup.policy": "compact"},
	})
}

// readAll reads topics from their first offsets to where they end now.
func readAll(ctx context.Context, c *topic.Client, topics ...string) (records []topic.Record, next topic.Position, err error) {
	return readFrom(ctx, c, nil, topics...)
}

func readFrom(ctx context.Context, c *topic.Client, from topic.Position, topics ...string) (records []topic.Record, next topic.Position, err error) {
	ends, err := c.Offsets(ctx, topics...)
	if err != nil {
		return nil, nil, err
	}
	r, err := c.NewReader(ctx, topic.ReaderConfig{Topics: topics, From: from})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		f, err := r.Poll(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, rec := range f.Records {
			records = append(records, keep(rec))
		}
		if f.CaughtUp(ends) {
			return records, f.Next, nil
		}
	}
}

// keep copies what the next Poll would overwrite.
func keep(r topic.Record) topic.Record {
	r.Key, r.Value = cloneBytes(r.Key), cloneBytes(r.Value)
	headers := r.Headers
	r.Headers = nil
	for _, h := range headers {
		r.Headers = append(r.Headers, topic.Header{Key: strings.Clone(h.Key), Value: cloneBytes(h.Value)})
	}
	return r
}

func cloneBytes(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}
