// Package schemas holds the Avro schemas of the topics whose shape is fixed, one .avsc file each.
//
// Account and Contact are not here: their schemas are completed at run time from what Salesforce describes
// (avro.NewRowCodec). Dead letters have no schema: they are the bytes as they came, with the reason in headers.
//
// Wherever a record has a map `fields` or `attributes`, its values are one union, here called FieldValue: null, boolean,
// long, decimal(38,18), string, AttributeMap (an object), AttributeList (a list). Dates and times are ISO 8601 text in
// it. A name that is not in the map is absent, which is not the same as null. A note in a view has its own fields in such
// a map beside id and linkedTo.
//
// The attribute crosswalk.json of a field says how the JSON form of a record differs from its Avro form: "inline" puts the
// members of a map in the place of the map, "omitNull" leaves a null out.
package schemas

import _ "embed" // for the schema files

// The schemas, as JSON text.
var (
	//go:embed note.avsc
	Note string // topic salesforce.note
	//go:embed erp_customer.avsc
	ERPCustomer string // topic erp.customer
	//go:embed customer_view.avsc
	CustomerView string // topic customer.view
	//go:embed match_ambiguous.avsc
	MatchAmbiguous string // topic match.ambiguous
	//go:embed match_unmatched.avsc
	MatchUnmatched string // topic match.unmatched
	//go:embed position.avsc
	Position string // topic crosswalk.position
	//go:embed control.avsc
	Control string // topic crosswalk.control
	//go:embed audit.avsc
	Audit string // topic crosswalk.audit
)
