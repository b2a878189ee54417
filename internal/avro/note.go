package avro

import (
	"errors"
	"fmt"

	"crosswalk/internal/change"
)

// Note is a record of salesforce.note: a Note, a ContentNote or the comment of a Task. What Salesforce does not say is empty or
// zero, and null in Avro.
type Note struct {
	ID         string
	Kind       string   // Note, ContentNote, Task
	Links      []string // ids of the records that it is attached to, ascending, each once
	Title      string
	Text       string
	Owner      string // user id
	CreatedAt  int64  // epoch milliseconds
	ModifiedAt int64  // epoch milliseconds
	Change     change.Meta
}

var noteChange = func() *changePlan {
	root, err := compile(noteSchema)
	if err != nil {
		panic("avro: " + err.Error())
	}
	p, err := newChangePlan(root.fields[root.field(changeField)].step)
	if err != nil {
		panic("avro: " + err.Error())
	}
	return p
}()

// Append appends the note under schemas.Note. A text that is not UTF-8 is an error that names its field; dst is then unchanged.
func (n *Note) Append(dst []byte) ([]byte, error) {
	out, err := n.append(dst)
	if err != nil {
		return dst, fmt.Errorf("encode note %s: %w", n.ID, err)
	}
	return out, nil
}

func (n *Note) append(dst []byte) ([]byte, error) {
	if n.ID == "" || n.Kind == "" {
		return dst, errors.New("it has no id or no kind")
	}
	dst = appendString(dst, n.ID)
	dst = appendString(dst, n.Kind)
	dst = appendStrings(dst, n.Links)
	for _, f := range []struct{ name, text string }{{"title", n.Title}, {"text", n.Text}, {"owner", n.Owner}} {
		if f.text == "" {
			dst = append(dst, 0)
			continue
		}
		var err error
		if dst, err = appendText(append(dst, 2), f.text); err != nil {
			return dst, fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	dst = appendNullable(dst, n.CreatedAt, n.CreatedAt != 0)
	dst = appendNullable(dst, n.ModifiedAt, n.ModifiedAt != 0)
	return noteChange.append(append(dst, 2), &n.Change)
}

// Note decodes a record of salesforce.note, by the names of its fields.
func (w *Walker) Note(body []byte) (Note, error) {
	rec, err := w.Record(body)
	if err != nil {
		return Note{}, err
	}
	text := func(name string) string { return find(rec, name).text() }
	return Note{
		ID: text("id"), Kind: text("kind"), Links: find(rec, "links").texts(), Title: text("title"), Text: text("text"), Owner: text("owner"),
		CreatedAt: find(rec, "created_at").Scalar.Int(), ModifiedAt: find(rec, "modified_at").Scalar.Int(), Change: meta(find(rec, changeField).Object),
	}, nil
}

// meta reads a decoded _change.
func meta(rec []Attribute) change.Meta {
	m := change.Meta{
		Op: change.Op(find(rec, "op").text()), TransactionKey: find(rec, "transaction_key").text(),
		CommitUser: find(rec, "commit_user").text(), Origin: find(rec, "origin").text(),
		CommitTimestamp: find(rec, "commit_timestamp").Scalar.Int(), CommitNumber: find(rec, "commit_number").Scalar.Int(),
		SequenceNumber: find(rec, "sequence_number").Scalar.Int(), ReplayID: find(rec, "replay_id").Scalar.Int(),
	}
	if list := find(rec, "changed_fields").texts(); len(list) > 0 {
		m.ChangedFields = list
	}
	return m
}
