package sfapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"crosswalk/internal/change"
)

// maxCollection is how many records one collection call may ask for (facts 2.7).
const maxCollection = 2000

// Retrieve reads records of one object by their ids, 2,000 per call, and calls fn for each id in the given order: with
// the record as sent, or with nil when there is none for this user (deleted, never there, hidden by sharing). fields
// are API names. An unknown field fails the whole call, as an *Error with NextDescribe.
func (c *Client) Retrieve(ctx context.Context, object string, fields, ids []string, fn func(id string, record json.RawMessage) error) error {
	for chunk := range slices.Chunk(ids, maxCollection) {
		var records []json.RawMessage
		// POST, because a GET of more than some 800 ids no longer fits into an address (414).
		err := c.fetchJSON(ctx, call{
			kind: "collection", op: fmt.Sprintf("read %d records of %s by id", len(chunk), object),
			method: http.MethodPost, path: c.base() + "/composite/sobjects/" + url.PathEscape(object),
			body: map[string][]string{"ids": chunk, "fields": fields},
		}, &records)
		if err != nil {
			return err
		}
		if len(records) != len(chunk) {
			return fmt.Errorf("read records of %s by id: asked for %d and got %d: which record is whose cannot be told", object, len(chunk), len(records))
		}
		for i, id := range chunk {
			record := records[i]
			if bytes.Equal(record, []byte("null")) {
				record = nil
			}
			if err := fn(id, record); err != nil {
				return err
			}
		}
	}
	return nil
}

// RetrieveRows is Retrieve with the columns of a schema and whole rows; the row is nil for an id without a record and
// valid until fn returns (its strings stay). A record that cannot be decoded is passed on as a *RowError.
func (c *Client) RetrieveRows(ctx context.Context, schema *change.Schema, ids []string, fn func(id string, row *change.Row, err error) error) error {
	decoder := NewRowDecoder(schema, nil)
	return c.Retrieve(ctx, schema.Entity, FieldNames(schema), ids, func(id string, record json.RawMessage) error {
		if record == nil {
			return fn(id, nil, nil)
		}
		row, err := decoder.Row(record)
		if err != nil {
			return fn(id, nil, err)
		}
		return fn(id, &row, nil)
	})
}

// Record reads one record; fields empty means all that are visible. A record that is not there is an *Error with NextGone.
func (c *Client) Record(ctx context.Context, object, id string, fields ...string) (json.RawMessage, error) {
	values := url.Values{}
	if len(fields) > 0 {
		values.Set("fields", strings.Join(fields, ","))
	}
	body, _, err := c.fetch(ctx, call{
		kind: "record", op: "read " + object + " " + id,
		path: withQuery(c.base()+"/sobjects/"+url.PathEscape(object)+"/"+url.PathEscape(id), values),
	})
	return body, err
}

// FieldNames lists the columns of a schema, in its order, for SELECT and Retrieve.
func FieldNames(schema *change.Schema) []string {
	names := make([]string, len(schema.Fields))
	for i, f := range schema.Fields {
		names[i] = f.Name
	}
	return names
}
