package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"crosswalk/internal/avro/schema"
)

// store is what the Server knows. Changes go to the log first.
type store struct {
	log Log

	mu       sync.RWMutex
	subjects map[string][]*version // ascending by number, soft-deleted ones included
	levels   map[string]string     // compatibility by subject; "" holds for all
	modes    map[string]string     // the same
	lastID   int
}

// version is a schema under a subject. Immutable.
type version struct {
	subject string
	number  int
	id      int
	text    string // as schema.Node.Text writes it
	refs    []Reference
	deleted bool
}

// newSchema is a schema that somebody brings.
type newSchema struct {
	text string
	node *schema.Node
	refs []Reference
}

func (v *version) same(n newSchema) bool { return v.text == n.text && slices.Equal(v.refs, n.refs) }

// refuse makes an error for the API; its HTTP status is the first three digits of the code.
func refuse(code int, format string, args ...any) *Error {
	status := code
	if code > 999 {
		status = code / 100
	}
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func loadStore(ctx context.Context, log Log) (*store, error) {
	s := &store{log: log, subjects: map[string][]*version{}, levels: map[string]string{}, modes: map[string]string{}}
	if err := log.Load(ctx, s.apply); err != nil {
		return nil, fmt.Errorf("load schemas: %w", err)
	}
	return s, nil
}

// parse reads a schema that somebody brings, types of its references included. The store must be locked.
func (s *store) parse(text string, refs []Reference, normalize bool) (newSchema, error) {
	if text == "" {
		return newSchema{}, refuse(CodeInvalidSchema, "Invalid schema: Empty schema")
	}
	var nodes []*schema.Node
	for _, r := range refs {
		v := s.find(r.Subject, r.Version, true)
		if v == nil {
			return newSchema{}, refuse(CodeInvalidSchema, "Invalid schema: No schema reference found for subject \"%s\" and version %d", r.Subject, r.Version)
		}
		n, err := s.node(v, 0)
		if err != nil {
			return newSchema{}, refuse(CodeInvalidSchema, "Invalid schema: %v", err)
		}
		nodes = append(nodes, n)
	}
	n, err := schema.Parse(text, nodes...)
	if err != nil {
		return newSchema{}, refuse(CodeInvalidSchema, "Invalid schema: %v", err)
	}
	if normalize {
		return newSchema{n.Normalized(nodes...), n, refs}, nil
	}
	return newSchema{n.Text(nodes...), n, refs}, nil
}

// node parses a stored schema.
func (s *store) node(v *version, depth int) (*schema.Node, error) {
	return resolve(v.text, v.refs, func(r Reference) (string, []Reference, error) {
		ref := s.find(r.Subject, r.Version, true)
		if ref == nil {
			return "", nil, fmt.Errorf("subject %s has no version %d", r.Subject, r.Version)
		}
		return ref.text, ref.refs, nil
	}, depth)
}

// latest stands for the highest version that is there.
const latest = -1

// find returns a version of a subject, or nil.
func (s *store) find(subject string, number int, deleted bool) *version {
	for _, v := range slices.Backward(s.subjects[subject]) {
		if (number == latest || v.number == number) && (deleted || !v.deleted) {
			return v
		}
	}
	return nil
}

// get is find with the API's errors.
func (s *store) get(subject string, number int, deleted bool) (*version, error) {
	if len(s.versions(subject, deleted)) == 0 && len(s.versions(subject, true)) == 0 {
		return nil, refuse(CodeSubjectNotFound, "Subject '%s' not found.", subject)
	}
	v := s.find(subject, number, deleted)
	switch {
	case v != nil:
		return v, nil
	case number == latest:
		return nil, refuse(CodeSubjectNotFound, "Subject '%s' not found.", subject)
	}
	return nil, refuse(CodeVersionNotFound, "Version %d not found.", number)
}

// versions lists a subject's versions.
func (s *store) versions(subject string, deleted bool) []*version {
	var out []*version
	for _, v := range s.subjects[subject] {
		if deleted || !v.deleted {
			out = append(out, v)
		}
	}
	return out
}

// byID lists the versions that have an id, by subject and number.
func (s *store) byID(id int, deleted bool) []*version {
	var out []*version
	for _, subject := range slices.Sorted(maps.Keys(s.subjects)) {
		for _, v := range s.versions(subject, deleted) {
			if v.id == id {
				out = append(out, v)
			}
		}
	}
	return out
}

// lookup finds a schema under a subject.
func (s *store) lookup(subject string, n newSchema, deleted bool) (*version, error) {
	list := s.versions(subject, deleted)
	if len(list) == 0 {
		return nil, refuse(CodeSubjectNotFound, "Subject '%s' not found.", subject)
	}
	for _, v := range slices.Backward(list) {
		if v.same(n) {
			return v, nil
		}
	}
	return nil, refuse(CodeSchemaNotFound, "Schema not found")
}

// register stores a schema under a subject, unless it is there.
func (s *store) register(ctx context.Context, subject string, n newSchema) (*version, error) {
	if v, err := s.lookup(subject, n, false); err == nil {
		return v, nil
	}
	if err := s.writable(subject); err != nil {
		return nil, err
	}
	level := s.level(subject)
	found, err := s.compare(level, n, s.versions(subject, false))
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return nil, refuse(CodeIncompatible, "Schema being registered is incompatible with an earlier schema for subject \"%s\", details: [%s]", subject, strings.Join(found, ", "))
	}
	number := 1
	if v := s.find(subject, latest, true); v != nil {
		number = v.number + 1
	}
	rec := schemaRecord{Subject: subject, Version: number, ID: s.idOf(n), Schema: n.text, References: n.refs}
	if err := s.write(ctx, recordKey{keySchema, &subject, number, 1}, rec); err != nil {
		return nil, err
	}
	return s.find(subject, number, false), nil
}

