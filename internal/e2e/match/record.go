package main

import (
	"context"
	"fmt"
	"strconv"

	"crosswalk/consumers/matcher/naive"
	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/customer"
	"crosswalk/internal/e2e/harness"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// kind is one of the inputs, in the order of harness.Inputs.
type kind int

const (
	account kind = iota
	contact
	note
	erpCustomer
	kinds
)

var rowSchemas = []*change.Schema{
	account: change.NewSchema("Account", []change.Field{
		{Name: "Id"}, {Name: "Name"}, {Name: harness.LinkField}, {Name: "Phone"}, {Name: "NumberOfEmployees", Type: change.TypeInt},
	}),
	contact: change.NewSchema("Contact", []change.Field{{Name: "Id"}, {Name: "AccountId"}, {Name: "LastName"}, {Name: "Email"}}),
}

// record is one input record as the generator knows it; nil stands for a deleted one.
type record struct {
	key    string
	fields map[string]change.Value // of the ERP customer: name, identifier
	links  []string
}

// truth is the record as the direct computation takes it.
func (r *record) truth(k kind) naive.Record {
	switch k {
	case note:
		return naive.Record{Links: r.links, Fields: customer.Fields{
			"kind": "Note", "title": shown(r.fields["title"]), "text": nil, "owner": nil, "created_at": nil, "modified_at": nil,
		}}
	case erpCustomer:
		return naive.Record{Fields: customer.Fields{
			"company": nil, "number": r.key, "name": shown(r.fields["name"]), "identifier": shown(r.fields["identifier"]),
			"balance": nil, "currency": nil, "terms": nil, "email": nil, "phone": nil, "updated_at": nil,
			"attributes": map[string]any{"region": shown(r.fields["region"])},
		}}
	}
	fields := customer.Fields{}
	for name, v := range r.fields {
		fields[name] = shown(v)
	}
	return naive.Record{Fields: fields}
}

// shown is a value as a view has it.
func shown(v change.Value) any {
	switch v.Kind() {
	case change.Int:
		return v.Int()
	case change.String:
		return v.Str()
	}
	return nil
}

// encoder writes records as the producers do.
type encoder struct {
	rows   [2]*avro.RowCodec
	frames [kinds][]byte
}

func newEncoder(ctx context.Context, reg *registry.Client, org string) (*encoder, error) {
	e := &encoder{}
	texts := []string{note: schemas.Note, erpCustomer: schemas.ERPCustomer}
	for k, schema := range rowSchemas {
		var err error
		if e.rows[k], err = avro.NewRowCodec(schema); err != nil {
			return nil, err
		}
		texts[k] = e.rows[k].Schema()
	}
	for k, text := range texts {
		id, err := reg.Register(ctx, org+"."+harness.Inputs[k]+"-value", text)
		if err != nil {
			return nil, err
		}
		e.frames[k] = avro.Frame(nil, id)
	}
	return e, nil
}

// encode returns the record of the topic; a record without fields is a tombstone.
func (e *encoder) encode(org string, k kind, r *record, rev int64) (topic.Record, error) {
	out := topic.Record{Topic: org + "." + harness.Inputs[k], Key: []byte(r.key), Headers: []topic.Header{
		{Key: "epoch", Value: []byte("1")}, {Key: "rev", Value: strconv.AppendInt(nil, rev, 10)},
	}}
	if r.fields == nil {
		return out, nil
	}
	var err error
	out.Value = append(out.Value, e.frames[k]...)
	meta := change.Meta{Op: change.OpUpdate, CommitTimestamp: 1_795_000_000_000 + rev, ReplayID: rev}
	switch k {
	case note:
		n := avro.Note{ID: r.key, Kind: "Note", Links: r.links, Title: r.fields["title"].Str(), Change: meta}
		out.Value, err = n.Append(out.Value)
	case erpCustomer:
		c := avro.Customer{
			Number: r.key, Name: r.fields["name"], Identifier: r.fields["identifier"],
			Attributes: []avro.Attribute{{Name: "region", Value: avro.FieldValue{Scalar: r.fields["region"]}}},
		}
		out.Value, err = c.Append(out.Value)
	default:
		row := change.Row{Schema: rowSchemas[k], ID: r.key}
		for _, f := range rowSchemas[k].Fields {
			row.Values = append(row.Values, r.fields[f.Name])
		}
		out.Value, err = e.rows[k].Append(out.Value, row, meta)
	}
	if err != nil {
		return out, fmt.Errorf("encode %s %s: %w", harness.Inputs[k], r.key, err)
	}
	return out, nil
}
