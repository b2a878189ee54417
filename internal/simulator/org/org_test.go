package org

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

// bundle is an org with the commits that it told of.
type bundle struct {
	*Org
	commits []Commit
}

func setup(t *testing.T, config Config) *bundle {
	t.Helper()
	b := &bundle{}
	config.Committed = func(c Commit) int64 {
		b.commits = append(b.commits, c)
		return 0
	}
	var err error
	if b.Org, err = New(config); err != nil {
		t.Fatal(err)
	}
	return b
}

// create makes a record and fails the test when it cannot.
func (b *bundle) create(t *testing.T, object string, fields Fields) string {
	t.Helper()
	id, err := b.Create(object, fields)
	if err != nil {
		t.Fatalf("create %s: %v", object, err)
	}
	return id
}

// value reads one field now; "<gone>" when there is no record, "<bin>" when it is in the recycle bin.
func (b *bundle) value(t *testing.T, object, id, field string) string {
	t.Helper()
	ob, _ := b.Object(object)
	f, ok := ob.Field(field)
	if !ok {
		t.Fatalf("no field %s.%s", object, field)
	}
	out := "<gone>"
	b.View(func(v View) {
		if r, ok := v.Find(ob, id); ok {
			if out, _ = r.Text(f); r.Deleted() {
				out = "<bin>"
			}
		}
	})
	return out
}

// last describes the changes of the last commit: "UPDATE Account Name=x Phone=null".
func (b *bundle) last(t *testing.T, fields ...string) []string {
	t.Helper()
	if len(b.commits) == 0 {
		return nil
	}
	var out []string
	for _, c := range b.commits[len(b.commits)-1].Changes {
		text := c.Kind + " " + c.Entity
		for _, f := range fields {
			if v, ok := c.Fields[f]; ok {
				j, _ := json.Marshal(v)
				text += " " + f + "=" + string(j)
			}
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if string(g) != string(w) {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"001D000000IRFma": "001D000000IRFmaIAH", "001D000000IqhSL": "001D000000IqhSLIAZ", "001D000000IRFmaIAH": "001D000000IRFmaIAH",
		"000000000000000": EmptyID,
	} {
		if got, ok := NormalizeID(in); !ok || got != want {
			t.Errorf("NormalizeID(%s) = %s, %v; want %s", in, got, ok, want)
		}
	}
	for _, bad := range []string{"", "001", "001D000000IRFmaIAh", "001d000000IRFmaIAH", "001D000000IRF-a"} {
		if got, ok := NormalizeID(bad); ok {
			t.Errorf("NormalizeID(%q) = %q, want a refusal", bad, got)
		}
	}
	for _, n := range []uint64{1, 61, 62, 3_000_000, 1 << 40} {
		if back, ok := rowNumber(MakeID("001", n), "001"); !ok || back != n {
			t.Errorf("row number of id %d came back as %d, %v", n, back, ok)
		}
	}
}

func TestSaveSetsWholeSecondsAndCommitShows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		time.Sleep(1500 * time.Millisecond)
		tx := b.Begin(Actor{})
		id, err := tx.Create("Account", Fields{"Name": "Acme", "AnnualRevenue": json.Number("1e3"), "Phone": ""})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "before the commit", b.value(t, "Account", id, "Name"), "<gone>")
		time.Sleep(40 * time.Second)
		commit := tx.Commit()
		equal(t, "after the commit", b.value(t, "Account", id, "Name"), "Acme")
		equal(t, "saved", b.value(t, "Account", id, "SystemModstamp"), "2000-01-01T00:00:01.000Z")
		equal(t, "committed", commit.At.UTC().Format(DatetimeLayout), "2000-01-01T00:00:41.500Z")
		equal(t, "event", b.last(t, "Name", "AnnualRevenue", "Phone", "CreatedDate"), []string{`CREATE Account Name="Acme" AnnualRevenue=1000.0 CreatedDate="2000-01-01T00:00:01.000Z"`})
	})
}

