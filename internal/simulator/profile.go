package simulator

import (
	"errors"
	"slices"
	"strings"

	"crosswalk/internal/simulator/org"
)

var errInvalidToken = errors.New("token is not valid")

// reads reports whether the user may read an object.
func (p *Profile) reads(object string) bool {
	return !slices.ContainsFunc(p.NoRead, func(o string) bool { return strings.EqualFold(o, object) })
}

// hides reports whether field-level security hides a field. Fields that every record has are never hidden.
func (p *Profile) hides(object, field string) bool {
	if len(p.Hidden) == 0 || field == "Id" {
		return false
	}
	name := object + "." + field
	return slices.ContainsFunc(p.Hidden, func(h string) bool { return strings.EqualFold(h, name) })
}

// seesAll reports whether sharing lets the user see every record of an object.
func (p *Profile) seesAll(object string) bool {
	return !slices.ContainsFunc(p.NoViewAll, func(o string) bool { return o == "*" || strings.EqualFold(o, object) })
}

// mayStream reports whether the user may have the change events of an object (facts 5.8).
func (p *Profile) mayStream(object string) bool { return p.reads(object) && p.seesAll(object) }

// catalog is the org as a user sees it; it serves package soql.
type catalog struct {
	s *Simulator
	p *Profile
}

func (s *Simulator) catalog() catalog { return catalog{s: s, p: s.profile.Load()} }

// Object returns an object that the user may read.
func (c catalog) Object(name string) (*org.Object, bool) {
	ob, ok := c.s.org.Object(name)
	if !ok || !c.p.reads(ob.Name) || ob.Name == "ContentNote" && c.s.settings.Load().NoNotes {
		return nil, false
	}
	return ob, true
}

// Visible reports whether field-level security shows the field.
func (c catalog) Visible(ob *org.Object, f *org.Field) bool {
	if f.Component != "" && f.Kind != org.Compound && c.p.hides(ob.Name, f.Component) {
		return false
	}
	return !c.p.hides(ob.Name, f.Name)
}

// fields are the visible fields of an object.
func (c catalog) fields(ob *org.Object) []*org.Field {
	var out []*org.Field
	for _, f := range ob.Fields() {
		if c.Visible(ob, f) {
			out = append(out, f)
		}
	}
	return out
}

// fileObjects are those whose rows are seen with Query All Files only (facts 7).
var fileObjects = []string{"ContentDocument", "ContentVersion", "ContentNote"}

// may returns which rows of an object sharing shows; nil for all.
func (c catalog) may(ob *org.Object) func(org.Row) bool {
	owner, hasOwner := ob.Field("OwnerId")
	own := func(r org.Row) bool {
		id, _ := r.Text(owner)
		return id == c.s.org.User()
	}
	switch {
	case !hasOwner:
		return nil
	case !c.p.seesAll(ob.Name), c.p.NoFiles && slices.Contains(fileObjects, ob.Name):
		return own
	case ob.Name == "Note" && c.p.NoModifyAll:
		private, _ := ob.Field("IsPrivate")
		return func(r org.Row) bool {
			text, _ := r.Text(private)
			return text != "true" || own(r)
		}
	}
	return nil
}
