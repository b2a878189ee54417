package cdc

import (
	"strings"

	"crosswalk/internal/simulator/jsontext"
)

// addressParts are the components of an address, by the suffix that they have in flat names (facts 5.3).
var addressParts = []string{
	"Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude", "GeocodeAccuracy", "StateCode", "CountryCode",
}

// nameParts are the components of a person's Name.
var nameParts = map[string]bool{
	"Salutation": true, "FirstName": true, "MiddleName": true, "LastName": true, "Suffix": true,
}

// StandardCompound knows the compound fields of the standard objects: the addresses, and Name of Contact, Lead and User.
// BillingStreet of any object is Street of BillingAddress; Account.Name stays a plain string.
func StandardCompound(entity, field string) (compound, component string, ok bool) {
	person := entity == "Contact" || entity == "Lead" || entity == "User"
	if person && nameParts[field] {
		return "Name", field, true
	}
	if entity == "Lead" || entity == "User" {
		for _, part := range addressParts {
			if field == part {
				return "Address", part, true
			}
		}
	}
	for _, prefix := range []string{"Billing", "Shipping", "Mailing", "Other"} {
		rest, found := strings.CutPrefix(field, prefix)
		if !found {
			continue
		}
		for _, part := range addressParts {
			if rest == part {
				return prefix + "Address", part, true
			}
		}
	}
	return "", "", false
}

// neverSent are fields that no change event carries (facts 5.3): the id is in the header, the others are derived.
var neverSent = map[string]bool{
	"Id": true, "IsDeleted": true, "SystemModstamp": true, "LastActivityDate": true, "PhotoUrl": true,
	"LastViewedDate": true, "LastReferencedDate": true, "attributes": true,
}

// entityPlan is what Log knows about rendering one entity. It fills itself as fields show up.
type entityPlan struct {
	entity string
	schema string // opaque schema id, 22 characters
	fields map[string]*fieldPlan
	paths  map[string]string // "Name.LastName" to "LastName"
}

// fieldPlan is how one flat field is written.
type fieldPlan struct {
	name   string // flat API name
	group  string // compound field, or the field itself
	part   string // component, "" outside compounds
	path   string // group[.part], as changedFields shows it
	key    string // the JSON key with its colon: the part's inside a compound, else the field's
	kind   string // describe type
	unsent bool
}

func (l *Log) plan(entity string) *entityPlan {
	p := l.plans[entity]
	if p == nil {
		p = &entityPlan{
			entity: entity, schema: schemaID(entity, l.revisions[entity]),
			fields: make(map[string]*fieldPlan), paths: make(map[string]string),
		}
		l.plans[entity] = p
	}
	return p
}

func (l *Log) field(p *entityPlan, name string) *fieldPlan {
	if f := p.fields[name]; f != nil {
		return f
	}
	f := &fieldPlan{name: name, group: name, path: name, kind: l.opt.Type(p.entity, name)}
	if compound, component, ok := l.opt.Compound(p.entity, name); ok {
		f.group, f.part, f.path = compound, component, compound+"."+component
	}
	own := f.group
	if f.part != "" {
		own = f.part
	}
	f.key = string(jsontext.AppendString(nil, own)) + ":"
	f.unsent = neverSent[name] || !l.opt.Formulas && l.opt.Formula(p.entity, name)
	p.fields[name] = f
	p.paths[f.path] = name
	return f
}