func TestUpdateTellsWhatChanged(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	id := b.create(t, "Account", Fields{"Name": "Acme", "Phone": "1", "Description": "old"})
	if err := b.Update("Account", id, Fields{"phone": nil, "Name": "Acme", "Description": "new"}); err != nil {
		t.Fatal(err)
	}
	equal(t, "event", b.last(t, "Name", "Phone", "Description"), []string{`UPDATE Account Phone=null Description="new"`})
	c := b.commits[len(b.commits)-1].Changes[0]
	if _, ok := c.Fields["LastModifiedDate"]; !ok || c.Old["Description"] != "old" {
		t.Errorf("LastModifiedDate and the old text must be told: %+v", c)
	}
	for name, f := range map[string]Fields{
		"INVALID_FIELD": {"Nope": 1}, "INVALID_FIELD_FOR_INSERT_UPDATE": {"CreatedDate": "2020-01-01T00:00:00Z"}, "REQUIRED_FIELD_MISSING": {"Name": nil},
		"STRING_TOO_LONG": {"Name": strings.Repeat("é", 256)}, "JSON_PARSER_ERROR": {"NumberOfEmployees": "many"}, "MALFORMED_ID": {"ParentId": "x"},
		"INVALID_CROSS_REFERENCE_KEY": {"ParentId": "003000000000001AAA"},
	} {
		err := b.Update("Account", id, f)
		if e, ok := err.(*Error); !ok || e.Code != name {
			t.Errorf("%v: got %v, want %s", f, err, name)
		}
	}
}

func TestOneEventPerRecordOfATransaction(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	tx := b.Begin(Actor{Origin: "test"})
	id, _ := tx.Create("Account", Fields{"Name": "A"})
	gone, _ := tx.Create("Account", Fields{"Name": "B"})
	_ = tx.Update("Account", id, Fields{"Name": "A2"})
	_ = tx.Delete("Account", gone)
	tx.Commit()
	equal(t, "events", b.last(t, "Name"), []string{`CREATE Account Name="A2"`})
	equal(t, "origin", b.commits[0].Origin, "test")
}

func TestLocks(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	id := b.create(t, "Account", Fields{"Name": "A"})
	tx := b.Begin(Actor{})
	_ = tx.Update("Account", id, Fields{"Name": "B"})
	err := b.Update("Account", id, Fields{"Name": "C"})
	if e, ok := err.(*Error); !ok || e.Code != "UNABLE_TO_LOCK_ROW" {
		t.Errorf("a second change of a locked record: %v", err)
	}
	tx.Rollback()
	if err := b.Update("Account", id, Fields{"Name": "C"}); err != nil {
		t.Error(err)
	}
	equal(t, "name", b.value(t, "Account", id, "Name"), "C")
}

func TestCascadeUndeletePurge(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	a := b.create(t, "Account", Fields{"Name": "A"})
	c1 := b.create(t, "Contact", Fields{"LastName": "One", "AccountId": a})
	c2 := b.create(t, "Contact", Fields{"LastName": "Two", "AccountId": a})
	n := b.create(t, "Note", Fields{"Title": "N", "ParentId": c1})
	if err := b.Delete("Contact", c2); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete("Account", a[:15]); err != nil {
		t.Fatal(err)
	}
	equal(t, "cascade", b.last(t), []string{"DELETE Account", "DELETE Contact"})
	for object, id := range map[string]string{"Account": a, "Contact": c1, "Note": n} {
		equal(t, object, b.value(t, object, id, "OwnerId"), "<bin>")
	}
	if err := b.Undelete("Account", a); err != nil {
		t.Fatal(err)
	}
	equal(t, "undelete", b.last(t, "LastName", "AccountId"), []string{"UNDELETE Account", `UNDELETE Contact LastName="One" AccountId="` + a + `"`})
	equal(t, "deleted before", b.value(t, "Contact", c2, "LastName"), "<bin>")
	equal(t, "note", b.value(t, "Note", n, "Title"), "N")
	seen := len(b.commits)
	if err := b.Purge("Contact", c2); err != nil {
		t.Fatal(err)
	}
	equal(t, "purged", b.value(t, "Contact", c2, "LastName"), "<gone>")
	equal(t, "a purge from the bin tells nothing", len(b.commits), seen)
	ob, _ := b.Object("Contact")
	b.View(func(v View) {
		gone := v.Gone(ob, "2000", "3000")
		if len(gone) != 1 || gone[0].ID != c2 {
			t.Errorf("gone = %+v", gone)
		}
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	a1, a2 := b.create(t, "Account", Fields{"Name": "A1"}), b.create(t, "Account", Fields{"Name": "A2"})
	c := b.create(t, "Contact", Fields{"LastName": "C", "AccountId": a2})
	if err := b.Merge("Account", a1, []string{a2}, Fields{"Phone": "7"}); err != nil {
		t.Fatal(err)
	}
	equal(t, "events", b.last(t, "Phone", "AccountId"), []string{"DELETE Account", `UPDATE Account Phone="7"`, `UPDATE Contact AccountId="` + a1 + `"`})
	equal(t, "contact", b.value(t, "Contact", c, "AccountId"), a1)
	ob, _ := b.Object("Account")
	master, _ := ob.Field("MasterRecordId")
	b.View(func(v View) {
		r, _ := v.Find(ob, a2)
		if text, _ := r.Text(master); text != a1 {
			t.Errorf("MasterRecordId = %q", text)
		}
	})
}

func TestViewsOfThePast(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Seed: 1, Accounts: 10})
	ob, _ := b.Object("Account")
	name := ob.NameField()
	id := MakeID("001", 3)
	was := b.value(t, "Account", id, "Name")
	seq, release := b.Pin()
	for _, n := range []string{"x", "y"} {
		if err := b.Update("Account", id, Fields{"Name": n}); err != nil {
			t.Fatal(err)
		}
	}
	added := b.create(t, "Account", Fields{"Name": "new"})
	b.ViewAt(seq, func(v View) {
		r, _ := v.Find(ob, id)
		if text, _ := r.Text(name); text != was {
			t.Errorf("the past changed from %q to %q", was, text)
		}
		if _, ok := v.Find(ob, added); ok {
			t.Error("a record is there before its time")
		}
	})
	equal(t, "now", b.value(t, "Account", id, "Name"), "y")
	release()
	_ = b.Update("Account", id, Fields{"Name": "z"})
	if v := ob.table.newest(2); v.older != nil {
		t.Error("versions that nobody can read are kept")
	}
}

