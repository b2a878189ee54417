package cdc

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/simulator/jsontext"
)

// schemaID makes the opaque schema id of an entity: 22 characters that change with every redefinition (facts 5.1).
func schemaID(entity string, revision int) string {
	sum := sha256.Sum256([]byte(entity + "#" + strconv.Itoa(revision)))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// render appends the data member of the message: schema, payload with header, event with replay id.
func (l *Log) render(dst []byte, p *entityPlan, ev *pending, c Commit, replayID int64) []byte {
	fields := l.scratch[:0]
	if ev.Kind == Create || ev.Kind == Update || ev.Kind == Undelete {
		for name, v := range ev.Fields {
			f := l.field(p, name)
			if f.unsent || v == nil && ev.Kind != Update {
				continue
			}
			fields = append(fields, f)
		}
		slices.SortFunc(fields, func(a, b *fieldPlan) int { return strings.Compare(a.path, b.path) })
		fields = dropWhole(fields)
	}
	l.scratch = fields

	dst = append(dst, `{"schema":"`...)
	dst = append(dst, p.schema...)
	dst = append(dst, `","payload":{`...)
	dst = l.appendHeader(dst, ev, c, fields)
	dst = l.appendFields(dst, ev, fields)
	dst = append(dst, `},"event":{"replayId":`...)
	dst = strconv.AppendInt(dst, replayID, 10)
	return append(dst, "}}"...)
}

// dropWhole removes a compound field that is there beside its components (Contact.Name beside Name.LastName).
// fields is sorted by path, so that the whole stands right before its parts.
func dropWhole(fields []*fieldPlan) []*fieldPlan {
	out := fields[:0]
	for i, f := range fields {
		if f.part == "" && i+1 < len(fields) && fields[i+1].part != "" && fields[i+1].group == f.group {
			continue
		}
		out = append(out, f)
	}
	return out
}

func (l *Log) appendHeader(dst []byte, ev *pending, c Commit, fields []*fieldPlan) []byte {
	dst = append(dst, `"ChangeEventHeader":{"entityName":`...)
	dst = jsontext.AppendString(dst, ev.Entity)
	dst = append(dst, `,"recordIds":[`...)
	for i, id := range ev.ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsontext.AppendString(dst, id)
	}
	dst = append(dst, `],"changeType":`...)
	dst = jsontext.AppendString(dst, ev.Kind)
	if !l.opt.OmitChangedFields {
		dst = append(dst, `,"changedFields":[`...)
		if ev.Kind == Update {
			for i, f := range fields {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = jsontext.AppendString(dst, f.path)
			}
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"changeOrigin":`...)
	dst = jsontext.AppendString(dst, c.Origin)
	dst = append(dst, `,"transactionKey":`...)
	dst = jsontext.AppendString(dst, c.TransactionKey)
	dst = append(dst, `,"sequenceNumber":`...)
	dst = strconv.AppendInt(dst, int64(ev.sequence), 10)
	dst = append(dst, `,"commitTimestamp":`...)
	at := c.At
	if !l.opt.Milliseconds {
		at = at.Truncate(time.Second)
	}
	dst = strconv.AppendInt(dst, at.UnixMilli(), 10)
	dst = append(dst, `,"commitNumber":`...)
	dst = strconv.AppendInt(dst, c.Number, 10)
	dst = append(dst, `,"commitUser":`...)
	dst = jsontext.AppendString(dst, c.User)
	return append(dst, '}')
}

// appendFields appends the fields behind the header; components of one compound stand together because fields is sorted by path.
func (l *Log) appendFields(dst []byte, ev *pending, fields []*fieldPlan) []byte {
	open := "" // the compound whose object is being written
	for _, f := range fields {
		v := ev.Fields[f.name]
		if f.part != "" && v == nil && l.opt.OmitNullComponents {
			continue
		}
		if open != "" && f.group != open {
			dst, open = append(dst, '}'), ""
		}
		dst = append(dst, ',')
		if f.part != "" && open == "" {
			open = f.group
			dst = jsontext.AppendString(dst, open)
			dst = append(dst, ':', '{')
		}
		dst = append(dst, f.key...)
		dst = l.appendChanged(dst, ev, f, v)
	}
	if open != "" {
		dst = append(dst, '}')
	}
	return dst
}

// appendChanged appends one value, as a text diff where Salesforce would send one.
func (l *Log) appendChanged(dst []byte, ev *pending, f *fieldPlan, v any) []byte {
	if text, isText := v.(string); isText && ev.Kind == Update && len(text) >= diffMinimum && !l.opt.OmitTextDiffs {
		if old, had := ev.Old[f.name].(string); had {
			if diff, ok := textDiff(old, text); ok {
				dst = append(dst, `{"diff":`...)
				dst = jsontext.AppendString(dst, diff)
				return append(dst, '}')
			}
		}
	}
	return appendValue(dst, v, f.kind)
}
