package avro

import (
	"fmt"
	"sync"

	"github.com/twmb/avro"

	"crosswalk/schemas"
)

// fixed encodes and decodes the structs of a schema that is known when the program is compiled. What was written under another
// version of the schema is resolved to ours, as Avro asks.
type fixed[T any] struct {
	name string
	ours *avro.Schema

	mu       sync.Mutex
	resolved map[string]*avro.Schema // by the writer's schema
}

func newFixed[T any](name, text string) *fixed[T] {
	return &fixed[T]{name: name, ours: avro.MustParse(text), resolved: map[string]*avro.Schema{}}
}

var (
	positions = newFixed[Position]("position", schemas.Position)
	controls  = newFixed[Control]("control record", schemas.Control)
	audits    = newFixed[Audit]("audit event", schemas.Audit)
)

func (f *fixed[T]) append(dst []byte, v *T) ([]byte, error) {
	out, err := f.ours.AppendEncode(dst, v)
	if err != nil {
		return dst, fmt.Errorf("encode %s: %w", f.name, err)
	}
	return out, nil
}

// maxWriters bounds the writers' schemas that are kept; there are as many as there are versions of the program.
const maxWriters = 64

func (f *fixed[T]) reader(writer string) (*avro.Schema, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.resolved[writer]; s != nil {
		return s, nil
	}
	w, err := avro.Parse(writer)
	if err != nil {
		return nil, err
	}
	s, err := avro.Resolve(w, f.ours)
	if err != nil {
		return nil, err
	}
	if len(f.resolved) >= maxWriters {
		clear(f.resolved)
	}
	f.resolved[writer] = s
	return s, nil
}

func (f *fixed[T]) decode(writer string, body []byte) (v T, err error) {
	s, err := f.reader(writer)
	if err == nil {
		var rest []byte
		if rest, err = s.Decode(body, &v); err == nil && len(rest) > 0 {
			err = errTooLong
		}
	}
	if err != nil {
		return v, fmt.Errorf("decode %s: %w", f.name, err)
	}
	return v, nil
}

// Append appends the position under schemas.Position.
func (p *Position) Append(dst []byte) ([]byte, error) { return positions.append(dst, p) }

// DecodePosition reads a body that was written under the schema of that text.
func DecodePosition(writer string, body []byte) (Position, error) {
	return positions.decode(writer, body)
}

// Append appends the record under schemas.Control.
func (c *Control) Append(dst []byte) ([]byte, error) { return controls.append(dst, c) }

// DecodeControl reads a body that was written under the schema of that text.
func DecodeControl(writer string, body []byte) (Control, error) {
	return controls.decode(writer, body)
}

// Append appends the event under schemas.Audit.
func (a *Audit) Append(dst []byte) ([]byte, error) { return audits.append(dst, a) }

// DecodeAudit reads a body that was written under the schema of that text.
func DecodeAudit(writer string, body []byte) (Audit, error) { return audits.decode(writer, body) }
