package sfapi

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"crosswalk/internal/change"
)

const describePath = "/services/data/v66.0/sobjects/Account/describe"

// accountDescribe has one field of each kind that is treated apart, in the describe's own spelling.
const accountDescribe = `{"name":"Account","label":"Account","keyPrefix":"001","custom":false,"queryable":true,"retrieveable":true,"replicateable":true,"undeletable":true,"fields":[
{"name":"Id","label":"Account ID","type":"id","soapType":"tns:ID","compoundFieldName":null},
{"name":"Name","label":"Account Name","type":"string","soapType":"xsd:string","compoundFieldName":"Name","nillable":false,"length":255},
{"name":"BillingStreet","label":"Billing Street","type":"textarea","soapType":"xsd:string","compoundFieldName":"BillingAddress"},
{"name":"BillingAddress","label":"Billing Address","type":"address","soapType":"urn:address","compoundFieldName":null},
{"name":"Loc__c","label":"Loc","type":"location","soapType":"urn:location","compoundFieldName":null,"custom":true},
{"name":"Loc__Latitude__s","label":"Loc (Latitude)","type":"double","soapType":"xsd:double","compoundFieldName":"Loc__c","precision":18,"scale":8,"custom":true},
{"name":"Logo__c","label":"Logo","type":"base64","soapType":"xsd:base64Binary"},
{"name":"Ids__c","label":"Ids","type":"reference","soapType":"urn:JunctionIdListNames"},
{"name":"AnnualRevenue","label":"Annual Revenue","type":"currency","soapType":"xsd:double","precision":18,"scale":2},
{"name":"Discount__c","label":"Discount","type":"percent","soapType":"xsd:double"},
{"name":"NumberOfEmployees","label":"Employees","type":"int","soapType":"xsd:int"},
{"name":"Big__c","label":"Big","type":"long","soapType":"xsd:long"},
{"name":"Total__c","label":"Total","type":"double","soapType":"xsd:double","calculated":true},
{"name":"IsDeleted","label":"Deleted","type":"boolean","soapType":"xsd:boolean"},
{"name":"Since__c","label":"Since","type":"date","soapType":"xsd:date"},
{"name":"Opens__c","label":"Opens","type":"time","soapType":"xsd:time"},
{"name":"IsEmailBounced","label":"Is Email Bounced","type":"boolean","soapType":"xsd:boolean"},
{"name":"SystemModstamp","label":"System Modstamp","type":"datetime","soapType":"xsd:dateTime"},
{"name":"LastActivityDate","label":"Last Activity","type":"date","soapType":"xsd:date"},
{"name":"Tags__c","label":"Tags","type":"multipicklist","soapType":"xsd:string"},
{"name":"Secret__c","label":"Secret","type":"encryptedstring","soapType":"xsd:string"},
{"name":"ERP_Customer_No__c","label":"ERP No","type":"string","soapType":"xsd:string","externalId":true,"idLookup":true,"unique":true,"length":20}
]}`

