package matcher

import (
	"context"

	"fmt"
	"log/slog"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/registry"
	"crosswalk/internal/retry"
)

// schemaCache finds the Walker of each schema id. It is for one goroutine.
type schemaCache struct {
	ctx      context.Context // of the session: a registry that does not answer is asked again until it ends
	registry *registry.Client
	log      *slog.Logger
	known    map[int]schema
	lastID   int
	last     *avro.Walker
}

// schema is what is known of an id.
type schema struct {
	walker *avro.Walker
	text   string
	err    error     // why values with this id cannot be decoded
	until  time.Time // when an error is looked at again; zero: never
}

func newSchemaCache(r *registry.Client, log *slog.Logger) *schemaCache {
	return &schemaCache{registry: r, log: log, known: map[int]schema{}, lastID: -1}
}

// reader is the engine's Readers.
func (c *schemaCache) reader(value []byte) (*avro.Walker, []byte, error) {
	id, body, err := avro.Unframe(value)
	if err != nil {
		return nil, nil, err
	}
	if id == c.lastID {
		return c.last, body, nil
	}
	s, err := c.find(id)
	if err != nil {
		return nil, nil, err
	}
	c.lastID, c.last = id, s.walker
	return s.walker, body, nil
}

// unknownFor is for how long the registry's word that it does not know an id is taken.
const unknownFor = 10 * time.Second

// find returns the schema of an id. It waits for a registry that does not answer: that is no fault of the record.
func (c *schemaCache) find(id int) (schema, error) {
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
		s = schema{err: fmt.Errorf("the schema registry does not know schema %d", id), until: time.Now().Add(unknownFor)}
	case err != nil:
		return schema{}, err // the session ends
	default:
		s.until = time.Time{}
		s.walker, s.err = avro.NewWalker(s.text)
	}
	c.known[id] = s
	return s, s.err
}

func (c *schemaCache) backoff() retry.Backoff {
	return retry.Backoff{Notify: func(err error, attempt int, wait time.Duration) {
		c.log.Warn("the schema registry is asked again", "error", err, "attempt", attempt, "wait", wait)
	}}
}