func TestSeedIsDeterministic(t *testing.T) {
	t.Parallel()
	dump := func(seed uint64) string {
		b := setup(t, Config{Seed: seed, Accounts: 40, Contacts: 100, Notes: 20, Tasks: 20})
		for _, f := range []FieldSpec{{Name: "Limit__c", Type: "currency", MadeUp: true}, {Name: "Remark__c", MadeUp: true}} {
			if err := b.AddField("Contact", f); err != nil {
				t.Fatal(err)
			}
		}
		var out strings.Builder
		b.View(func(v View) {
			for _, ob := range b.Objects() {
				if v.Base(ob) == 0 {
					continue
				}
				for r := range v.Rows(ob, 0) {
					for _, f := range ob.Fields() {
						text, ok := r.Text(f)
						if canonical, err := f.canonicalText(text); ok && (err != nil || canonical != text) && f.Kind != Compound {
							t.Fatalf("%s.%s of row %d is %q, not canonical: %v", ob.Name, f.Name, r.Slot(), text, err)
						}
						out.WriteString(text + "|")
					}
				}
			}
		})
		return out.String()
	}
	first, again, other := dump(7), dump(7), dump(8)
	if !strings.Contains(first, "|custom ") {
		t.Error("a custom field that asks for made-up values has none")
	}
	if first != again {
		t.Error("the same seed gives different orgs")
	}
	if first == other {
		t.Error("different seeds give the same org")
	}
}

func TestSeedChildrenAreFound(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Seed: 3, Accounts: 7, Contacts: 23})
	account, _ := b.Object("Account")
	contact, _ := b.Object("Contact")
	ref, _ := contact.Field("AccountId")
	b.View(func(v View) {
		want := make(map[string][]uint32)
		for r := range v.Rows(contact, 0) {
			if id, ok := r.Text(ref); ok {
				want[id] = append(want[id], r.Slot())
			}
		}
		for a := range v.Rows(account, 0) {
			slots, _ := v.Children(ref, contact, a.ID())
			slots = slices.DeleteFunc(slots, func(slot uint32) bool {
				r, _ := v.Row(contact, slot)
				id, _ := r.Text(ref)
				return id != a.ID()
			})
			if !slices.Equal(slots, want[a.ID()]) {
				t.Errorf("contacts of %s: got %v, want %v", a.ID(), slots, want[a.ID()])
			}
		}
	})
}

