package sfapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"

	"crosswalk/internal/change"
)

// benchRows is a page as Bulk sends it: 20 columns, 2 of them custom, about 420 bytes a row.
const benchRows = 10000

func benchSchema() *change.Schema {
	f := func(name string, t change.Type) change.Field { return change.Field{Name: name, Type: t} }
	return change.NewSchema("Account", []change.Field{
		f("Id", 0), f("IsDeleted", change.TypeBool), f("MasterRecordId", 0), f("Name", 0), f("Type", 0), f("ParentId", 0), f("BillingStreet", 0),
		f("BillingCity", 0), f("BillingPostalCode", 0), f("BillingCountry", 0), f("Phone", 0), f("Website", 0), f("AnnualRevenue", change.TypeDecimal),
		f("NumberOfEmployees", change.TypeInt), f("OwnerId", 0), f("CreatedDate", change.TypeDatetime), f("LastModifiedDate", change.TypeDatetime),
		f("SystemModstamp", change.TypeDatetime), f("ERP_Customer_No__c", 0), f("Credit_Limit__c", change.TypeDecimal),
	})
}

func benchPage() []byte {
	var b bytes.Buffer
	b.WriteString(`"Id","IsDeleted","MasterRecordId","Name","Type","ParentId","BillingStreet","BillingCity","BillingPostalCode","BillingCountry","Phone","Website","AnnualRevenue","NumberOfEmployees","OwnerId","CreatedDate","LastModifiedDate","SystemModstamp","ERP_Customer_No__c","Credit_Limit__c"` + "\n")
	for i := range benchRows {
		fmt.Fprintf(&b, `"001Qk0000%06dIAK","false","","Northwind Traders %d","Customer - Direct","","%d Main Street, ""Suite"" %d","Springfield","%05d","Germany","+49 30 %07d","https://www.example.com/%d","%d.50","%d","005Qk000001UsErIAK","2024-01-01T10:00:00.000Z","2026-11-20T21:20:00.000Z","2026-11-20T21:20:00.000Z","C-%06d","%d"`+"\n",
			i, i, i, i%9, i%99999, i, i, i*1000, i%5000, i, i*10)
	}
	return b.Bytes()
}

func perRow(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchRows), "ns/row")
	b.ReportMetric(float64(b.N*benchRows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkPage measures decoding a page of 20 columns against the least that could be done with its bytes.
func BenchmarkPage(b *testing.B) {
	page := benchPage()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(page)
	_ = z.Close()
	schema := benchSchema()
	rows := func(b *testing.B, src io.Reader) {
		r := NewRowReader(src, schema)
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		if r.Rows() != benchRows {
			b.Fatalf("%d rows", r.Rows())
		}
	}
	discard := func(b *testing.B, src io.Reader) {
		if _, err := io.Copy(io.Discard, struct{ io.Reader }{src}); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		body []byte
		read func(*testing.B, io.Reader)
	}{
		{"bytes", page, discard}, {"rows", page, rows}, {"gzip/bytes", zipped.Bytes(), discard}, {"gzip/rows", zipped.Bytes(), rows},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				var src io.Reader = bytes.NewReader(c.body)
				if len(c.body) == zipped.Len() {
					var err error
					if src, err = gzip.NewReader(src); err != nil {
						b.Fatal(err)
					}
				}
				c.read(b, src)
			}
			perRow(b)
		})
	}
}

// BenchmarkRecord measures decoding the JSON of a query's or collection's record of 20 fields.
func BenchmarkRecord(b *testing.B) {
	record := []byte(`{"attributes":{"type":"Account","url":"/services/data/v66.0/sobjects/Account/001Qk00000aBcDeIAK"},"Id":"001Qk00000aBcDeIAK","IsDeleted":false,"MasterRecordId":null,"Name":"Northwind Traders 1","Type":"Customer - Direct","ParentId":null,"BillingStreet":"1 Main Street","BillingCity":"Springfield","BillingPostalCode":"00001","BillingCountry":"Germany","Phone":"+49 30 0000001","Website":"https://www.example.com/1","AnnualRevenue":1000.5,"NumberOfEmployees":12,"OwnerId":"005Qk000001UsErIAK","CreatedDate":"2024-01-01T10:00:00.000+0000","LastModifiedDate":"2026-11-20T21:20:00.000+0000","SystemModstamp":"2026-11-20T21:20:00.000+0000","ERP_Customer_No__c":"C-000001","Credit_Limit__c":10}`)
	d := NewRowDecoder(benchSchema(), nil)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Row(record); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDownload measures a job's pages over HTTP: read and dropped, and read as rows.
func BenchmarkDownload(b *testing.B) {
	page, schema := benchPage(), benchSchema()
	o := newOrg(b)
	o.mux.HandleFunc(jobsPath+"/"+jobID+"/results", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Sforce-Locator", "null")
		w.Header().Set("Sforce-NumberOfRecords", strconv.Itoa(benchRows))
		_, _ = w.Write(page)
	})
	c := o.client(b)
	for name, read := range map[string]func(*Page) error{
		"dropped": func(p *Page) error { _, err := io.Copy(io.Discard, p.Body); return err },
		"rows": func(p *Page) error {
			for r := p.Rows(schema); ; {
				if _, err := r.Next(); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				for p, err := range c.Pages(b.Context(), completeJob(), "") {
					if err == nil {
						err = read(p)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			perRow(b)
		})
	}
}

// BenchmarkEvent measures reading an UPDATE as an org sends it: its header, and the two fields that it changed.
func BenchmarkEvent(b *testing.B) {
	d := NewRowDecoder(Schema(contact(), Selection{}), Components(contact()))
	payload := []byte(`{"ChangeEventHeader":{"entityName":"Contact","recordIds":["003Qk00000cOnTaIAK"],"changeType":"UPDATE",` +
		`"changeOrigin":"com/salesforce/api/rest/66.0","transactionKey":"000246a2-5d6d-0731-4ac8-7bd2f9c1e0a1","sequenceNumber":1,` +
		`"commitTimestamp":1795209600000,"commitNumber":1082990428293,"commitUser":"005Qk000001UsErIAK","nulledFields":[],"diffFields":[],` +
		`"changedFields":["Description","LastModifiedDate"]},"Description":"change 4711 emitted at 2026-11-20T21:20:00.123456789Z",` +
		`"LastModifiedDate":"2026-11-20T21:20:00.000Z"}`)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	var r EventReader
	columns := func(*EventHeader) *RowDecoder { return d }
	for b.Loop() {
		if _, _, err := r.Read(payload, columns, func(int, change.Value) {}); err != nil {
			b.Fatal(err)
		}
	}
}
