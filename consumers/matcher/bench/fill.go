//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"crosswalk/internal/avro"
	"crosswalk/internal/change"
	"crosswalk/internal/registry"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// filler writes Accounts, Contacts and ERP customers of some 300 bytes, as the producers write them.
type filler struct {
	ctx              context.Context
	o                options
	writer           *topic.Writer
	account, contact *avro.RowCodec
	topics           []string
	frames           [3][]byte
	rev              int64
	buf              []byte
}

var accountFields = change.NewSchema("Account", []change.Field{
	{Name: "Id"},
	{Name: "Name"},
	{Name: "ERP_No__c"},
	{Name: "BillingStreet"},
	{Name: "BillingCity"},
	{Name: "BillingPostalCode"},
	{Name: "BillingCountry"},
	{Name: "Phone"},
	{Name: "Website"},
	{Name: "Industry"},
	{Name: "AnnualRevenue", Type: change.TypeDecimal},
	{Name: "NumberOfEmployees", Type: change.TypeInt},
	{Name: "LastModifiedDate", Type: change.TypeDatetime},
	{Name: "SystemModstamp", Type: change.TypeDatetime},
	{Name: "ParentId"},
	{Name: "Rating"},
})

var contactFields = change.NewSchema("Contact", []change.Field{
	{Name: "Id"},
	{Name: "AccountId"},
	{Name: "FirstName"},
	{Name: "LastName"},
	{Name: "Email"},
	{Name: "Phone"},
	{Name: "MobilePhone"},
	{Name: "Title"},
	{Name: "Department"},
	{Name: "MailingCity"},
	{Name: "MailingCountry"},
	{Name: "Birthdate", Type: change.TypeDate},
	{Name: "HasOptedOutOfEmail", Type: change.TypeBool},
	{Name: "SystemModstamp", Type: change.TypeDatetime},
})

// fill writes all records once, or random changes of them.
func fill(ctx context.Context, o options) error {
	f, err := newFiller(ctx, o)
	if err != nil {
		return err
	}
	defer f.writer.Close()
	m := newMeter()
	if o.Role == "load" {
		err = f.load()
	} else {
		err = f.change()
	}
	if err != nil {
		return err
	}
	if err := f.writer.Flush(ctx); err != nil {
		return err
	}
	events := int64(5 * o.Accounts)
	if o.Role != "load" {
		events = int64(o.Updates)
	}
	return m.done("filler: "+o.Role, events)
}

// newFiller makes the topics and registers the schemas, if it is the first, and takes writing over.
func newFiller(ctx context.Context, o options) (*filler, error) {
	k, err := dial(ctx, o)
	if err != nil {
		return nil, err
	}
	topics := inputs(o)
	for _, name := range topics {
		spec := topic.Spec{Name: name, Partitions: o.Partitions, Config: map[string]string{"cleanup.policy": "compact"}}
		if err := k.Ensure(ctx, spec); err != nil {
			return nil, err
		}
	}
	f := &filler{ctx: ctx, o: o, topics: topics, rev: 1}
	if f.account, err = avro.NewRowCodec(accountFields); err != nil {
		return nil, err
	}
	if f.contact, err = avro.NewRowCodec(contactFields); err != nil {
		return nil, err
	}
	r := registry.NewClient(o.Registry)
	for i, schema := range []string{f.account.Schema(), f.contact.Schema(), schemas.ERPCustomer} {
		id, err := r.Register(ctx, topics[i]+"-value", schema)
		if err != nil {
			return nil, err
		}
		f.frames[i] = avro.Frame(nil, id)
	}
	f.writer, err = k.NewWriter(ctx, topic.WriterConfig{Task: "bench/fill/" + o.Org, Topics: topics})
	return f, err
}

