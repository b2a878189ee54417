package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// Log keeps the Server's records: a compacted topic, or memory. The Server is its only writer.
type Log interface {
	// Append returns when the record is durable. A nil value deletes the key.
	Append(ctx context.Context, key, value []byte) error
	// Load calls fn with every record, or with the last one per key, in the order in which they were appended.
	Load(ctx context.Context, fn func(key, value []byte) error) error
}

// MemoryLog is a Log that lasts as long as the process. The zero value is empty and ready.
type MemoryLog struct {
	mu      sync.Mutex
	records [][2][]byte
}

// Append implements Log.
func (l *MemoryLog) Append(_ context.Context, key, value []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, [2][]byte{slices.Clone(key), slices.Clone(value)})
	return nil
}

// Load implements Log.
func (l *MemoryLog) Load(_ context.Context, fn func(key, value []byte) error) error {
	l.mu.Lock()
	records := slices.Clone(l.records)
	l.mu.Unlock()
	for _, r := range records {
		if err := fn(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

// The records are those of Confluent's own _schemas topic. Subject is nil for what holds for all subjects.
type (
	recordKey struct {
		KeyType string  `json:"keytype"` // SCHEMA, CONFIG, MODE; others are left alone
		Subject *string `json:"subject"`
		Version int     `json:"version,omitempty"`
		Magic   int     `json:"magic"`
	}
	schemaRecord struct {
		Subject    string      `json:"subject"`
		Version    int         `json:"version"`
		ID         int         `json:"id"`
		References []Reference `json:"references,omitempty"`
		Schema     string      `json:"schema"`
		Deleted    bool        `json:"deleted"`
	}
	configRecord struct {
		Level string `json:"compatibilityLevel"`
	}
	modeRecord struct {
		Mode string `json:"mode"`
	}
)

const (
	keySchema = "SCHEMA"
	keyConfig = "CONFIG"
	keyMode   = "MODE"
)

// write makes a change durable and then true. A nil value deletes.
func (s *store) write(ctx context.Context, key recordKey, value any) error {
	k, err := json.Marshal(key)
	if err != nil {
		return err
	}
	var v []byte
	if value != nil {
		if v, err = json.Marshal(value); err != nil {
			return err
		}
	}
	if err := s.log.Append(ctx, k, v); err != nil {
		return refuse(CodeBackendStore, "Error in the backend data store: %v", err)
	}
	return s.apply(k, v)
}

// apply takes one record of the log into the state.
func (s *store) apply(key, value []byte) error {
	var k recordKey
	if err := json.Unmarshal(key, &k); err != nil {
		return fmt.Errorf("read schema log: key %.100q: %w", key, err)
	}
	var err error
	switch {
	case k.KeyType == keySchema && k.Subject != nil:
		err = s.applySchema(*k.Subject, k.Version, value)
	case k.KeyType == keyConfig:
		var r configRecord
		if err = decode(value, &r); err == nil {
			set(s.levels, k.Subject, r.Level)
		}
	case k.KeyType == keyMode:
		var r modeRecord
		if err = decode(value, &r); err == nil {
			set(s.modes, k.Subject, r.Mode)
		}
	}
	if err != nil {
		return fmt.Errorf("read schema log: value of key %.100q: %w", key, err)
	}
	return nil
}

func decode(value []byte, into any) error {
	if value == nil {
		return nil
	}
	return json.Unmarshal(value, into)
}

// set changes a setting; the one for all subjects has the empty key.
func set(settings map[string]string, subject *string, value string) {
	name := ""
	if subject != nil {
		name = *subject
	}
	if value == "" {
		delete(settings, name)
		return
	}
	settings[name] = value
}

func (s *store) applySchema(subject string, number int, value []byte) error {
	list := slices.DeleteFunc(s.subjects[subject], func(v *version) bool { return v.number == number })
	if value != nil {
		var r schemaRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return err
		}
		v := &version{subject: subject, number: number, id: r.ID, text: r.Schema, refs: r.References, deleted: r.Deleted}
		s.lastID = max(s.lastID, r.ID)
		at, _ := slices.BinarySearchFunc(list, number, func(v *version, n int) int { return v.number - n })
		list = slices.Insert(list, at, v)
	}
	if len(list) == 0 {
		delete(s.subjects, subject)
		return nil
	}
	s.subjects[subject] = list
	return nil
}