// idOf is the id that the schema has under any subject, or a new one.
func (s *store) idOf(n newSchema) int {
	for _, list := range s.subjects {
		for _, v := range list {
			if v.same(n) {
				return v.id
			}
		}
	}
	return s.lastID + 1
}

// compare checks a schema against versions, oldest first, as the level asks: against the last one, or, when the level is
// transitive, all.
func (s *store) compare(level string, n newSchema, against []*version) ([]string, error) {
	if level == "NONE" {
		return nil, nil
	}
	if !strings.HasSuffix(level, "_TRANSITIVE") && len(against) > 1 {
		against = against[len(against)-1:]
	}
	var before []earlier
	for _, v := range against {
		node, err := s.node(v, 0)
		if err != nil {
			return nil, fmt.Errorf("read schema %d: %w", v.id, err)
		}
		before = append(before, earlier{v.number, v.text, node})
	}
	return incompatibilities(level, n.node, before), nil
}

func (s *store) level(subject string) string {
	for _, key := range []string{subject, ""} {
		if l := s.levels[key]; l != "" {
			return l
		}
	}
	return defaultLevel
}

func (s *store) mode(subject string) string {
	if s.modes[""] == "READONLY_OVERRIDE" {
		return "READONLY_OVERRIDE"
	}
	for _, key := range []string{subject, ""} {
		if m := s.modes[key]; m != "" {
			return m
		}
	}
	return defaultMode
}

func (s *store) writable(subject string) error {
	if m := s.mode(subject); m != defaultMode {
		return refuse(CodeOperationNotPermitted, "Subject %s is in read-only mode", subject)
	}
	return nil
}

// remove deletes versions softly, or what is deleted softly for good.
func (s *store) remove(ctx context.Context, list []*version, permanent bool) error {
	for _, v := range list {
		if err := s.writable(v.subject); err != nil {
			return err
		}
		if r := s.referencedBy(v); len(r) > 0 {
			return refuse(CodeReferenceExists, "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=%s,version=%d}.", v.subject, v.number)
		}
	}
	for _, v := range list {
		key := recordKey{keySchema, &v.subject, v.number, 1}
		var value any
		if !permanent {
			value = schemaRecord{Subject: v.subject, Version: v.number, ID: v.id, Schema: v.text, References: v.refs, Deleted: true}
		}
		if err := s.write(ctx, key, value); err != nil {
			return err
		}
	}
	return nil
}

// referencedBy lists the schemas that use a type of the version.
func (s *store) referencedBy(v *version) []int {
	ids := []int{}
	for _, list := range s.subjects {
		for _, other := range list {
			uses := slices.ContainsFunc(other.refs, func(r Reference) bool { return r.Subject == v.subject && r.Version == v.number })
			if uses && !other.deleted && !slices.Contains(ids, other.id) {
				ids = append(ids, other.id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}