func (f *filler) load() error {
	for i := range f.o.Accounts {
		for _, write := range []func() error{
			func() error { return f.writeAccount(i) },
			func() error { return f.writeContact(3 * i) },
			func() error { return f.writeContact(3*i + 1) },
			func() error { return f.writeContact(3*i + 2) },
			func() error { return f.writeCustomer(i) },
		} {
			if err := write(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *filler) change() error {
	rng := rand.New(rand.NewPCG(1, 2))
	for range f.o.Updates {
		f.rev++
		var err error
		switch n := rng.IntN(5); n {
		case 0:
			err = f.writeAccount(rng.IntN(f.o.Accounts))
		case 1:
			err = f.writeCustomer(rng.IntN(f.o.Accounts))
		default:
			err = f.writeContact(rng.IntN(3 * f.o.Accounts))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func accountID(i int) string { return fmt.Sprintf("001%012dAAA", i) }

// customerKey is the key of an ERP customer, by which its account is found, and of its view.
func customerKey(i int) string { return fmt.Sprintf("C-%07d", i) }

func text(s string) change.Value { return change.StringValue(s) }

func (f *filler) writeAccount(i int) error {
	id := accountID(i)
	revenue, err := change.DecimalValue(strconv.Itoa(i*1000) + ".50")
	if err != nil {
		return err
	}
	return f.writeRow(0, f.account, accountFields, id, map[string]change.Value{
		"Id": text(id), "Name": text(fmt.Sprintf("Acme Trading %d Ltd", i)), "ERP_No__c": text(customerKey(i)),
		"BillingStreet": text(strconv.Itoa(i%400) + " High Street"), "BillingCity": text("Springfield"), "BillingPostalCode": text("62701"),
		"BillingCountry": text("US"), "Phone": text("+1 217 555 0100"), "Website": text("https://acme.example"), "Industry": text("Retail"),
		"AnnualRevenue": revenue, "NumberOfEmployees": change.IntValue(int64(i % 5000)), "LastModifiedDate": change.DatetimeValue(1763805600000 + f.rev),
		"SystemModstamp": change.DatetimeValue(1763805600000 + f.rev),
	})
}

func (f *filler) writeContact(i int) error {
	id := fmt.Sprintf("003%012dAAA", i)
	return f.writeRow(1, f.contact, contactFields, id, map[string]change.Value{
		"Id": text(id), "AccountId": text(accountID(i / 3)), "FirstName": text("Jane"), "LastName": text(fmt.Sprintf("Doe %d", i)),
		"Email": text(fmt.Sprintf("jane.doe.%d@acme.example", i)), "Phone": text("+1 217 555 0101"), "MobilePhone": text("+1 217 555 0102"),
		"Title": text("Accounts Payable Manager"), "Department": text("Finance"), "MailingCity": text("Springfield"), "MailingCountry": text("US"),
		"Birthdate": change.DateValue(3000), "HasOptedOutOfEmail": change.BoolValue(false), "SystemModstamp": change.DatetimeValue(1763805600000 + f.rev),
	})
}

func (f *filler) writeRow(to int, c *avro.RowCodec, schema *change.Schema, id string, fields map[string]change.Value) error {
	row := change.Row{Schema: schema, ID: id}
	for _, field := range schema.Fields {
		v, ok := fields[field.Name]
		if !ok {
			v = change.NullValue()
		}
		row.Values = append(row.Values, v)
	}
	meta := change.Meta{Op: change.OpUpdate, CommitTimestamp: 1763805600000 + f.rev, ReplayID: f.rev, TransactionKey: "0002f3b1-0000-0000-0000-000000000001"}
	value, err := c.Append(append(f.buf[:0], f.frames[to]...), row, meta)
	if err != nil {
		return err
	}
	return f.send(to, id, value)
}

func (f *filler) writeCustomer(i int) error {
	balance, err := change.DecimalValue(strconv.Itoa(i+int(f.rev)) + ".25")
	if err != nil {
		return err
	}
	c := avro.Customer{
		Number: customerKey(i), Name: text(fmt.Sprintf("ACME TRADING %d LTD", i)), Balance: balance, Currency: text("USD"),
		Terms: text("NET30"), Email: text("ap@acme.example"), Phone: text("+1 217 555 0103"), UpdatedAt: change.DatetimeValue(1763805600000 + f.rev),
		Attributes: []avro.Attribute{
			{Name: "credit_limit", Value: avro.FieldValue{Scalar: balance}},
			{Name: "region", Value: avro.FieldValue{Scalar: text("Midwest")}},
			{Name: "sales_rep", Value: avro.FieldValue{Scalar: text("J. Smith")}},
		},
	}
	value, err := c.Append(append(f.buf[:0], f.frames[2]...))
	if err != nil {
		return err
	}
	return f.send(2, c.Number, value)
}

func (f *filler) send(to int, key string, value []byte) error {
	f.buf = value
	headers := []topic.Header{
		{Key: "epoch", Value: []byte("1")},
		{Key: "rev", Value: strconv.AppendInt(nil, f.rev, 10)},
		{Key: "op", Value: []byte("update")},
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_id", Value: []byte(key + "-1-" + strconv.FormatInt(f.rev, 10))},
		{Key: "ce_type", Value: []byte("crosswalk.salesforce.update")},
		{Key: "ce_time", Value: []byte("2026-11-22T10:00:00.000Z")},
	}
	return f.writer.Send(f.ctx, topic.Record{Topic: f.topics[to], Key: []byte(key), Value: value, Headers: headers}, nil)
}
