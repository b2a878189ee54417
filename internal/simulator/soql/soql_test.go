package soql

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"crosswalk/internal/simulator/org"
)

// view is a catalog that shows everything but the hidden fields and objects.
type view struct {
	*org.Org
	hidden string // "Account.Phone Note"
}

func (v view) Object(name string) (*org.Object, bool) {
	ob, ok := v.Org.Object(name)
	if !ok || strings.Contains(" "+v.hidden+" ", " "+ob.Name+" ") {
		return nil, false
	}
	return ob, true
}

func (v view) Visible(ob *org.Object, f *org.Field) bool {
	return !strings.Contains(v.hidden+" ", ob.Name+"."+f.Name+" ")
}

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func setup(t testing.TB) view {
	t.Helper()
	files := fstest.MapFS{
		"Account.csv": {Data: []byte(`Id,Name,Phone,AnnualRevenue,NumberOfEmployees,CreatedDate,ParentId,ERP__c,OwnerId
a,Acme,1,100.5,5,2026-11-21T10:00:00Z,,C1,
b,beta,,20,,2026-11-22T00:00:00Z,a,c1,
c,"O'Hara 100%",3,,7,2026-01-05T00:00:00Z,a,C_1,
d,Ärger,4,1000000000000000001,8,2020-01-01T00:00:00Z,b,,
`)},
		"Contact.csv": {Data: []byte("LastName,AccountId,Birthdate\nOne,a,2026-11-22\nTwo,b,\nThree,,1990-05-06\n")},
		"schema.json": {Data: []byte(`{"objects":{"Account":{"fields":[{"name":"Tags__c","type":"multipicklist"}]}}}`)},
	}
	o, err := org.New(org.Config{Files: files, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Update("Account", org.MakeID("001", 1), org.Fields{"Tags__c": "red;Blue"}); err != nil {
		t.Fatal(err)
	}
	return view{Org: o}
}

// run answers a query as "Acme|beta": the rows' first column.
func run(t testing.TB, v view, query string, scope Scope) (string, error) {
	t.Helper()
	q, err := Parse(query)
	if err != nil {
		return "", err
	}
	plan, err := Compile(q, v, now)
	if err != nil {
		return "", err
	}
	var out []string
	v.View(func(view org.View) {
		f := plan.Find(scope)
		var slots []uint32
		for done := false; !done; {
			slots, done = f.Step(view, slots, 2)
			done = done || plan.Enough(len(slots))
		}
		if plan.Ordered {
			plan.Sort(view, slots)
		}
		for _, slot := range plan.Window(slots) {
			r, _ := view.Row(plan.Object, slot)
			if plan.Count {
				out = append(out, "1")
				continue
			}
			var scratch []byte
			text, _ := plan.Columns[0].read(r, &scratch)
			out = append(out, string(text))
		}
	})
	return strings.Join(out, "|"), nil
}

func TestQueries(t *testing.T) {
	t.Parallel()
	v := setup(t)
	all := "Acme|beta|O'Hara 100%|Ärger"
	for query, want := range map[string]string{
		"SELECT Name FROM Account":                                                                             all,
		"select name from account limit 2":                                                                     "Acme|beta",
		"SELECT a.Name FROM Account AS a WHERE a.Name = 'ACME'":                                                "Acme",
		"SELECT Account.Name FROM Account WHERE Account.Name='beta'":                                           "beta",
		"SELECT COUNT() FROM Account":                                                                          "1|1|1|1",
		"SELECT Name FROM Account WHERE ERP__c = 'C1'":                                                         "Acme|beta",
		"SELECT Name FROM Account WHERE ERP__c != 'C1'":                                                        "O'Hara 100%|Ärger",
		"SELECT Name FROM Account WHERE ERP__c = null":                                                         "Ärger",
		"SELECT Name FROM Account WHERE ERP__c <> NULL LIMIT 1":                                                "Acme",
		"SELECT Name FROM Account WHERE Phone = ''":                                                            "beta",
		"SELECT Name FROM Account WHERE Name = 'O\\'Hara 100%'":                                                "O'Hara 100%",
		"SELECT Name FROM Account WHERE Name LIKE '%HA__ 1%'":                                                  "O'Hara 100%",
		"SELECT Name FROM Account WHERE Name LIKE '%100\\%'":                                                   "O'Hara 100%",
		"SELECT Name FROM Account WHERE ERP__c LIKE 'C\\_1'":                                                   "O'Hara 100%",
		"SELECT Name FROM Account WHERE NOT Name LIKE '%a%'":                                                   "Ärger",
		"SELECT Name FROM Account WHERE (NOT(Name LIKE '%a%'))":                                                "Ärger",
		"SELECT Name FROM Account WHERE Name LIKE 'ä%'":                                                        "Ärger",
		"SELECT Name FROM Account WHERE AnnualRevenue > 20 AND AnnualRevenue <= 101.00":                        "Acme",
		"SELECT Name FROM Account WHERE AnnualRevenue = 1000000000000000001":                                   "Ärger",
		"SELECT Name FROM Account WHERE AnnualRevenue = 1000000000000000002":                                   "",
		"SELECT Name FROM Account WHERE NumberOfEmployees IN (5, 8)":                                           "Acme|Ärger",
		"SELECT Name FROM Account WHERE NumberOfEmployees NOT IN (5, 8)":                                       "beta|O'Hara 100%",
		"SELECT Name FROM Account WHERE CreatedDate >= 2026-11-22T00:00:00.000Z":                               "beta",
		"SELECT Name FROM Account WHERE CreatedDate >= 2026-11-22T01:00:00+01:00":                              "beta",
		"SELECT Name FROM Account WHERE CreatedDate = TODAY":                                                   "beta",
		"SELECT Name FROM Account WHERE CreatedDate = YESTERDAY":                                               "Acme",
		"SELECT Name FROM Account WHERE CreatedDate = LAST_N_DAYS:1":                                           "Acme|beta",
		"SELECT Name FROM Account WHERE CreatedDate = THIS_YEAR AND CreatedDate < LAST_MONTH":                  "O'Hara 100%",
		"SELECT Name FROM Account WHERE CreatedDate < THIS_YEAR":                                               "Ärger",
		"SELECT Name FROM Account WHERE CreatedDate > LAST_90_DAYS":                                            "",
		"SELECT Name FROM Account WHERE Id = '" + org.MakeID("001", 2)[:15] + "'":                              "beta",
		"SELECT Name FROM Account WHERE Id IN ('" + org.MakeID("001", 2) + "','" + org.MakeID("001", 9) + "')": "beta",
		"SELECT Name FROM Account WHERE ParentId = '" + org.MakeID("001", 1) + "' AND Phone = '3'":             "O'Hara 100%",
		"SELECT Name FROM Account WHERE Parent.Name = 'acme' OR Parent.Parent.Name = 'acme'":                   "beta|O'Hara 100%|Ärger",
		"SELECT Parent.Parent.Name FROM Account WHERE Parent.ParentId != null":                                 "Acme",
		"SELECT Name FROM Account WHERE Tags__c INCLUDES ('blue;red', 'x')":                                    "Acme",
		"SELECT Name FROM Account WHERE Tags__c EXCLUDES ('blue')":                                             "beta|O'Hara 100%|Ärger",
		"SELECT Name FROM Account ORDER BY AnnualRevenue":                                                      "O'Hara 100%|beta|Acme|Ärger",
		"SELECT Name FROM Account ORDER BY AnnualRevenue DESC NULLS LAST, Name":                                "Ärger|Acme|beta|O'Hara 100%",
		"SELECT Name FROM Account ORDER BY Name DESC LIMIT 2 OFFSET 1":                                         "O'Hara 100%|beta",
		"SELECT LastName FROM Contact WHERE Birthdate = TODAY":                                                 "One",
		"SELECT LastName FROM Contact WHERE Birthdate < 2000-01-01":                                            "Three",
		"SELECT Account.Name FROM Contact WHERE LastName = 'Three'":                                            "",
		"SELECT FIELDS(ALL) FROM Account WHERE Name='Acme' LIMIT 200":                                          org.MakeID("001", 1),
		"SELECT Name FROM Account WHERE SystemModstamp > 2026-11-22T09:00:00Z":                                 "Acme",
	} {
		got, err := run(t, v, query, Scope{})
		if err != nil || got != want {
			t.Errorf("%s\n got %q, %v\nwant %q", query, got, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	v := setup(t)
	v.hidden = "Account.Phone Note"
	long := "SELECT " + strings.Repeat("Name__x, ", 30) + "Id FROM Account"
	for query, want := range map[string]string{
		"SELECT Bacon__c FROM Account LIMIT 2":  "INVALID_FIELD: \nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
		"SELECT Phone FROM Account":             "INVALID_FIELD: \nSELECT Phone FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Phone' on entity 'Account'.",
		"SELECT Id FROM Note":                   "INVALID_TYPE: \nSELECT Id FROM Note\n               ^\nERROR at Row:1:Column:16\nsObject type 'Note' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name.",
		"SELECT Id\nFROM Account\nWHERE X__c=1": "INVALID_FIELD: \nWHERE X__c=1\n      ^\nERROR at Row:3:Column:7\nNo such column 'X__c'",
		"SELECT Foo.Name FROM Account":          "INVALID_FIELD: \nSELECT Foo.Name FROM Account\n       ^\nERROR at Row:1:Column:8\nDidn't understand relationship 'Foo'",
		long:                                    "INVALID_FIELD: \nSELECT Name__x, Name__x, ",
		"SELECT Id FORM Account":                "MALFORMED_QUERY: unexpected token: 'FORM'",
		"SELECT Id FROM Account WHERE":          "MALFORMED_QUERY: unexpected token: '<EOF>'",
		"SELECT Id FROM Account WHERE Name='a' AND Name='b' OR Name='c'":          "MALFORMED_QUERY: unexpected token: 'OR'",
		"SELECT Id FROM Account WHERE Name = :x":                                  "MALFORMED_QUERY: Bind variables only allowed in Apex code",
		"SELECT Id, id FROM Account":                                              "MALFORMED_QUERY: duplicate field selected: id",
		"SELECT Id FROM Account WHERE CreatedDate > '2020'":                       "INVALID_FIELD: \nSELECT Id FROM Account WHERE CreatedDate > '2020'\n                             ^\nERROR at Row:1:Column:30\nvalue of filter criterion for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes",
		"SELECT Id FROM Account WHERE Name = 5":                                   "INVALID_FIELD: ",
		"SELECT Id FROM Account WHERE Description = 'x'":                          "field 'Description' can not be filtered in a query call",
		"SELECT Id FROM Account WHERE Id = 'nope'":                                "INVALID_QUERY_FILTER_OPERATOR: ",
		"SELECT Id FROM Account LIMIT 5 OFFSET 2001":                              "NUMBER_OUTSIDE_VALID_RANGE: Maximum SOQL offset allowed is 2000",
		"SELECT FIELDS(ALL) FROM Account":                                         "LIMIT of at most 200",
		"SELECT Id FROM ContentDocumentLink":                                      "MALFORMED_QUERY: Implementation restriction: ContentDocumentLink requires a filter by a single Id",
		"SELECT Id FROM Account WHERE " + strings.Repeat("(", 60):                 "QUERY_TOO_COMPLICATED",
		"SELECT Id FROM Account WHERE " + strings.Repeat("NOT ", 60) + "Id=''":    "QUERY_TOO_COMPLICATED",
		"SELECT Id FROM Account WHERE Name = '" + strings.Repeat("x", 4001) + "'": "4000",
		"SELECT Id FROM Account " + strings.Repeat(" ", 100_000):                  "100000",
		"SELECT Id, (SELECT Id FROM Contacts) FROM Account":                       "the simulator does not understand a subquery in SELECT",
		"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)":      "the simulator does not understand a subquery in WHERE",
		"SELECT Name, COUNT(Id) FROM Account GROUP BY Name":                       "the simulator does not understand the function COUNT()",
		"SELECT Name FROM Account GROUP BY Name":                                  "the simulator does not understand GROUP BY",
	} {
		_, err := run(t, v, query, Scope{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.120s\n got %v\nwant %s", query, err, want)
		}
	}
}

func TestNoErrorQuotesTheWholeOfALongQuery(t *testing.T) {
	t.Parallel()
	_, err := run(t, setup(t), "SELECT "+strings.Repeat("Id, ", 400)+"Nope FROM Account", Scope{})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.Code == "INVALID_FIELD" && len(e.Message) > 800 {
		t.Errorf("the message has %d bytes", len(e.Message))
	}
}

func TestLinksMayBeQueriedByParent(t *testing.T) {
	t.Parallel()
	v := setup(t)
	for _, where := range []string{"LinkedEntityId = '" + org.MakeID("001", 1) + "'", "ContentDocumentId IN ('" + org.MakeID("069", 1) + "')"} {
		if _, err := run(t, v, "SELECT Id FROM ContentDocumentLink WHERE "+where, Scope{}); err != nil {
			t.Error(err)
		}
	}
}

func TestDeletedRowsAreForQueryAll(t *testing.T) {
	t.Parallel()
	v := setup(t)
	if err := v.Delete("Account", org.MakeID("001", 4)); err != nil {
		t.Fatal(err)
	}
	for deleted, want := range map[bool]string{false: "Acme|beta|O'Hara 100%", true: "Acme|beta|O'Hara 100%|Ärger"} {
		if got, err := run(t, v, "SELECT Name FROM Account", Scope{Deleted: deleted}); err != nil || got != want {
			t.Errorf("deleted=%v: %q, %v", deleted, got, err)
		}
	}
	got, err := run(t, v, "SELECT Name FROM Account WHERE IsDeleted = true", Scope{Deleted: true})
	if err != nil || got != "Ärger" {
		t.Errorf("IsDeleted = true: %q, %v", got, err)
	}
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"SELECT Id, Owner.Name FROM Account WHERE (Name LIKE '%a\\_' OR NOT AnnualRevenue >= -1.5e3) AND CreatedDate = LAST_N_DAYS:3 ORDER BY Name DESC NULLS LAST LIMIT 5 OFFSET 2",
		"SELECT FIELDS(CUSTOM) FROM Account LIMIT 200", "SELECT COUNT() FROM Contact WHERE Birthdate > 2020-01-01", "SELECT Id FROM Account WHERE Name IN ('a','b\\'')",
	} {
		f.Add(q)
	}
	v := setup(f)
	f.Fuzz(func(t *testing.T, query string) {
		_, err := run(t, v, query, Scope{Deleted: true})
		var known *Error
		var unsupported *Unsupported
		if err != nil && !errors.As(err, &known) && !errors.As(err, &unsupported) {
			t.Errorf("an error of another kind: %v", err)
		}
	})
}
