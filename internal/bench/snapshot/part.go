//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/bench/process"
	"crosswalk/internal/bench/rig"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// figures is what a part prints when it is done.
type figures struct {
	Rows     int64            `json:"rows"`
	Seconds  float64          `json:"seconds"` // of the measured work, not of the process
	CPU      float64          `json:"cpu"`     // seconds, of the whole process unless the part measured its own work
	Peak     int64            `json:"peak"`    // bytes, of the whole process
	Bytes    int64            `json:"bytes"`
	Resident []int64          `json:"resident"` // bytes, when 25, 50, 75 and 100 % of the rows were published
	Calls    map[string]int64 `json:"calls"`    // to Salesforce, by kind, as the client counts them
	APICalls int64            `json:"-"`        // as the org counts them
}

// pages is the kind of call that reads a result page.
const pages = "results"

// selected are 20 fields of each object, 2 of them custom.
var selected = map[string]sfapi.Selection{
	"Account": {Include: []string{
		"Id", "IsDeleted", "Name", "Type", "ParentId", "BillingStreet", "BillingCity", "BillingPostalCode", "BillingCountry", "Phone",
		"Website", "Industry", "AccountNumber", "AnnualRevenue", "NumberOfEmployees", "OwnerId", "CreatedDate", "SystemModstamp",
		"ERP_Customer_No__c", "Credit_Limit__c",
	}},
	"Contact": {Include: []string{
		"Id", "IsDeleted", "AccountId", "Salutation", "FirstName", "LastName", "Email", "Phone", "MobilePhone", "Title",
		"Department", "MailingStreet", "MailingCity", "MailingPostalCode", "MailingCountry", "Birthdate", "OwnerId", "SystemModstamp",
		"Collector__c", "Open_Amount__c",
	}},
}

func (o *options) fields() map[string]sfapi.Selection {
	if o.AllFields {
		return nil
	}
	return selected
}

// perform is one measured part; it prints its figures.
func perform(ctx context.Context, o options) error {
	counted := prometheus.NewRegistry()
	c, err := o.Dial(ctx, sfapi.NewMetrics(counted))
	if err != nil {
		return err
	}
	defer func() { _ = c.Kafka.Close() }() // the process ends
	stop, err := process.Profile(o.Profile, o.Part)
	if err != nil {
		return err
	}
	var f figures
	switch o.Part {
	case "snapshot":
		f, err = snapshot(ctx, o, c)
	case "download":
		f, err = download(ctx, o, c.Salesforce)
	case "produce":
		f, err = produce(ctx, o, c.Kafka)
	default:
		err = fmt.Errorf("no part %q", o.Part)
	}
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	if f.Calls, err = callsOf(counted); err != nil {
		return err
	}
	return process.Print(f)
}

// callsOf sums the client's calls by kind.
func callsOf(g prometheus.Gatherer) (map[string]int64, error) {
	families, err := g.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	calls := map[string]int64{}
	for _, family := range families {
		if family.GetName() != "crosswalk_sfapi_calls_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "kind" {
					calls[label.GetValue()] += int64(m.GetCounter().GetValue())
				}
			}
		}
	}
	return calls, nil
}

// snapshot runs the production producer from nothing until it streams.
func snapshot(ctx context.Context, o options, c rig.Clients) (f figures, err error) {
	config := o.Producer(c, o.State)
	config.Fields = o.fields()
	p, err := salesforce.New(config)
	if err != nil {
		return f, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	began, done := time.Now(), make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	whole := int64(o.Accounts + o.Contacts)
	for f.Rows < whole || p.Status().Phase != "streaming" {
		select {
		case err := <-done:
			return f, fmt.Errorf("the producer ended before its snapshot did: %w", err)
		case <-tick.C:
		}
		f.Rows = p.Status().Counts.Rows
		for int64(len(f.Resident)) < f.Rows*4/whole && len(f.Resident) < 4 {
			f.Resident = append(f.Resident, process.Resident())
		}
	}
	f.Seconds = time.Since(began).Seconds()
	stop()
	return f, <-done
}

// download reads the pages of the same queries and drops them.
func download(ctx context.Context, o options, client *sfapi.Client) (f figures, err error) {
	began := time.Now()
	for _, object := range []string{"Account", "Contact"} {
		d, err := client.Describe(ctx, object)
		if err != nil {
			return f, err
		}
		fields := sfapi.FieldNames(sfapi.Schema(d, o.fields()[object]))
		job, err := client.CreateJob(ctx, "SELECT "+strings.Join(fields, ", ")+" FROM "+object, false)
		if err != nil {
			return f, err
		}
		if job, err = client.AwaitJob(ctx, job.ID, nil); err != nil {
			return f, err
		}
		for page, err := range client.Pages(ctx, job, "") {
			if err != nil {
				return f, err
			}
			n, err := io.Copy(io.Discard, page.Body)
			if cerr := page.Body.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				return f, fmt.Errorf("read page: %w", err)
			}
			f.Bytes += n
		}
		f.Rows += int64(job.RecordsProcessed)
	}
	f.Seconds = time.Since(began).Seconds()
	return f, nil
}

// produceChunk is how many records are read before they are produced.
const produceChunk = 100_000

// produce writes the records that the snapshot published to topics of its own, a chunk at a time. Reading them first is
// not measured.
func produce(ctx context.Context, o options, kafka *topic.Client) (f figures, err error) {
	names := []string{o.Org + ".salesforce.account", o.Org + ".salesforce.contact"}
	again := []string{names[0] + ".again", names[1] + ".again"}
	for _, name := range again {
		if err := kafka.Ensure(ctx, topic.Spec{Name: name, Partitions: 4, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
			return f, err
		}
	}
	w, err := kafka.NewWriter(ctx, topic.WriterConfig{Task: o.Org + "/again", Topics: again})
	if err != nil {
		return f, err
	}
	defer w.Close()
	var chunk []topic.Record
	send := func() error {
		began, cpu := time.Now(), process.CPU()
		for _, r := range chunk {
			if err := w.Send(ctx, r, func(topic.Record, error) {}); err != nil {
				return err
			}
		}
		err := w.Flush(ctx)
		f.Rows += int64(len(chunk))
		f.Seconds += time.Since(began).Seconds()
		f.CPU += process.CPU() - cpu
		chunk = chunk[:0]
		return err
	}
	_, err = kafka.ReadAll(ctx, names, func(r topic.Record) error {
		r.Topic += ".again"
		r.Key, r.Value, r.Headers = slices.Clone(r.Key), slices.Clone(r.Value), slices.Clone(r.Headers)
		for i := range r.Headers {
			r.Headers[i].Value = slices.Clone(r.Headers[i].Value)
		}
		if chunk = append(chunk, r); len(chunk) < produceChunk {
			return nil
		}
		return send()
	})
	if err != nil {
		return f, err
	}
	return f, send()
}
