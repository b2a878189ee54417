package registry

import (
	"slices"
	"strings"
)

// compatibilityAnswer says whether a schema could be registered, and why not when verbose=true asks.
type compatibilityAnswer struct {
	Compatible bool     `json:"is_compatible"`
	Messages   []string `json:"messages,omitempty"`
}

func checkAll(r *request) (any, error) {
	return r.check(r.store.versions(r.PathValue("subject"), false))
}

func checkVersion(r *request) (any, error) {
	number, err := r.version()
	if err != nil {
		return nil, err
	}
	v := r.store.find(r.PathValue("subject"), number, false)
	switch {
	case v != nil:
		return r.check([]*version{v})
	case number == latest:
		return r.check(nil)
	}
	return nil, refuse(CodeVersionNotFound, "Version %d not found.", number)
}

func (r *request) check(against []*version) (any, error) {
	n, err := r.schema()
	if err != nil {
		return nil, err
	}
	found, err := r.store.compare(r.store.level(r.PathValue("subject")), n, against)
	if err != nil {
		return nil, err
	}
	answer := compatibilityAnswer{Compatible: len(found) == 0}
	if r.flag("verbose") {
		answer.Messages = found
	}
	return answer, nil
}

// subjectOf is the subject of the path, or nil for what holds for all subjects.
func (r *request) subjectOf() (key *string, name string) {
	if name = r.PathValue("subject"); name == "" {
		return nil, ""
	}
	return &name, name
}

func getConfig(r *request) (any, error) {
	_, subject := r.subjectOf()
	if subject != "" && r.store.levels[subject] == "" && !r.flag("defaultToGlobal") {
		return nil, refuse(CodeSubjectConfigNotFound, "Subject '%s' does not have subject-level compatibility configured", subject)
	}
	return configRecord{r.store.level(subject)}, nil
}

func putConfig(r *request) (any, error) {
	level := strings.ToUpper(r.body.Compatibility)
	if !slices.Contains(levels, level) {
		return nil, refuse(CodeInvalidCompatibility, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive")
	}
	key, _ := r.subjectOf()
	if err := r.store.write(r.Context(), recordKey{KeyType: keyConfig, Subject: key}, configRecord{level}); err != nil {
		return nil, err
	}
	return struct {
		Compatibility string `json:"compatibility"`
	}{level}, nil
}

func deleteConfig(r *request) (any, error) {
	key, subject := r.subjectOf()
	was := r.store.level(subject)
	if subject != "" && r.store.levels[subject] == "" {
		return nil, refuse(CodeSubjectConfigNotFound, "Subject '%s' does not have subject-level compatibility configured", subject)
	}
	if err := r.store.write(r.Context(), recordKey{KeyType: keyConfig, Subject: key}, nil); err != nil {
		return nil, err
	}
	return configRecord{was}, nil
}

func getMode(r *request) (any, error) {
	_, subject := r.subjectOf()
	if subject != "" && r.store.modes[subject] == "" && !r.flag("defaultToGlobal") {
		return nil, refuse(CodeSubjectModeNotFound, "Subject '%s' does not have subject-level mode configured", subject)
	}
	return modeRecord{r.store.mode(subject)}, nil
}

func putMode(r *request) (any, error) {
	if !slices.Contains(modes, r.body.Mode) {
		return nil, refuse(CodeInvalidMode, "Invalid mode. Valid values are %s", strings.Join(modes, ", "))
	}
	key, _ := r.subjectOf()
	if err := r.store.write(r.Context(), recordKey{KeyType: keyMode, Subject: key}, modeRecord{r.body.Mode}); err != nil {
		return nil, err
	}
	return modeRecord{r.body.Mode}, nil
}

func deleteMode(r *request) (any, error) {
	key, subject := r.subjectOf()
	was := r.store.mode(subject)
	if subject != "" && r.store.modes[subject] == "" {
		return nil, refuse(CodeSubjectModeNotFound, "Subject '%s' does not have subject-level mode configured", subject)
	}
	if err := r.store.write(r.Context(), recordKey{KeyType: keyMode, Subject: key}, nil); err != nil {
		return nil, err
	}
	return modeRecord{was}, nil
}
