package erp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
	"crosswalk/producers/erp/rows"
)

// lineStep makes one number of offset and partition, which tells the records of a topic apart.
const lineStep = 1 << 16

// recordRows reads the records of a topic as rows.
type recordRows struct {
	format, keyFormat string
	number            bool                         // the mapping names the number's column
	next              func() (topic.Record, error) // io.EOF at the end
	walker            func(id int) (*avro.Walker, error)
}

// read makes rows of records.
func (f *follower) read(ctx context.Context, next func() (topic.Record, error)) *recordRows {
	return &recordRows{
		format: f.source.Topic.Format, keyFormat: f.source.Topic.KeyFormat, number: f.source.Columns["number"] != "", next: next,
		walker: func(id int) (*avro.Walker, error) { return f.walker(ctx, id) },
	}
}

// Header implements rows.Reader.
func (x *recordRows) Header() []string { return nil }

// Offset implements rows.Reader.
func (x *recordRows) Offset() int64 { return 0 }

// Guessed implements rows.Reader.
func (x *recordRows) Guessed() bool { return false }

// keyColumn is the column of a record's key.
const keyColumn = "_key"

// Next implements rows.Reader.
func (x *recordRows) Next() (rows.Row, error) {
	r, err := x.next()
	if err != nil {
		return rows.Row{}, err
	}
	row := rows.Row{Line: r.Offset*lineStep + int64(r.Partition), Deleted: r.Value == nil, Raw: func() string { return string(r.Value) }}
	key, err := x.decode(x.keyFormat, r.Key)
	if err == nil && r.Value != nil {
		row.Fields, err = x.fields(r.Value)
	}
	var outside *outsideError
	switch {
	case errors.As(err, &outside):
		return rows.Row{}, outside.err
	case err != nil:
		return rows.Row{}, &rows.Reject{Line: row.Line, Reason: "the record cannot be decoded: " + err.Error(), Raw: row.Raw()}
	}
	if r.Value == nil && !x.number {
		row.Fields = append(row.Fields, avro.Attribute{Name: "number", Value: key}) // all that a tombstone says
	}
	row.Fields = append(row.Fields, avro.Attribute{Name: keyColumn, Value: key})
	return row, nil
}

// fields decodes a value.
func (x *recordRows) fields(value []byte) ([]avro.Attribute, error) {
	v, err := x.decode(x.format, value)
	if err == nil && v.Object == nil {
		err = errors.New("the value is no object")
	}
	return slices.DeleteFunc(v.Object, func(a avro.Attribute) bool { return a.Name == keyColumn }), err
}

// outsideError is a failure that is not the record's own.
type outsideError struct{ err error }

func (e *outsideError) Error() string { return e.err.Error() }

// decode reads a key or a value in one of the formats.
func (x *recordRows) decode(format string, b []byte) (avro.FieldValue, error) {
	switch format {
	case "json":
		return rows.ParseJSON(b)
	case "text":
		return avro.FieldValue{Scalar: change.StringValue(string(b))}, nil
	}
	id, body, err := avro.Unframe(b)
	if err != nil {
		return avro.FieldValue{}, err
	}
	w, err := x.walker(id)
	if err != nil {
		return avro.FieldValue{}, err
	}
	object, err := w.Record(body)
	return avro.FieldValue{Object: object}, err
}

// walker returns the reader of what was written under a schema. A schema that the registry does not have is the
// record's fault; any other failure is not.
func (f *follower) walker(ctx context.Context, id int) (*avro.Walker, error) {
	if w := f.walkers[id]; w != nil {
		return w, nil
	}
	text, err := f.p.cfg.Registry.Schema(ctx, id)
	if registry.IsNotFound(err) {
		return nil, err
	}
	if err != nil {
		return nil, &outsideError{err}
	}
	w, err := avro.NewWalker(text)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	f.walkers[id] = w
	return w, nil
}

// sequence yields records that are in memory.
func sequence(list []topic.Record) func() (topic.Record, error) {
	next := 0
	return func() (topic.Record, error) {
		if next >= len(list) {
			return topic.Record{}, io.EOF
		}
		next++
		return list[next-1], nil
	}
}

// until yields what a reader finds from a position up to the ends.
func until(ctx context.Context, r *topic.Reader, name string, ranges []topic.Range, from []int64) func() (topic.Record, error) {
	at := make([]int64, len(ranges))
	for i, p := range ranges {
		at[i] = p.First
		if i < len(from) {
			at[i] = from[i]
		}
	}
	there := func() bool {
		for i, p := range ranges {
			if at[i] < p.End {
				return false
			}
		}
		return true
	}
	var list []topic.Record
	return func() (topic.Record, error) {
		for {
			for len(list) > 0 {
				record := list[0]
				list = list[1:]
				if int(record.Partition) < len(ranges) && record.Offset < ranges[record.Partition].End {
					return record, nil
				}
			}
			if there() {
				return topic.Record{}, io.EOF
			}
			fetch, err := r.Poll(ctx)
			if err != nil {
				return topic.Record{}, err
			}
			list, at = fetch.Records, slices.Clone(fetch.Next[name])
		}
	}
}
