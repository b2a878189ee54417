package app

import (
	"context"
	"errors"
	"fmt"

	"crosswalk/internal/avro"
	"crosswalk/internal/registry"
)

// unreadable is why a record cannot be read whatever is tried. A registry that does not answer is none.
type unreadable struct{ why error }

func (u *unreadable) Error() string { return "it cannot be read: " + u.why.Error() }
func (u *unreadable) Unwrap() error { return u.why }

func isUnreadable(err error) bool {
	var u *unreadable
	return errors.As(err, &u)
}

// readRecord decodes a record's value. One that cannot be decoded is an *unreadable.
func readRecord[T any](ctx context.Context, p *platform, value []byte, decode func(schema string, body []byte) (T, error)) (record T, err error) {
	id, body, err := avro.Unframe(value)
	if err != nil {
		return record, &unreadable{err}
	}
	text, err := p.registry.Schema(ctx, id)
	switch {
	case registry.IsNotFound(err):
		return record, &unreadable{fmt.Errorf("the schema registry does not have its schema %d", id)}
	case errors.Is(err, registry.ErrNotAvro):
		return record, &unreadable{fmt.Errorf("its schema %d cannot be used: %w", id, err)}
	case err != nil:
		return record, err
	}
	if record, err = decode(text, body); err != nil {
		return record, &unreadable{err}
	}
	return record, nil
}
