package simulator

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"crosswalk/internal/simulator/org"
)

func TestVersions(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	a := b.send("GET", "/services/data", "", anonymous).must(t, http.StatusOK).has(t,
		`{"label":"Spring '26","url":"/services/data/v66.0","version":"66.0"},{"label":"Summer '26","url":"/services/data/v67.0","version":"67.0"},{"label":"Winter '27"`,
		`[{"label":"Summer '14","url":"/services/data/v31.0"`)
	if a.header.Get("Sforce-Limit-Info") != "" {
		t.Error("/services/data must not carry Sforce-Limit-Info")
	}
	b.send("GET", "/services/data/v30.0/sobjects", "").must(t, http.StatusGone)
	for _, v := range []string{"v69.0", "v66", "66.0", "v66.1"} {
		b.send("GET", "/services/data/"+v+"/sobjects", "").must(t, http.StatusNotFound)
	}
}

func TestQueryPages(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Seed: 1, Accounts: 450}})
	a := b.send("GET", query("SELECT Id FROM Account"), "", func(r *http.Request) { r.Header.Set("Sforce-Query-Options", "batchSize=200") }).must(t, http.StatusOK)
	if err := b.Org().Delete("Account", org.MakeID("001", 449)); err != nil { // the result is as of the query
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for pages := 1; ; pages++ {
		body := a.read(t)
		records := body["records"].([]any)
		for _, r := range records {
			seen[r.(map[string]any)["Id"].(string)] = true
		}
		if body["totalSize"] != 450.0 {
			t.Fatalf("totalSize %v", body["totalSize"])
		}
		next, more := body["nextRecordsUrl"].(string)
		if done, _ := body["done"].(bool); done {
			if more || pages != 3 || len(seen) != 450 || len(records) != 50 {
				t.Errorf("%d pages, %d records, %d in the last, nextRecordsUrl %q", pages, len(seen), len(records), next)
			}
			break
		}
		if !strings.HasPrefix(next, rest+"/query/01g") || !strings.HasSuffix(next, fmt.Sprintf("-%d", 200*pages)) {
			t.Fatalf("nextRecordsUrl %q", next)
		}
		a = b.send("GET", next, "").must(t, http.StatusOK)
	}
	b.ExpireCursors()
	b.send("GET", rest+"/query/01gQk0000000001IAA-200", "").must(t, http.StatusBadRequest).has(t, `"INVALID_QUERY_LOCATOR"`, `"invalid query locator"`)
}

func TestQueryShape(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	id := b.account(org.Fields{"Name": "Tab\t \"q\" é 東", "AnnualRevenue": 12, "NumberOfEmployees": 3, "BillingCity": "Graz", "BillingLatitude": json.Number("47.07")})
	a := b.send("GET", query("SELECT Id, Name, AnnualRevenue, NumberOfEmployees, IsDeleted, BillingAddress, ShippingAddress, Owner.Name, Parent.Name, Parent.Owner.Name, CreatedDate FROM Account"), "").must(t, http.StatusOK)
	a.has(t, `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Account","url":"/services/data/v66.0/sobjects/Account/`+id+`"},"Id":"`+id+`"`,
		`"Name":"Tab\t \"q\" é 東"`, `"AnnualRevenue":12.0`, `"NumberOfEmployees":3`, `"IsDeleted":false`, `"ShippingAddress":null`, `"Parent":null`,
		`"BillingAddress":{"street":null,"city":"Graz","state":null,"postalCode":null,"country":null,"latitude":47.07,"longitude":null,"geocodeAccuracy":null}`,
		`"Owner":{"attributes":{"type":"User","url":"/services/data/v66.0/sobjects/User/`+b.Org().User()+`"},"Name":"Integration User"}`, `.000+0000"`)
	a.lacks(t, "nextRecordsUrl")
	b.send("GET", query("SELECT COUNT() FROM Account"), "").must(t, http.StatusOK).has(t, `"totalSize":1`, `"records":[]`)
	b.send("GET", query("SELECT Bacon__c FROM Account LIMIT 2"), "").must(t, http.StatusBadRequest).has(t,
		`[{"message":"\nSELECT Bacon__c FROM Account LIMIT 2\n       ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on entity 'Account'.`, `"errorCode":"INVALID_FIELD"}]`)
	b.send("GET", query("SELECT Id, (SELECT Id FROM Contacts) FROM Account"), "").must(t, http.StatusNotImplemented).has(t, "a subquery in SELECT")
	if b.Unknown() != 1 {
		t.Errorf("%d unknown requests were counted", b.Unknown())
	}
}

