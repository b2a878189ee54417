package sfapi

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"crosswalk/internal/change"
)

// EventHeader is the ChangeEventHeader of a change event (facts 5.2). Members that were not sent are zero.
type EventHeader struct {
	Entity, ChangeType, Origin, TransactionKey, CommitUser string
	RecordIDs                                              []string
	ChangedFields                                          []string // as sent: BillingAddress.Street
	CommitTimestamp                                        int64    // epoch milliseconds
	CommitNumber, SequenceNumber                           int64
}

// EventReader reads the payloads of change events. What one event has in common with the one before it is the same text, so
// that a mass update costs little memory. The zero value is ready; not safe for concurrent use.
type EventReader struct {
	last    EventHeader
	changed []byte // last.ChangedFields as sent
	pass    pass
}

// Read reads an event's payload: its header, then the members that are columns of the decoder that columns returns for
// the header, as [RowDecoder.Fields] does; nil passes them over. ChangedFields may be shared with other events and must
// not be written to.
//
// A payload without a header that names entity and change type, or with one of other types than the facts say, is an
// error and a zero header. A *RowError comes with the header of an event whose fields cannot be decoded; fn may then have been called.
func (r *EventReader) Read(payload []byte, columns func(*EventHeader) *RowDecoder, fn func(field int, v change.Value)) (
	h EventHeader, diffs []string, err error,
) {
	p := &r.pass
	*p = pass{reader: r, columns: columns, fields: walk{fn: fn}}
	switch err = eachMember(payload, p.member); {
	case err != nil:
	case !p.known:
		err = errNoHeader
	case p.behind && p.fields.decoder != nil: // the header came after some of the fields
		diffs, err = p.fields.decoder.Fields(payload, fn)
		return p.header, diffs, err
	case p.bad == nil && p.fields.decoder != nil && !utf8.Valid(payload):
		p.bad = errNotObject
	}
	if err != nil {
		return EventHeader{}, nil, fmt.Errorf("read change event: %w", err)
	}
	if p.bad != nil {
		return p.header, nil, rowError(p.bad, payload)
	}
	return p.header, p.fields.diffs, nil
}

var errNoHeader = errors.New("it has no ChangeEventHeader with entityName and changeType")

// pass is one walk over a payload.
type pass struct {
	reader  *EventReader
	columns func(*EventHeader) *RowDecoder
	header  EventHeader
	known   bool // the header was read
	behind  bool // fields came before it
	fields  walk
	bad     error // of the first field that cannot be decoded
}

func (p *pass) member(key, value []byte) error {
	switch {
	case string(key) == "ChangeEventHeader":
		p.header = EventHeader{}
		if err := eachMember(value, func(key, value []byte) error { return p.reader.member(&p.header, key, value) }); err != nil {
			return err
		}
		if p.header.Entity == "" || p.header.ChangeType == "" {
			return errNoHeader
		}
		p.known, p.fields.decoder = true, p.columns(&p.header)
	case !p.known:
		p.behind = true
	case p.fields.decoder != nil && !p.behind && p.bad == nil:
		p.bad = p.fields.memberKey(key, value)
	}
	return nil
}

// member reads one member of a header. Those that it does not know, and null ones, are passed over.
func (r *EventReader) member(h *EventHeader, key, value []byte) (err error) {
	if string(value) == "null" {
		return nil
	}
	switch string(key) {
	case "entityName":
		h.Entity, err = r.shared(&r.last.Entity, value)
	case "changeType":
		h.ChangeType, err = r.shared(&r.last.ChangeType, value)
	case "changeOrigin":
		h.Origin, err = r.shared(&r.last.Origin, value)
	case "transactionKey":
		h.TransactionKey, err = r.shared(&r.last.TransactionKey, value)
	case "commitUser":
		h.CommitUser, err = r.shared(&r.last.CommitUser, value)
	case "recordIds":
		h.RecordIDs, err = stringsOf(value)
	case "changedFields":
		if r.last.ChangedFields == nil || !bytes.Equal(value, r.changed) {
			r.last.ChangedFields, err = stringsOf(value)
			r.changed = append(r.changed[:0], value...)
		}
		h.ChangedFields = r.last.ChangedFields
	case "commitTimestamp":
		h.CommitTimestamp, err = wholeOf(value)
	case "commitNumber":
		h.CommitNumber, err = wholeOf(value)
	case "sequenceNumber":
		h.SequenceNumber, err = wholeOf(value)
	}
	if err != nil {
		return fmt.Errorf("ChangeEventHeader.%s: %w", key, err)
	}
	return nil
}

// shared is stringOf that returns the last text when it is the same.
func (*EventReader) shared(last *string, value []byte) (string, error) {
	if n := len(*last); len(value) == n+2 && value[0] == '"' && string(value[1:1+n]) == *last && strings.IndexByte(*last, '\\') < 0 {
		return *last, nil
	}
	text, err := stringOf(value)
	*last = text
	return text, err
}

func stringOf(value []byte) (string, error) {
	if value[0] != '"' {
		return "", fmt.Errorf("%s is not a text", excerpt(string(value)))
	}
	return jsonText(value)
}

func wholeOf(value []byte) (int64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is not a whole number", excerpt(string(value)))
	}
	return n, nil
}

// stringsOf reads an array of texts.
func stringsOf(raw []byte) (list []string, err error) {
	if raw[0] != '[' {
		return nil, fmt.Errorf("%s is not a list", excerpt(string(raw)))
	}
	list = []string{}
	p := skipSpace(raw, 1)
	for p < len(raw) && raw[p] != ']' {
		end := skipValue(raw, p)
		if end < 0 {
			return nil, errNotObject
		}
		s, err := stringOf(raw[p:end])
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		if p = skipSpace(raw, end); p < len(raw) && raw[p] == ',' {
			p = skipSpace(raw, p+1)
		}
	}
	return list, nil
}
