//go:build unix

// Command snapshot measures the Salesforce producer's snapshot beside two loops that do less with the same bytes: one
// that downloads the same Bulk result pages and drops them, and one that produces the records which the snapshot
// published, and nothing else.
//
// Each part runs in a process of its own, so that what it takes is its own: the simulated org, the broker and registry
// (a `crosswalk run console`, when no real ones are given), and the three measured parts one after the other. Before
// them the snapshot of an org a tenth as large is measured. Printed are rows/s, CPU seconds per million rows and peak
// memory of each, and the ratios; the memory of both snapshots on their way, which must not depend on the org's size;
// and the API calls, which must be the pages and a constant.
//
//	go build -o /tmp/crosswalk ./cmd/crosswalk
//	go run ./internal/bench/snapshot -binary /tmp/crosswalk -accounts 1000000 -contacts 3000000 \
//	  -brokers $(deploy/local/kafka start) -registry $(deploy/local/registry start)
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"crosswalk/internal/bench/process"
	"crosswalk/internal/bench/rig"
)

// options are the flags; the parts get them handed on.
type options struct {
	rig.Options
	State              string // folder of the producer's state
	Accounts, Contacts int
	AllFields, Gzip    bool
}

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.Accounts, "accounts", 20000, "number of accounts")
	flag.IntVar(&o.Contacts, "contacts", 60000, "number of contacts")
	flag.BoolVar(&o.AllFields, "all-fields", false, "read every field of the objects, some 60, instead of 20")
	flag.BoolVar(&o.Gzip, "gzip", false, "let the org compress its pages")
	rig.Main("snapshot", &o, func(ctx context.Context) error { return conduct(ctx, o) }, func(ctx context.Context) error { return perform(ctx, o) })
}

// conduct starts what the parts need, runs them one after the other and prints what they took.
func conduct(ctx context.Context, o options) error {
	end, err := o.Start(ctx)
	if err != nil {
		return err
	}
	defer end()
	small := o
	small.Accounts, small.Contacts, small.Profile = max(1, o.Accounts/10), max(1, o.Contacts/10), ""
	fmt.Printf("%-34s %10s %8s %10s %14s %10s\n", "part", "rows", "s", "rows/s", "CPU s/M rows", "peak MiB")
	few, err := org(ctx, "small", small, parts[:1])
	if err != nil {
		return err
	}
	all, err := org(ctx, "large", o, parts)
	if err != nil {
		return err
	}
	report(few[0], all)
	return nil
}

// parts are what is measured, in their order.
var parts = []struct{ name, what string }{
	{"snapshot", "snapshot: read, merge, keep, publish"}, {"download", "download the same pages, drop them"}, {"produce", "produce the same records only"},
}

// org starts a simulated org and measures parts with it.
func org(ctx context.Context, name string, o options, parts []struct{ name, what string }) ([]figures, error) {
	o.State = filepath.Join(o.Work, "state-"+name)
	o.Org += name
	end, err := o.StartOrg(ctx, o.Accounts, o.Contacts, o.Gzip)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := prepare(ctx, o); err != nil {
		return nil, err
	}
	all := make([]figures, len(parts))
	for i, part := range parts {
		o.Part = part.name
		f, err := measure(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		all[i] = f
		fmt.Printf("%-34s %10d %8.2f %10.0f %14.2f %10.0f\n", part.what, f.Rows, f.Seconds, float64(f.Rows)/f.Seconds, f.CPU*1e6/float64(f.Rows), mib(f.Peak))
	}
	return all, nil
}

// prepare gives the objects two custom fields each (Account has one already).
func prepare(ctx context.Context, o options) error {
	type field struct {
		Name, Type       string
		Precision, Scale int
		MadeUp           bool `json:"madeUp"`
	}
	for _, f := range []struct {
		object string
		field  field
	}{
		{"Account", field{"Credit_Limit__c", "currency", 16, 2, true}},
		{"Contact", field{"Collector__c", "string", 0, 0, true}},
		{"Contact", field{"Open_Amount__c", "currency", 16, 2, true}},
	} {
		if err := o.Control(ctx, http.MethodPost, "/fields/"+f.object, f.field, nil); err != nil {
			return err
		}
	}
	return nil
}

// measure runs one part in a process of its own. API calls are counted where they arrive.
func measure(ctx context.Context, o options) (f figures, err error) {
	before, err := apiCalls(ctx, o)
	if err != nil {
		return f, err
	}
	used, err := process.Self(ctx, o, &f)
	if err != nil {
		return f, err
	}
	if f.CPU == 0 {
		f.CPU = used.CPU
	}
	f.Peak = used.Peak
	after, err := apiCalls(ctx, o)
	f.APICalls = after - before
	return f, err
}

func apiCalls(ctx context.Context, o options) (int64, error) {
	var stats struct {
		APICalls int64 `json:"api_calls"`
	}
	err := o.Control(ctx, http.MethodGet, "/stats", nil, &stats)
	return stats.APICalls, err
}

// report prints what follows from the parts.
func report(few figures, all []figures) {
	for i, name := range []string{1: "downloading", 2: "producing"} {
		if i > 0 {
			fmt.Printf("snapshot against %-12s rows/s ×%.2f   CPU ×%.2f\n", name+":", all[i].Seconds/all[0].Seconds*float64(all[0].Rows)/float64(all[i].Rows), all[0].CPU/all[i].CPU)
		}
	}
	fmt.Printf("\n%-34s %10s %8s %8s %8s %8s %8s\n", "memory of the snapshot, MiB", "rows", "25 %", "50 %", "75 %", "100 %", "peak")
	for _, f := range []figures{few, all[0]} {
		fmt.Printf("%-34s %10d", "", f.Rows)
		for _, resident := range f.Resident {
			fmt.Printf(" %8.0f", mib(resident))
		}
		fmt.Printf(" %8.0f\n", mib(f.Peak))
	}
	fmt.Printf("\n%-34s %10s %8s %8s %8s  %s\n", "API calls of the snapshot", "rows", "all", "pages", "others", "which")
	for _, f := range []figures{few, all[0]} {
		var others []string
		for kind, n := range f.Calls {
			if kind != pages {
				others = append(others, fmt.Sprintf("%s %d", kind, n))
			}
		}
		fmt.Printf("%-34s %10d %8d %8d %8d  %s\n", "", f.Rows, f.APICalls, f.Calls[pages], f.APICalls-f.Calls[pages], strings.Join(others, ", "))
	}
	constant := few.APICalls - few.Calls[pages]
	fmt.Printf("against the pages and the smaller org's other calls: ×%.3f\n", float64(all[0].APICalls)/float64(all[0].Calls[pages]+constant))
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
