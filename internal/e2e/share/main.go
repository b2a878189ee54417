// Command share shows that processes share the orgs: it runs `crosswalk run` in several processes with one configuration of
// several orgs, on a Kafka and a schema registry that are given, lets processes join, leave in good order and be killed, and looks
// at who runs what, since when, and how long a change of each org takes to be in its view meanwhile.
//
//	go build -o /tmp/crosswalk ./cmd/crosswalk
//	go run ./internal/e2e/share -binary /tmp/crosswalk -processes 3 -orgs 6
//
// In Jepsen's words: the generator is a probe for each org (probe.go), which changes a matched Account of the simulated org and waits
// until the change is in customer.view. The nemesis (nemesis.go) starts, stops (SIGTERM) and kills (SIGKILL) processes. The
// history is the time that each probe took, the tasks that each process says it runs, and what the topics hold. The checker wants
// every task in exactly one place, spread evenly; a killed owner replaced within its session; a task that stays to run on,
// undisturbed by those that come and go; and in the end everything published to be what the org and the ERP say.
//
// Each check prints one line, "N passed, N failed" comes last. Exit status 0 all hold, 1 one does not: then the folder with
// the configuration, the logs and the differences is kept and named.
package main

import (
	"context"
	"flag"
	"time"

	"crosswalk/internal/e2e/harness"
)

// options say what is tried. The flags' texts say what each means.
type options struct {
	harness.Setting
	orgs, processes, kills int
	accounts, contacts     int
}

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.orgs, "orgs", 6, "orgs; each has three tasks: salesforce, erp, matcher")
	flag.IntVar(&o.processes, "processes", 3, "processes that share them")
	flag.IntVar(&o.kills, "kills", 3, "how often one of them is killed")
	flag.IntVar(&o.accounts, "accounts", 40, "accounts of each org")
	flag.IntVar(&o.contacts, "contacts", 80, "contacts of each org")
	harness.Main(&o.Setting, func() time.Duration {
		return 5*time.Minute + time.Duration(o.kills)*30*time.Second
	}, func(ctx context.Context, dir string, r *harness.Report) error {
		r.Say("%d orgs in %d processes, %d tasks, %d kills", o.orgs, o.processes, tasksPerOrg*o.orgs, o.kills)
		return newTrial(o, dir, r).run(ctx)
	})
}
