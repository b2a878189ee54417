package matcher

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/avro"
	"crosswalk/internal/registry"
	"crosswalk/internal/retry"
)

// schemaCache finds the schema of each id. It is for one goroutine.
type schemaCache struct {
	ctx      context.Context // of the session: a registry that does not answer is asked again until it ends
	registry *registry.Client
	log      *slog.Logger
	known    map[int]knownSchema
	lastID   int
	last     join.Schema
}

// knownSchema is what is known of an id.
type knownSchema struct {
	schema join.Schema
	text   string
	err    error     // why values with this id cannot be decoded
	until  time.Time // when an error is looked at again; zero: never
}

func newSchemaCache(r *registry.Client, log *slog.Logger) *schemaCache {
	return &schemaCache{registry: r, log: log, known: map[int]knownSchema{}, lastID: -1}
}

// reader is the engine's Readers.
func (c *schemaCache) reader(value []byte) (join.Schema, []byte, error) {
	id, body, err := avro.Unframe(value)
	if err != nil {
		return join.Schema{}, nil, err
	}
	if id == c.lastID {
		return c.last, body, nil
	}
	s, err := c.find(id)
	if err != nil {
		return join.Schema{}, nil, err
	}
	c.lastID, c.last = id, s.schema
	return s.schema, body, nil
}

// unknownFor is for how long the registry's word that it does not know an id is taken.
const unknownFor = 10 * time.Second

// find returns the schema of an id. It waits for a registry that does not answer: that is no fault of the record.
func (c *schemaCache) find(id int) (knownSchema, error) {
	s, ok := c.known[id]
	if ok && (s.until.IsZero() || time.Now().Before(s.until)) {
		return s, s.err
	}
	err := retry.Do(c.ctx, c.backoff(), func(ctx context.Context) (err error) {
		s.text, err = c.registry.Schema(ctx, id)
		if registry.IsNotFound(err) {
			err = retry.Final(err)
		}
		return err
	})
	switch {
	case registry.IsNotFound(err):
		s = knownSchema{err: fmt.Errorf("the schema registry does not know schema %d", id), until: time.Now().Add(unknownFor)}
	case err != nil:
		return knownSchema{}, err // the session ends
	default:
		s.until = time.Time{}
		s.schema.Walker, s.err = avro.NewWalker(s.text)
		s.schema.Plain = join.IsPlain(s.text)
	}
	c.known[id] = s
	return s, s.err
}

func (c *schemaCache) backoff() retry.Backoff {
	return retry.Backoff{Notify: func(err error, attempt int, wait time.Duration) {
		c.log.Warn("the schema registry is asked again", "error", err, "attempt", attempt, "wait", wait)
	}}
}
