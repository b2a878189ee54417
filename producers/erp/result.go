package erp

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/producers/erp/rows"
)

// resultRows reads the rows of a query's result as they come from the server, in PostgreSQL's text form: what it writes
// for a number is the number, whatever its precision.
type resultRows struct {
	r      *reading
	rows   pgx.Rows
	header []string
	fields []avro.Attribute
	cursor int // column; -1: none
	oid    uint32
	count  int64
	bytes  int64
}

func newResultRows(r *reading, found pgx.Rows, cursor int) *resultRows {
	out := &resultRows{r: r, rows: found, cursor: cursor}
	for i, f := range found.FieldDescriptions() {
		out.header = append(out.header, f.Name)
		if i == cursor {
			out.oid = f.DataTypeOID
		}
	}
	out.fields = make([]avro.Attribute, len(out.header))
	return out
}

// Header implements rows.Reader.
func (x *resultRows) Header() []string { return x.header }

// Offset implements rows.Reader.
func (x *resultRows) Offset() int64 { return x.bytes }

// Guessed implements rows.Reader.
func (x *resultRows) Guessed() bool { return false }

// Next implements rows.Reader.
func (x *resultRows) Next() (rows.Row, error) {
	if !x.rows.Next() {
		if err := x.rows.Err(); err != nil {
			return rows.Row{}, x.r.q.readable("read PostgreSQL", err)
		}
		return rows.Row{}, io.EOF
	}
	x.count++
	for i, raw := range x.rows.RawValues() {
		x.bytes += int64(len(raw))
		v, reason := pgValue(x.rows.FieldDescriptions()[i].DataTypeOID, raw)
		x.fields[i] = avro.Attribute{Name: x.header[i], Value: v}
		if reason != "" {
			return rows.Row{}, &rows.Reject{Line: x.count, Column: x.header[i], Reason: reason, Raw: x.raw()}
		}
		if i == x.cursor && raw != nil {
			x.r.last = string(raw)
		}
	}
	return rows.Row{Line: x.count, Fields: x.fields, Raw: x.raw}, nil
}

// raw is the row as JSON, for people.
func (x *resultRows) raw() string {
	out := map[string]*string{}
	for i, raw := range x.rows.RawValues() {
		if out[x.header[i]] = nil; raw != nil {
			out[x.header[i]] = new(string(raw))
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return ""
	}
	return string(text)
}

// Types of PostgreSQL that are more than text.
const (
	oidBool, oidFloat4, oidFloat8 = 16, 700, 701
	oidJSON, oidJSONB             = 114, 3802
)

// pgValue is a value in PostgreSQL's text form. Times become ISO 8601 with all their digits; what is no number though its type
// is (NaN, Infinity) stays a text, as does every other type.
func pgValue(oid uint32, raw []byte) (v avro.FieldValue, reason string) {
	if raw == nil {
		return avro.FieldValue{Scalar: change.NullValue()}, ""
	}
	text := string(raw)
	switch oid {
	case oidBool:
		v.Scalar = change.BoolValue(text == "t")
		return v, ""
	case oidInt2, oidInt4, oidInt8:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			v.Scalar = change.IntValue(n)
			return v, ""
		}
	case oidNumeric, oidFloat4, oidFloat8:
		if d, err := change.DecimalValue(text); err == nil {
			v.Scalar = d
			return v, ""
		}
	case oidTimestamp, oidTimestampTZ:
		text = isoTime(text)
	case oidJSON, oidJSONB:
		parsed, err := rows.ParseJSON(raw)
		if err != nil {
			return v, err.Error()
		}
		return parsed, ""
	}
	v.Scalar = change.StringValue(text)
	return v, ""
}

// isoTime turns "2026-11-21 10:00:00.5+00" into "2026-11-21T10:00:00.5Z", and a time without a zone into one without; infinity
// and years before Christ stay as they are.
func isoTime(text string) string {
	date, clock, ok := strings.Cut(text, " ")
	if !ok || strings.Contains(clock, " ") {
		return text
	}
	if utc, ok := strings.CutSuffix(clock, "+00"); ok {
		clock = utc + "Z"
	}
	return date + "T" + clock
}