func TestQueryAllShowsTheRecycleBin(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	id := b.account(org.Fields{"Name": "A"})
	if err := b.Org().Delete("Account", id); err != nil {
		t.Fatal(err)
	}
	b.send("GET", query("SELECT Id FROM Account"), "").must(t, http.StatusOK).has(t, `"totalSize":0`)
	all := strings.Replace(query("SELECT Id FROM Account WHERE IsDeleted = true"), "/query", "/queryAll", 1)
	b.send("GET", all, "").must(t, http.StatusOK).has(t, id)
	b.send("GET", rest+"/sobjects/Account/"+id, "").must(t, http.StatusNotFound).has(t, `"ENTITY_IS_DELETED"`)
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"schema.json": {Data: []byte(`{"objects":{"Account":{"fields":[
		{"name":"Score__c","type":"double","precision":6,"scale":2},{"name":"Full__c","formula":"Name & Site"},{"name":"Kind__c","type":"picklist","values":["a","b"]},
		{"name":"Where__c","type":"location"},{"name":"Boss__c","type":"reference","referenceTo":["Contact"]}]}}}`)}}
	b := setup(t, Config{Org: org.Config{Files: files}})
	var described struct {
		Name, KeyPrefix string
		Replicateable   bool
		Fields          []map[string]any
		Children        []map[string]any `json:"childRelationships"`
	}
	a := b.send("GET", rest+"/sobjects/account/describe", "").must(t, http.StatusOK)
	if err := json.Unmarshal([]byte(a.body), &described); err != nil || described.Name != "Account" || described.KeyPrefix != "001" || !described.Replicateable {
		t.Fatalf("%v, %.300s", err, a.body)
	}
	want := map[string]map[string]any{
		"Id":             {"type": "id", "soapType": "tns:ID", "length": 18.0, "nillable": false, "idLookup": true},
		"Name":           {"type": "string", "length": 255.0, "nameField": true, "nillable": false, "compoundFieldName": nil},
		"BillingAddress": {"type": "address", "soapType": "urn:address", "filterable": false},
		"BillingStreet":  {"type": "textarea", "compoundFieldName": "BillingAddress"},
		"OwnerId":        {"type": "reference", "referenceTo": []any{"User"}, "relationshipName": "Owner"},
		"Score__c":       {"type": "double", "precision": 6.0, "scale": 2.0, "custom": true, "soapType": "xsd:double"},
		"Full__c":        {"type": "string", "calculated": true, "calculatedFormula": "Name & Site", "createable": false},
		"Where__c":       {"type": "location", "soapType": "urn:location"}, "Where__Latitude__s": {"type": "double", "compoundFieldName": "Where__c"},
		"Boss__c": {"relationshipName": "Boss__r", "referenceTo": []any{"Contact"}}, "SystemModstamp": {"type": "datetime", "updateable": false},
	}
	keys := strings.Fields("aggregatable autoNumber byteLength calculated calculatedFormula cascadeDelete caseSensitive compoundFieldName controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate dependentPicklist deprecatedAndHidden digits encrypted externalId extraTypeInfo filterable groupable highScaleNumber htmlFormatted idLookup inlineHelpText label length mask maskType name nameField namePointing nillable permissionable picklistValues polymorphicForeignKey precision queryByDistance referenceTo relationshipName restrictedDelete restrictedPicklist scale searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead")
	for _, f := range described.Fields {
		for _, k := range keys {
			if _, ok := f[k]; !ok {
				t.Errorf("%v has no %s", f["name"], k)
			}
		}
		for k, v := range want[f["name"].(string)] {
			if fmt.Sprint(f[k]) != fmt.Sprint(v) {
				t.Errorf("%v.%s = %v, want %v", f["name"], k, f[k], v)
			}
		}
		delete(want, f["name"].(string))
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	a.has(t, `"childSObject":"Contact","deprecatedAndHidden":false,"field":"AccountId"`, `{"active":true,"defaultValue":false,"label":"a","validFor":null,"value":"a"}`)
	b.send("GET", rest+"/sobjects", "").must(t, http.StatusOK).has(t, `"encoding":"UTF-8"`, `"name":"ContentNote"`)
	b.send("GET", rest+"/sobjects/Nope/describe", "").must(t, http.StatusNotFound).has(t, `"NOT_FOUND"`, "The requested resource does not exist")
	later := func(r *http.Request) {
		r.Header.Set("If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	}
	b.send("GET", rest+"/sobjects/Account/describe", "", later).must(t, http.StatusNotModified)
}

func TestRecords(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	a := b.send("POST", rest+"/sobjects/Contact", `{"LastName":"Jones","FirstName":"Ann"}`).must(t, http.StatusCreated).has(t, `"success":true`)
	id := a.text(t, "id")
	path := rest + "/sobjects/Contact/" + id
	b.send("PATCH", path, `{"FirstName":null,"Email":"a@b.c"}`).must(t, http.StatusNoContent)
	b.send("GET", path+"?fields=Name,Email", "").must(t, http.StatusOK).has(t, `"Name":"Jones","Email":"a@b.c"}`)
	b.send("GET", path[:len(path)-3], "").must(t, http.StatusOK).has(t, `"MailingAddress":null`, `"FirstName":null`)
	b.send("GET", path+"?fields=foo", "").must(t, http.StatusBadRequest).has(t, `No such column 'foo' on sobject of type Contact`)
	b.send("GET", rest+"/sobjects/Contact/nope", "").must(t, http.StatusBadRequest).has(t, `"MALFORMED_ID"`, `"fields":["Id"]`)
	b.send("GET", rest+"/sobjects/Contact/003000000000001AAA", "").must(t, http.StatusNotFound).has(t, `"NOT_FOUND"`)
	b.send("POST", rest+"/sobjects/Contact", `{"FirstName":"x"}`).must(t, http.StatusBadRequest).has(t, `"REQUIRED_FIELD_MISSING"`, `["LastName"]`)
	b.send("POST", rest+"/sobjects/Contact", `{`).must(t, http.StatusBadRequest).has(t, `"JSON_PARSER_ERROR"`)
	b.send("DELETE", path, "").must(t, http.StatusNoContent)
	b.send("DELETE", path, "").must(t, http.StatusNotFound)
	b.send("PUT", path, `{}`).must(t, http.StatusMethodNotAllowed).has(t, `"METHOD_NOT_ALLOWED"`, "GET,PATCH,DELETE")
}

func TestConditionalRecords(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	path := rest + "/sobjects/Account/" + b.account(org.Fields{"Name": "A"})
	a := b.send("GET", path, "").must(t, http.StatusOK)
	tag := map[string][]string(a.header)["ETag"][0]
	same := func(r *http.Request) { r.Header.Set("If-None-Match", tag) }
	b.send("GET", path, "", same).must(t, http.StatusNotModified)
	b.send("GET", path, "", func(r *http.Request) { r.Header.Set("If-Modified-Since", a.header.Get("Last-Modified")) }).must(t, http.StatusNotModified)
	b.send("PATCH", path, `{"Phone":"1"}`).must(t, http.StatusNoContent)
	b.send("GET", path, "", same).must(t, http.StatusOK)
	b.send("GET", path, "", func(r *http.Request) { r.Header.Set("Accept", "application/xml") }).must(t, http.StatusNotImplemented)
}

func TestExternalIDs(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Org: org.Config{Seed: 1, Accounts: 3}})
	for i, number := range []string{"it's \\", "twice", "twice"} {
		if err := b.Org().Update("Account", org.MakeID("001", uint64(i+1)), org.Fields{org.SeedField: number}); err != nil {
			t.Fatal(err)
		}
	}
	path := rest + "/sobjects/Account/" + org.SeedField + "/"
	b.send("GET", path+url.PathEscape("it's \\"), "").must(t, http.StatusOK).has(t, org.MakeID("001", 1))
	b.send("GET", path+"twice", "").must(t, http.StatusMultipleChoices).has(t, rest+"/sobjects/Account/"+org.MakeID("001", 3))
	b.send("GET", path+"none", "").must(t, http.StatusNotFound)
	b.send("GET", rest+"/sobjects/Account/Nope__c/x", "").must(t, http.StatusNotFound).has(t, "Provided external ID field does not exist or is not accessible: Nope__c")
}

