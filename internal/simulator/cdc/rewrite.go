package cdc

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"crosswalk/internal/simulator/jsontext"
)

// message is the data member of an event, taken apart for the few subscribers that get it in another form.
type message struct {
	Schema  string                     `json:"schema"`
	Payload map[string]json.RawMessage `json:"payload"`
	Event   json.RawMessage            `json:"event"`
}

// rewrite renders the event for one user of one channel: hidden fields are dropped, enriched fields added with their
// value of now (null ones are left out), and a merged event with enrichment is split into one message per record.
func (l *Log) rewrite(e Event, enrich []string, user Access) [][]byte {
	var m message
	var header map[string]json.RawMessage
	var ids []string
	if json.Unmarshal(e.Data, &m) != nil ||
		json.Unmarshal(m.Payload["ChangeEventHeader"], &header) != nil ||
		json.Unmarshal(header["recordIds"], &ids) != nil {
		return nil // not reached: the log renders what it reads here
	}
	paths := l.paths(e.Entity)
	hidden := func(path string) bool {
		if user.Hidden == nil {
			return false
		}
		name := path
		if flat, known := paths[path]; known {
			name = flat
		}
		compound, _, isPart := strings.Cut(path, ".")
		return user.Hidden(e.Entity, name) || isPart && user.Hidden(e.Entity, compound)
	}
	dropHidden(m.Payload, header, hidden)
	if len(enrich) == 0 {
		return [][]byte{encode(m, header, m.Payload)}
	}
	out := make([][]byte, 0, len(ids))
	for _, id := range ids {
		header["recordIds"] = encodeJSON([]string{id})
		payload := maps.Clone(m.Payload)
		for _, field := range enrich {
			if !hidden(field) {
				l.enrich(payload, e.Entity, id, field)
			}
		}
		out = append(out, encode(m, header, payload))
	}
	return out
}

// paths returns a copy of the map from paths to flat names of an entity.
func (l *Log) paths(entity string) map[string]string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if p := l.plans[entity]; p != nil {
		return maps.Clone(p.paths)
	}
	return nil
}

// dropHidden removes hidden fields from the payload and from changedFields.
func dropHidden(payload, header map[string]json.RawMessage, hidden func(path string) bool) {
	for name, raw := range payload {
		var parts map[string]json.RawMessage
		if name == "ChangeEventHeader" {
			continue
		}
		if raw[0] == '{' && json.Unmarshal(raw, &parts) == nil {
			had := len(parts)
			maps.DeleteFunc(parts, func(part string, _ json.RawMessage) bool { return hidden(name + "." + part) })
			payload[name] = encodeJSON(parts)
			if had > 0 && len(parts) == 0 {
				delete(payload, name)
			}
		}
		if hidden(name) {
			delete(payload, name)
		}
	}
	var changed []string
	if json.Unmarshal(header["changedFields"], &changed) == nil && changed != nil {
		header["changedFields"] = encodeJSON(slices.DeleteFunc(changed, hidden))
	}
}

// enrich adds one field of a record unless the event already carries it or it is null now.
func (l *Log) enrich(payload map[string]json.RawMessage, entity, id, field string) {
	v, ok := l.opt.Current(entity, id, field)
	if !ok || v == nil {
		return
	}
	value := json.RawMessage(appendValue(nil, v, l.opt.Type(entity, field)))
	compound, part, nested := l.opt.Compound(entity, field)
	if !nested {
		if _, there := payload[field]; !there {
			payload[field] = value
		}
		return
	}
	parts := make(map[string]json.RawMessage)
	if raw, there := payload[compound]; there && json.Unmarshal(raw, &parts) != nil {
		return
	}
	if _, there := parts[part]; !there {
		parts[part] = value
		payload[compound] = encodeJSON(parts)
	}
}

// encode writes the header first, as in rendered events.
func encode(m message, header, payload map[string]json.RawMessage) []byte {
	var out bytes.Buffer
	out.WriteString(`{"schema":"` + m.Schema + `","payload":{"ChangeEventHeader":`)
	out.Write(encodeJSON(header))
	for _, name := range slices.SortedFunc(maps.Keys(payload), strings.Compare) {
		if name == "ChangeEventHeader" {
			continue
		}
		out.WriteByte(',')
		out.Write(jsontext.AppendString(nil, name))
		out.WriteByte(':')
		out.Write(payload[name])
	}
	out.WriteString(`},"event":`)
	out.Write(m.Event)
	out.WriteByte('}')
	return out.Bytes()
}

// encodeJSON encodes a value that always can be.
func encodeJSON(v any) json.RawMessage {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return json.RawMessage("null")
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}