func TestLoad(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"schema.json":  {Data: []byte(`{"objects":{"Account":{"fields":[{"name":"ERP__c","length":20,"externalId":true},{"name":"Tag__c","formula":"\"#\" & ERP__c & Owner.Name"}]}}}`)},
		"Account.csv":  {Data: []byte("\ufeffId,Name,ERP__c,ParentId,CreatedDate\nacme,\"Acme, \"\"Inc\"\"\nline 2\",C1,beta,2020-01-02T03:04:05Z\nbeta,Beta,C2,,\n001D000000IRFma,Real,,,\n")},
		"Contact.csv":  {Data: []byte("LastName,AccountId,Account.ERP__c,Nick__c\nOne,acme,,x\nTwo,,C2,\nThree,001D000000IRFma,,\n")},
		"Thing__c.csv": {Data: []byte("Name,Size__c\nT,3\n")}, "ContentNote.csv": {Data: []byte("Id,Title,Content\nn,Hi,<p>a &amp; b</p>\n")},
		"ContentDocumentLink.csv": {Data: []byte("ContentDocumentId,LinkedEntityId\nn,acme\n")},
	}
	b := setup(t, Config{Files: files})
	if len(b.commits) != 0 {
		t.Error("loading told of commits")
	}
	acme, beta := MakeID("001", 1), MakeID("001", 2)
	equal(t, "name", b.value(t, "Account", acme, "Name"), "Acme, \"Inc\"\nline 2")
	equal(t, "parent", b.value(t, "Account", acme, "ParentId"), beta)
	equal(t, "created", b.value(t, "Account", acme, "SystemModstamp"), "2020-01-02T03:04:05.000Z")
	equal(t, "formula", b.value(t, "Account", acme, "Tag__c"), "#C1Integration User")
	equal(t, "symbol", b.value(t, "Contact", MakeID("003", 1), "AccountId"), acme)
	equal(t, "by the parent's field", b.value(t, "Contact", MakeID("003", 2), "AccountId"), beta)
	equal(t, "real id", b.value(t, "Contact", MakeID("003", 3), "AccountId"), "001D000000IRFmaIAH")
	equal(t, "custom field", b.value(t, "Contact", MakeID("003", 1), "Nick__c"), "x")
	equal(t, "custom object", b.value(t, "Thing__c", MakeID("a00", 1), "Size__c"), "3")
	note := MakeID("069", 1)
	equal(t, "preview", b.value(t, "ContentNote", note, "TextPreview"), "a & b")
	equal(t, "document", b.value(t, "ContentDocument", note, "FileType"), "SNOTE")
	version := b.value(t, "ContentNote", note, "LatestPublishedVersionId")
	equal(t, "version", b.value(t, "ContentVersion", version, "VersionData"), "<p>a &amp; b</p>")
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for want, files := range map[string]fstest.MapFS{
		"Account.csv, line 1, column \"Nome\"":      {"Account.csv": {Data: []byte("Nome\nx\n")}},
		"Contact.csv, line 3, column AccountId":     {"Contact.csv": {Data: []byte("LastName,AccountId\na,\nb,zzz\n")}},
		"Account.csv, line 3: the Id \"a\"":         {"Account.csv": {Data: []byte("Id,Name\na,x\na,y\n")}},
		"Account.csv, line 2: JSON_PARSER_ERROR":    {"Account.csv": {Data: []byte("Name,AnnualRevenue\nx,y\n")}},
		"Account.csv, line 3: REQUIRED_FIELD":       {"Account.csv": {Data: []byte("Name,Phone\nx,\n,1\n")}},
		"read Foo.csv: name the file after":         {"Foo.csv": {Data: []byte("Name\n")}},
		"schema.json: json: unknown field \"what\"": {"schema.json": {Data: []byte(`{"what":1}`)}},
	} {
		if _, err := New(Config{Files: files}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	a := b.create(t, "Account", Fields{"Name": "A"})
	n := b.create(t, "ContentNote", Fields{"Title": "T", "Content": "<b>one</b>"})
	link := b.create(t, "ContentDocumentLink", Fields{"ContentDocumentId": n, "LinkedEntityId": a})
	first := b.value(t, "ContentNote", n, "LatestPublishedVersionId")
	if err := b.Update("ContentNote", n, Fields{"Content": "two", "Title": "T2"}); err != nil {
		t.Fatal(err)
	}
	second := b.value(t, "ContentNote", n, "LatestPublishedVersionId")
	equal(t, "old version", b.value(t, "ContentVersion", first, "IsLatest"), "false")
	equal(t, "new version", b.value(t, "ContentVersion", second, "VersionData"), "two")
	equal(t, "document title", b.value(t, "ContentDocument", n, "Title"), "T2")
	if err := b.Delete("ContentNote", n); err != nil {
		t.Fatal(err)
	}
	for object, id := range map[string]string{"ContentNote": n, "ContentDocument": n, "ContentVersion": second, "ContentDocumentLink": link} {
		equal(t, object, b.value(t, object, id, "IsDeleted"), "<bin>")
	}
}

func TestTaskDerivesItsAccount(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	a := b.create(t, "Account", Fields{"Name": "A"})
	c := b.create(t, "Contact", Fields{"LastName": "C", "AccountId": a})
	task := b.create(t, "Task", Fields{"Subject": "Call", "WhoId": c, "Status": "Completed"})
	equal(t, "account", b.value(t, "Task", task, "AccountId"), a)
	equal(t, "closed", b.value(t, "Task", task, "IsClosed"), "true")
	equal(t, "priority", b.value(t, "Task", task, "Priority"), "Normal")
}

func TestDirectChangesAreGaps(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	id := b.create(t, "Account", Fields{"Name": "A"})
	tx := b.Begin(Actor{Direct: true})
	_ = tx.Update("Account", id, Fields{"Name": "B"})
	tx.Commit()
	equal(t, "event", b.last(t, "Name"), []string{"GAP_UPDATE Account"})
}