func TestArchivedActivities(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	cursor := b.start()
	a := b.control("POST", "/transaction", `{"operations":[{"op":"create","object":"Task","fields":{"Subject":"Call"}}]}`).must(t, http.StatusOK)
	id := a.read(t)["ids"].([]any)[0].(string)
	b.control("POST", "/transaction", `{"operations":[{"op":"archive","object":"Task","id":"`+id+`"}]}`).must(t, http.StatusOK)
	events, _ := b.newEvents(cursor)
	if len(events) != 2 || events[1] != "GAP_UPDATE Task "+id {
		t.Errorf("events %v", events)
	}
	q := query("SELECT Id, IsArchived FROM Task")
	b.send("GET", q, "").must(t, http.StatusOK).has(t, `"totalSize":0`)
	b.send("GET", strings.Replace(q, "/query", "/queryAll", 1), "").must(t, http.StatusOK).has(t, `"IsArchived":true`)
	b.control("POST", "/transaction", `{"operations":[{"op":"archive","object":"Account","id":"`+id+`"}]}`).must(t, http.StatusBadRequest)
}

func TestCollections(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	one, two, gone := b.account(org.Fields{"Name": "1"}), b.account(org.Fields{"Name": "2"}), b.account(org.Fields{"Name": "3"})
	if err := b.Org().Delete("Account", gone); err != nil {
		t.Fatal(err)
	}
	path := rest + "/composite/sobjects/Account"
	body := fmt.Sprintf(`{"ids":["%s","%s","%s","nope","%s"],"fields":["Name"]}`, two, gone, one[:15], "001000000000001AAA")
	before := b.usage.used(b.now())
	a := b.send("POST", path, body).must(t, http.StatusOK)
	var records []map[string]any
	if err := json.Unmarshal([]byte(a.body), &records); err != nil || len(records) != 5 {
		t.Fatalf("%v %s", err, a.body)
	}
	if records[0]["Name"] != "2" || records[1] != nil || records[2]["Id"] != one || records[3] != nil || records[4] != nil {
		t.Errorf("order or nulls are wrong: %s", a.body)
	}
	if b.usage.used(b.now()) != before+1 {
		t.Error("a collection is one API call")
	}
	b.send("GET", path+"?ids="+one+","+two+"&fields=Id,Name", "").must(t, http.StatusOK).has(t, `"Name":"1"`)
	b.send("POST", path, strings.Replace(body, `["Name"]`, `["Nope"]`, 1)).must(t, http.StatusBadRequest).has(t, "No such column 'Nope' on sobject of type Account")
	many := strings.Repeat(`"x",`, 2000) + `"x"`
	b.send("POST", path, `{"ids":[`+many+`],"fields":["Id"]}`).must(t, http.StatusBadRequest).has(t, "EXCEEDED_ID_LIMIT")
}

func TestUpdatedAndDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{Org: org.Config{Seed: 1, Accounts: 5}, Settings: Settings{UpdatedLag: Duration(2 * time.Minute)}})
		start := time.Now()
		time.Sleep(5*time.Minute + 10*time.Second)
		changed, deleted, hard := b.account(org.Fields{"Name": "x"}), org.MakeID("001", 2), org.MakeID("001", 3)
		_ = b.Org().Delete("Account", deleted)
		_ = b.Org().Purge("Account", hard)
		time.Sleep(10 * time.Minute)
		ask := func(kind string, start, end time.Time) answer {
			return b.send("GET", rest+"/sobjects/Account/"+kind+"/?start="+url.QueryEscape(start.Format(time.RFC3339))+"&end="+url.QueryEscape(end.Format(time.RFC3339)), "")
		}
		a := ask("updated", start.Add(time.Minute), time.Now().UTC()).must(t, http.StatusOK).has(t, changed, `"latestDateCovered":"2000-01-01T00:13:00.000+0000"`)
		if ids := a.read(t)["ids"].([]any); len(ids) != 1 {
			t.Errorf("updated: %v", ids)
		}
		ask("deleted", start.Add(time.Minute), time.Now()).must(t, http.StatusOK).has(t, `{"id":"`+deleted+`","deletedDate":"2000-01-01T00:05:10.000+0000"}`, hard, `"earliestDateAvailable"`)
		ask("updated", start, start.Add(time.Minute)).must(t, http.StatusBadRequest).has(t, "INVALID_REPLICATION_DATE")
		ask("deleted", start.Add(-16*24*time.Hour), time.Now()).must(t, http.StatusBadRequest).has(t, "INVALID_REPLICATION_DATE")
		ask("updated", start.Add(-29*24*time.Hour), time.Now()).must(t, http.StatusOK)
		ask("updated", start.Add(-31*24*time.Hour), time.Now()).must(t, http.StatusBadRequest)
		b.send("GET", rest+"/sobjects/ContentNote/updated?start=x&end=y", "").must(t, http.StatusBadRequest).has(t, "INVALID_TYPE_FOR_OPERATION")
	})
}

func TestNoteBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	html := "<p>é &amp; more</p>"
	a := b.send("POST", rest+"/sobjects/ContentNote", `{"Title":"T","Content":"`+base64.StdEncoding.EncodeToString([]byte(html))+`"}`).must(t, http.StatusCreated)
	id := a.text(t, "id")
	note := b.send("GET", query("SELECT Id, TextPreview, Content, LatestPublishedVersionId FROM ContentNote"), "").must(t, http.StatusOK)
	note.has(t, `"TextPreview":"é & more"`, `"Content":"/services/data/v66.0/sobjects/ContentNote/`+id+`/Content"`)
	if got := b.send("GET", rest+"/sobjects/ContentNote/"+id+"/Content", "").must(t, http.StatusOK); got.body != html {
		t.Errorf("body %q", got.body)
	}
	version := note.read(t)["records"].([]any)[0].(map[string]any)["LatestPublishedVersionId"].(string)
	if got := b.send("GET", rest+"/sobjects/ContentVersion/"+version+"/VersionData", "").must(t, http.StatusOK); got.body != html {
		t.Errorf("version %q", got.body)
	}
	b.send("GET", query("SELECT Id FROM ContentDocumentLink"), "").must(t, http.StatusBadRequest).has(t, "Implementation restriction: ContentDocumentLink requires a filter")
	b.send("GET", query("SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '"+b.Org().User()+"'"), "").must(t, http.StatusOK).has(t, `"totalSize":1`)
	b.Configure(func(s *Settings) { s.NoNotes = true })
	b.send("GET", query("SELECT Id FROM ContentNote"), "").must(t, http.StatusBadRequest).has(t, "INVALID_TYPE")
}

func TestLimitsAndBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{Settings: Settings{DailyRequests: 3}})
		a := b.send("GET", rest+"/limits", "").must(t, http.StatusOK).has(t, `"DailyApiRequests":{"Max":3,"Remaining":2}`, `"DailyBulkV2QueryJobs":{"Max":10000,"Remaining":10000}`)
		if a.header.Get("Sforce-Limit-Info") != "api-usage=1/3" {
			t.Errorf("Sforce-Limit-Info %q", a.header.Get("Sforce-Limit-Info"))
		}
		b.send("GET", rest, "").must(t, http.StatusOK)
		b.send("GET", rest+"/sobjects/Nope", "").must(t, http.StatusNotFound)
		b.send("GET", rest, "").must(t, http.StatusForbidden).has(t, `"REQUEST_LIMIT_EXCEEDED"`, `"TotalRequests Limit exceeded."`)
		time.Sleep(24*time.Hour + time.Minute)
		b.login()
		b.send("GET", rest, "").must(t, http.StatusOK)
	})
}

func TestOtherAppsAndAppLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Settings: Settings{DailyRequests: 10, OtherRequests: 8, AppRequests: 15, AppUsed: 10, Bulk: Bulk{Exhausted: true}}})
	name := b.app.Load().Name
	a := b.send("GET", rest+"/limits", "").must(t, http.StatusOK).has(t,
		`"DailyApiRequests":{"Max":10,"Remaining":1}`, `"DailyBulkV2QueryFileStorageMB":{"Max":976562,"Remaining":0}`)
	if got, want := a.header.Get("Sforce-Limit-Info"), "api-usage=9/10; per-app-api-usage=11/15(appName="+name+")"; got != want {
		t.Errorf("Sforce-Limit-Info %q, want %q", got, want)
	}
	b.send("GET", rest, "").must(t, http.StatusOK)
	b.send("GET", rest, "").must(t, http.StatusForbidden).has(t, "REQUEST_LIMIT_EXCEEDED")
	b.Configure(func(s *Settings) { s.OtherRequests = 0 }) // theirs are a day old
	for range 3 {
		b.send("GET", rest, "").must(t, http.StatusOK)
	}
	a = b.send("GET", rest, "").must(t, http.StatusForbidden).has(t, "REQUEST_LIMIT_EXCEEDED")
	if got, want := a.header.Get("Sforce-Limit-Info"), "api-usage=5/10; per-app-api-usage=15/15(appName="+name+")"; got != want {
		t.Errorf("at the app's own limit Sforce-Limit-Info is %q, want %q", got, want)
	}
}

func TestWire(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	id := b.account(org.Fields{"Name": "A"})
	a := b.send("GET", rest+"/sobjects/Account/"+id, "", func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip, deflate") }).must(t, http.StatusOK)
	z, err := gzip.NewReader(strings.NewReader(a.body))
	if err != nil || a.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("not gzip: %v", err)
	}
	if text, err := io.ReadAll(z); err != nil || !strings.Contains(string(text), `"Name":"A"`) {
		t.Errorf("%v %s", err, text)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(`{"Name":"B"}`))
	_ = w.Close()
	b.send("PATCH", rest+"/sobjects/Account/"+id, packed.String(), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }).must(t, http.StatusNoContent)
	b.send("GET", query("SELECT Id FROM Account WHERE Name = '"+strings.Repeat("x", 16_384)+"'"), "").must(t, http.StatusRequestURITooLong)
	b.send("GET", rest, "", func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("x", 16_384)) }).must(t, http.StatusRequestHeaderFieldsTooLarge)
	b.send("GET", rest, "", func(r *http.Request) { r.Header.Set("Authorization", "Basic x") }).must(t, http.StatusUnauthorized).has(t, "INVALID_AUTH_HEADER")
	b.send("GET", "/nowhere", "").must(t, http.StatusNotFound)
	b.send("GET", "/services/apexrest/x", "").must(t, http.StatusNotFound).has(t, "the simulator does not know")
	if b.Unknown() != 2 {
		t.Errorf("%d unknown requests", b.Unknown())
	}
}

func TestTooling(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.control("POST", "/select", `{"entities":["Account","Contact"]}`).must(t, http.StatusOK)
	ask := func(q string) answer { return b.send("GET", rest+"/tooling/query?q="+url.QueryEscape(q), "") }
	ask("SELECT EventChannel, SelectedEntity FROM PlatformEventChannelMember").must(t, http.StatusOK).has(t,
		`"totalSize":2`, `"EventChannel":"ChangeEvents"`, `"SelectedEntity":"AccountChangeEvent"`, `"SelectedEntity":"ContactChangeEvent"`)
	ask("SELECT Name FROM PlatformEventChannelMember").must(t, http.StatusBadRequest).has(t, "INVALID_FIELD")
	ask("SELECT Id FROM ApexClass").must(t, http.StatusNotImplemented)
	b.Permit(func(p *Profile) { p.NoSetup = true })
	ask("SELECT SelectedEntity FROM PlatformEventChannelMember").must(t, http.StatusBadRequest).has(t, "INVALID_TYPE")
}
