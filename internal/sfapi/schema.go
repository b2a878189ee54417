package sfapi

import (
	"strings"

	"crosswalk/internal/change"
)

// Schema makes the columns of an object's rows: every readable field except compounds (their components stay),
// base64 and what Bulk cannot select (a soapType that begins with urn:, facts 2.5, 3.4). Account.Name stays although a
// Person Account makes it a compound: for a business account it is the only name.
func Schema(d *Describe, sel Selection) *change.Schema {
	compounds := compoundNames(d)
	fields := make([]change.Field, 0, len(d.Fields))
	for _, f := range d.Fields {
		if compounds[f.Name] || !selectable(f) || !sel.takes(d.Name, f, compounds) {
			continue
		}
		fields = append(fields, change.Field{
			Name: f.Name, Label: f.Label, Type: fieldType(f.Type),
			Precision: f.Precision, Scale: f.Scale, ReadOnly: readOnly(f),
		})
	}
	return change.NewSchema(d.Name, fields)
}

func selectable(f DescribedField) bool {
	switch f.Type {
	case "base64", "address", "location", "complexvalue":
		return false
	}
	return !strings.HasPrefix(f.SoapType, "urn:")
}

// readOnly says what events do not carry (S6, facts 5.3): formulas and roll-ups, system columns, and values that
// Salesforce derives when they are read.
func readOnly(f DescribedField) bool {
	switch f.Name {
	case "SystemModstamp", "IsDeleted", "LastActivityDate", "LastViewedDate", "LastReferencedDate", "PhotoUrl", "IsEmailBounced":
		return true
	}
	return f.Calculated
}

func fieldType(t string) change.Type {
	switch t {
	case "boolean":
		return change.TypeBool
	case "int", "long":
		return change.TypeInt
	case "double", "currency", "percent":
		return change.TypeDecimal
	case "date":
		return change.TypeDate
	case "time":
		return change.TypeTime
	case "datetime":
		return change.TypeDatetime
	}
	return change.TypeString
}

// compoundNames are the fields that other fields name as their compound, less Account.Name.
func compoundNames(d *Describe) map[string]bool {
	names := make(map[string]bool)
	for _, f := range d.Fields {
		if f.CompoundFieldName != "" && f.CompoundFieldName != f.Name { // some orgs let Name name itself
			names[f.CompoundFieldName] = true
		}
	}
	if d.Name == "Account" {
		delete(names, "Name")
	}
	return names
}

// Components says how the nested compounds of change events and REST records become the flat fields that Bulk has:
// Components(d)["BillingAddress"]["Street"] is "BillingStreet", ["Name"]["FirstName"] is "FirstName",
// ["Loc__c"]["Latitude"] is "Loc__Latitude__s". Component names are in UpperCamel, as change events write them.
func Components(d *Describe) map[string]map[string]string {
	out := make(map[string]map[string]string)
	for _, f := range d.Fields {
		compound := f.CompoundFieldName
		if compound == "" || compound == f.Name {
			continue
		}
		if out[compound] == nil {
			out[compound] = make(map[string]string)
		}
		out[compound][componentName(compound, f.Name)] = f.Name
	}
	return out
}

// componentName takes the compound's part off the field's name: BillingStreet of BillingAddress is Street,
// Loc__Latitude__s of Loc__c is Latitude, FirstName of Name is FirstName.
func componentName(compound, field string) string {
	if stem, ok := strings.CutSuffix(compound, "__c"); ok {
		field = strings.TrimPrefix(field, stem+"__")
		return strings.TrimSuffix(strings.TrimSuffix(field, "__s"), "__c")
	}
	if stem, ok := strings.CutSuffix(compound, "Address"); ok {
		return strings.TrimPrefix(field, stem)
	}
	return field
}
