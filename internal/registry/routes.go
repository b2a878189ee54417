package registry

import (
	"maps"
	"slices"
	"strings"
)

// versionAnswer is how a version is shown.
type versionAnswer struct {
	Subject    string      `json:"subject"`
	Version    int         `json:"version"`
	ID         int         `json:"id"`
	References []Reference `json:"references,omitempty"`
	Schema     string      `json:"schema"`
}

func (v *version) answer() versionAnswer {
	return versionAnswer{v.subject, v.number, v.id, v.refs, v.text}
}

func numbers(list []*version) []int {
	out := []int{}
	for _, v := range list {
		out = append(out, v.number)
	}
	return out
}

func listSchemas(r *request) (any, error) {
	out := []versionAnswer{}
	for _, subject := range slices.Sorted(maps.Keys(r.store.subjects)) {
		list := r.store.versions(subject, r.flag("deleted"))
		if !strings.HasPrefix(subject, r.URL.Query().Get("subjectPrefix")) || len(list) == 0 {
			continue
		}
		if r.flag("latestOnly") {
			list = list[len(list)-1:]
		}
		for _, v := range list {
			out = append(out, v.answer())
		}
	}
	return out, nil
}

// anyByID returns one of the versions with the id of the path. A soft-deleted schema is still there for those who have its id.
func anyByID(r *request) (*version, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	list := r.store.byID(id, true)
	if len(list) == 0 {
		return nil, refuse(CodeSchemaNotFound, "Schema %d not found", id)
	}
	return list[0], nil
}

func schemaByID(r *request) (any, error) {
	v, err := anyByID(r)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Schema     string      `json:"schema"`
		References []Reference `json:"references,omitempty"`
		MaxID      int         `json:"maxId,omitempty"`
	}{Schema: v.text, References: v.refs}
	if r.flag("fetchMaxId") {
		answer.MaxID = r.store.lastID
	}
	if r.URL.Query().Get("format") == "resolved" {
		n, err := r.store.node(v, 0)
		if err != nil {
			return nil, err
		}
		answer.Schema, answer.References = n.Text(), nil
	}
	return answer, nil
}

func schemaTextByID(r *request) (any, error) {
	v, err := anyByID(r)
	if err != nil {
		return nil, err
	}
	return rawSchema(v.text), nil
}

func subjectsByID(r *request) (any, error) {
	v, err := anyByID(r)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, v := range r.store.byID(v.id, r.flag("deleted")) {
		if !slices.Contains(out, v.subject) {
			out = append(out, v.subject)
		}
	}
	return out, nil
}

func versionsByID(r *request) (any, error) {
	v, err := anyByID(r)
	if err != nil {
		return nil, err
	}
	type place struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
	}
	out := []place{}
	for _, v := range r.store.byID(v.id, r.flag("deleted")) {
		out = append(out, place{v.subject, v.number})
	}
	return out, nil
}

func listSubjects(r *request) (any, error) {
	out := []string{}
	for _, subject := range slices.Sorted(maps.Keys(r.store.subjects)) {
		live := len(r.store.versions(subject, false)) > 0
		wanted := live && !r.flag("deletedOnly") || !live && (r.flag("deleted") || r.flag("deletedOnly"))
		if wanted && strings.HasPrefix(subject, r.URL.Query().Get("subjectPrefix")) {
			out = append(out, subject)
		}
	}
	return out, nil
}

func listVersions(r *request) (any, error) {
	subject := r.PathValue("subject")
	list := r.store.versions(subject, r.flag("deleted") || r.flag("deletedOnly"))
	if r.flag("deletedOnly") {
		list = slices.DeleteFunc(list, func(v *version) bool { return !v.deleted })
	}
	if len(list) == 0 {
		return nil, refuse(CodeSubjectNotFound, "Subject '%s' not found.", subject)
	}
	return numbers(list), nil
}

func getVersion(r *request) (any, error) {
	v, err := r.one()
	if err != nil {
		return nil, err
	}
	return v.answer(), nil
}

// one returns the version of the path.
func (r *request) one() (*version, error) {
	number, err := r.version()
	if err != nil {
		return nil, err
	}
	return r.store.get(r.PathValue("subject"), number, r.flag("deleted"))
}

func getVersionText(r *request) (any, error) {
	v, err := r.one()
	if err != nil {
		return nil, err
	}
	return rawSchema(v.text), nil
}

func getReferencedBy(r *request) (any, error) {
	v, err := r.one()
	if err != nil {
		return nil, err
	}
	return r.store.referencedBy(v), nil
}

func lookupSchema(r *request) (any, error) {
	subject := r.PathValue("subject")
	if len(r.store.versions(subject, r.flag("deleted"))) == 0 {
		return nil, refuse(CodeSubjectNotFound, "Subject '%s' not found.", subject)
	}
	n, err := r.schema()
	if err != nil {
		return nil, err
	}
	v, err := r.store.lookup(subject, n, r.flag("deleted"))
	if err != nil {
		return nil, err
	}
	return v.answer(), nil
}

func registerSchema(r *request) (any, error) {
	n, err := r.schema()
	if err != nil {
		return nil, err
	}
	v, err := r.store.register(r.Context(), r.PathValue("subject"), n)
	if err != nil {
		return nil, err
	}
	return struct {
		ID int `json:"id"`
	}{v.id}, nil
}

func deleteSubject(r *request) (any, error) {
	subject := r.PathValue("subject")
	all, live := r.store.versions(subject, true), r.store.versions(subject, false)
	permanent := r.flag("permanent")
	switch {
	case len(all) == 0:
		return nil, refuse(CodeSubjectNotFound, "Subject '%s' not found.", subject)
	case permanent && len(live) > 0:
		return nil, refuse(CodeSubjectNotSoftDeleted, "Subject '%s' was not deleted first before being permanently deleted", subject)
	case !permanent && len(live) == 0:
		return nil, refuse(CodeSubjectSoftDeleted, "Subject '%s' was soft deleted.Set permanent=true to delete permanently", subject)
	case permanent:
		live = all
	}
	if err := r.store.remove(r.Context(), live, permanent); err != nil {
		return nil, err
	}
	if r.store.levels[subject] != "" {
		if err := r.store.write(r.Context(), recordKey{KeyType: keyConfig, Subject: &subject}, nil); err != nil {
			return nil, err
		}
	}
	return numbers(live), nil
}

func deleteVersion(r *request) (any, error) {
	number, err := r.version()
	if err != nil {
		return nil, err
	}
	subject, permanent := r.PathValue("subject"), r.flag("permanent")
	v, err := r.store.get(subject, number, true)
	if err == nil && number == latest && !permanent {
		v, err = r.store.get(subject, number, false)
	}
	switch {
	case err != nil:
		return nil, err
	case permanent && !v.deleted:
		return nil, refuse(CodeVersionNotSoftDeleted, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, v.number)
	case !permanent && v.deleted:
		return nil, refuse(CodeVersionSoftDeleted, "Subject '%s' Version %d was soft deleted.Set permanent=true to delete permanently", subject, v.number)
	}
	if err := r.store.remove(r.Context(), []*version{v}, permanent); err != nil {
		return nil, err
	}
	return v.number, nil
}
