package avro

import (
	"errors"
	"fmt"
	"slices"

	"crosswalk/internal/avro/schema"
	"crosswalk/internal/change"
	"crosswalk/schemas"
)

// noteSchema also holds the one definition of the _change member.
var noteSchema = mustNode(schemas.Note)

// changeOps are the symbols of _change.op in the order of the schema.
var changeOps = []change.Op{
	change.OpSnapshot, change.OpCreate, change.OpUpdate, change.OpDelete, change.OpUndelete, change.OpRefetch, change.OpRepair,
}

// changeNames are the fields of _change in the order in which append writes them.
var changeNames = []string{
	"op", "changed_fields", "commit_timestamp", "commit_number", "sequence_number", "transaction_key", "commit_user", "origin", "replay_id",
}

// changePlan reads and writes a _change member.
type changePlan struct {
	step *step
	ours bool // the fields are those that append writes
}

func newChangePlan(s *step) (*changePlan, error) {
	if s.kind == schema.Union && len(s.branches) == 2 {
		s = s.branches[1]
	}
	if s.kind != schema.Record {
		return nil, fmt.Errorf("read schema: %s is a %s, not a record", changeField, s.kind)
	}
	p := &changePlan{step: s}
	var names []string
	for _, f := range s.fields {
		names = append(names, f.name)
		if !changeShape(f) {
			return nil, fmt.Errorf("read schema: %s.%s is of a type that is not understood", changeField, f.name)
		}
	}
	p.ours = slices.Equal(names, changeNames)
	return p, nil
}

// changeShape reports whether a known field of _change has its type.
func changeShape(f stepField) bool {
	s := f.step
	nullable := func(k schema.Kind) bool {
		return s.kind == schema.Union && len(s.branches) == 2 && s.branches[0].kind == schema.Null && s.branches[1].kind == k
	}
	switch f.name {
	case "op":
		return s.kind == schema.Enum
	case "changed_fields":
		return s.kind == schema.Array && s.elem.kind == schema.String
	case "commit_timestamp", "commit_number", "sequence_number", "replay_id":
		return nullable(schema.Long)
	case "transaction_key", "commit_user", "origin":
		return nullable(schema.String)
	}
	return true
}

var errOtherChange = errors.New("the schema has another _change than is written now: use the codec that EvolveRowCodec makes")

func (p *changePlan) append(dst []byte, m *change.Meta) ([]byte, error) {
	if !p.ours {
		return dst, errOtherChange
	}
	op := slices.Index(changeOps, m.Op)
	if op < 0 {
		return dst, fmt.Errorf("the op %q is none of %v", m.Op, changeOps)
	}
	dst = appendLong(dst, int64(op))
	dst = appendStrings(dst, m.ChangedFields)
	dst = appendNullable(dst, m.CommitTimestamp, m.CommitTimestamp != 0)
	dst = appendNullable(dst, m.CommitNumber, m.CommitNumber != 0)
	dst = appendNullable(dst, m.SequenceNumber, m.SequenceNumber != 0 || m.CommitTimestamp != 0) // an event's first number may be 0
	dst = appendNullableString(dst, m.TransactionKey)
	dst = appendNullableString(dst, m.CommitUser)
	dst = appendNullableString(dst, m.Origin)
	return appendNullable(dst, m.ReplayID, m.ReplayID != 0), nil
}

func appendNullable(dst []byte, n int64, there bool) []byte {
	if !there {
		return append(dst, 0)
	}
	return appendLong(append(dst, 2), n)
}

// appendNullableString writes null for an empty text.
func appendNullableString(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, 0)
	}
	return appendString(append(dst, 2), s)
}

// appendStrings writes an array of strings as one block.
func appendStrings(dst []byte, list []string) []byte {
	if len(list) > 0 {
		dst = appendLong(dst, int64(len(list)))
		for _, s := range list {
			dst = appendString(dst, s)
		}
	}
	return append(dst, 0)
}

// read fills m. text is the body as a string.
func (p *changePlan) read(r *reader, text string, m *change.Meta) error {
	str := func() (string, error) {
		b, err := r.string()
		return text[r.i-len(b) : r.i], err
	}
	for _, f := range p.step.fields {
		var err error
		switch f.name {
		case "op":
			var i int
			if i, err = r.index(len(f.step.symbols), errSymbol); err == nil {
				m.Op = change.Op(f.step.symbols[i])
			}
		case "changed_fields":
			err = r.items(f.step, func([]byte) error {
				s, err := str()
				m.ChangedFields = append(m.ChangedFields, s)
				return err
			})
		case "commit_timestamp":
			err = r.nullable(func() (err error) { m.CommitTimestamp, err = r.long(); return err })
		case "commit_number":
			err = r.nullable(func() (err error) { m.CommitNumber, err = r.long(); return err })
		case "sequence_number":
			err = r.nullable(func() (err error) { m.SequenceNumber, err = r.long(); return err })
		case "transaction_key":
			err = r.nullable(func() (err error) { m.TransactionKey, err = str(); return err })
		case "commit_user":
			err = r.nullable(func() (err error) { m.CommitUser, err = str(); return err })
		case "origin":
			err = r.nullable(func() (err error) { m.Origin, err = str(); return err })
		case "replay_id":
			err = r.nullable(func() (err error) { m.ReplayID, err = r.long(); return err })
		default:
			err = r.skip(f.step, 0)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// nullable reads a union of null and one other branch, which read reads.
func (r *reader) nullable(read func() error) error {
	i, err := r.index(2, errBranch)
	if err != nil || i == 0 {
		return err
	}
	return read()
}