func described(t *testing.T) *Describe {
	t.Helper()
	o := newOrg(t)
	o.json(describePath, 200, accountDescribe)
	d, err := o.client(t).Describe(t.Context(), "Account")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDescribeBecomesColumns(t *testing.T) {
	t.Parallel()
	d := described(t)
	s := Schema(d, Selection{})
	var got []string
	for _, f := range s.Fields {
		readOnly := ""
		if f.ReadOnly {
			readOnly = " read-only"
		}
		got = append(got, fmt.Sprintf("%s %d%s", f.Name, f.Type, readOnly))
	}
	column := func(name string, t change.Type, note string) string { return fmt.Sprintf("%s %d%s", name, t, note) }
	want := []string{
		column("AnnualRevenue", change.TypeDecimal, ""), column("Big__c", change.TypeInt, ""), column("BillingStreet", change.TypeString, ""),
		column("Discount__c", change.TypeDecimal, ""), column("ERP_Customer_No__c", change.TypeString, ""), column("Id", change.TypeString, ""),
		column("IsDeleted", change.TypeBool, " read-only"), column("IsEmailBounced", change.TypeBool, " read-only"),
		column("LastActivityDate", change.TypeDate, " read-only"), column("Loc__Latitude__s", change.TypeDecimal, ""),
		column("Name", change.TypeString, ""), column("NumberOfEmployees", change.TypeInt, ""), column("Opens__c", change.TypeTime, ""),
		column("Secret__c", change.TypeString, ""), column("Since__c", change.TypeDate, ""), column("SystemModstamp", change.TypeDatetime, " read-only"),
		column("Tags__c", change.TypeString, ""), column("Total__c", change.TypeDecimal, " read-only"),
	}
	equal(t, got, want)
	if f := s.Fields[s.Index("AnnualRevenue")]; f.Precision != 18 || f.Scale != 2 || f.Label != "Annual Revenue" {
		t.Errorf("%+v", f)
	}
	if f, ok := d.Field("ERP_Customer_No__c"); !ok || !f.ExternalID || !f.IDLookup || !f.Unique || f.Length != 20 || d.KeyPrefix != "001" || !d.Replicateable {
		t.Errorf("%+v of %+v", f, d)
	}
	if !slices.Equal(FieldNames(s)[:2], []string{"AnnualRevenue", "Big__c"}) {
		t.Errorf("columns %v", FieldNames(s))
	}
}

func TestSelectionNarrowsColumnsButKeepsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	d := described(t)
	for name, c := range map[string]struct {
		sel  Selection
		want string
	}{
		"include":        {Selection{Include: []string{"Name", "big*"}}, "[Big__c Id IsDeleted Name SystemModstamp]"},
		"exclude":        {Selection{Include: []string{"*__c", "Id"}, Exclude: []string{"*", "Id"}}, "[Id IsDeleted SystemModstamp]"},
		"compound":       {Selection{Include: []string{"BillingAddress", "loc__C"}}, "[BillingStreet Id IsDeleted Loc__Latitude__s SystemModstamp]"},
		"but a compound": {Selection{Include: []string{"*Street", "*__s"}, Exclude: []string{"BillingAddress"}}, "[Id IsDeleted Loc__Latitude__s SystemModstamp]"},
		"needed besides": {Selection{Include: []string{"Name"}, Exclude: []string{"Tags*"}, Needed: []string{"tags__c"}}, "[Id IsDeleted Name SystemModstamp Tags__c]"},
		"both":           {Selection{Include: []string{"*__c"}, Exclude: []string{"[", "T*", "S*", "O*", "D*", "B*"}}, "[ERP_Customer_No__c Id IsDeleted Loc__Latitude__s SystemModstamp]"},
	} {
		if got := fmt.Sprint(FieldNames(Schema(d, c.sel))); got != c.want {
			t.Errorf("%s gave %s, want %s", name, got, c.want)
		}
	}
}

func TestSelectionOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	d := described(t)
	sel := Selection{Include: []string{"NAME", "Discout__c", "Tags", "Loc__c", "Big*"}, Exclude: []string{"Zzz__c", "Q*"}}
	equal(t, sel.Strangers(d), []string{
		`fields.Account.include has "Discout__c", but Account has no such field that this user may read; the nearest is Discount__c`,
		`fields.Account.include has "Tags", but Account has no such field that this user may read; the nearest is Tags__c`,
		`fields.Account.exclude has "Zzz__c", but Account has no such field that this user may read`,
		`fields.Account.exclude has "Q*", but Account has no such field that this user may read`,
	})
	equal(t, Selection{}.Strangers(d), nil)
}

func TestCompoundsGoAndComponentsStay(t *testing.T) {
	t.Parallel()
	got := FieldNames(Schema(contact(), Selection{}))
	want := []string{"Description", "FirstName", "Id", "LastName", "Loc__Latitude__s", "Loc__Longitude__s", "MailingCity", "MailingLatitude", "MailingStreet", "Score__c", "Visits__c"}
	equal(t, got, want)
}

func TestComponentNames(t *testing.T) {
	t.Parallel()
	for compound, fields := range map[string]map[string]string{
		"BillingAddress":       {"BillingStreet": "Street", "BillingGeocodeAccuracy": "GeocodeAccuracy", "BillingStateCode": "StateCode"},
		"PersonMailingAddress": {"PersonMailingCity": "City"},
		"Address":              {"Street": "Street"},
		"Name":                 {"FirstName": "FirstName", "Salutation": "Salutation"},
		"Loc__c":               {"Loc__Latitude__s": "Latitude", "Loc__Longitude__s": "Longitude"},
		"ns__Site__c":          {"ns__Site__Street__s": "Street", "ns__Site__CountryCode__s": "CountryCode"},
	} {
		for field, want := range fields {
			if got := componentName(compound, field); got != want {
				t.Errorf("%s of %s is %q, want %q", field, compound, got, want)
			}
		}
	}
	if c := Components(described(t)); c["BillingAddress"]["Street"] != "BillingStreet" || c["Loc__c"]["Latitude"] != "Loc__Latitude__s" || c["Name"] != nil {
		t.Errorf("components %v", c)
	}
}

func TestDescribeOfAnUnreadableObject(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.json(describePath, 404, `[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]`)
	_, err := o.client(t).Describe(t.Context(), "Account")
	var answered *Error
	if !errors.As(err, &answered) || answered.Next() != NextGone {
		t.Fatalf("got %v", err)
	}
	has(t, err.Error(), "describe Account", "this user may not see it")
}
