// Command match shows that the matcher is right whatever is killed, stopped or moved: it runs `crosswalk run matcher` in one or
// several processes that share several orgs, on a Kafka and a schema registry that are given, while changes of all four inputs
// flow, and then holds views and reports to what must be.
//
//	go build -o /tmp/crosswalk ./cmd/crosswalk
//	go run ./internal/e2e/match -binary /tmp/crosswalk -processes 3 -kills 200 -events 1000000
//
// In Jepsen's words: the generator (generator.go) writes Accounts, Contacts, notes and ERP customers that come, change their
// identifiers and parents, go and come back, straight into the input topics. The nemesis (nemesis.go) kills a process
// (SIGKILL), sometimes with the loss of its state or all at once; stops one (SIGSTOP) until others have its tasks and longer, and
// lets it go on (F07); and kills the broker (F09). The history is what the output topics hold. The checker compares the end of it
// with naive.Compute over the generator's own records, and the way there with R27, R33 and R35 of the matching rules.
//
// Each check prints one line, "N passed, N failed" comes last. Exit status 0 all hold, 1 one does not: then the folder with
// the configuration, the logs and the differences is kept and named, and -seed repeats the changes exactly and the moments of faults
// as far as they can be repeated.
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
	orgs, processes            int
	records, events            int
	kills, pauses, brokerKills int
	killBroker                 string
}

func (o *options) faults() int { return o.kills + o.pauses + o.brokerKills }

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.orgs, "orgs", 3, "orgs that the processes share")
	flag.IntVar(&o.processes, "processes", 3, "processes of the matcher")
	flag.IntVar(&o.records, "records", 1000, "accounts of each org; as many customers and notes, twice as many contacts")
	flag.IntVar(&o.events, "events", 100_000, "records written to the input topics of all orgs together")
	flag.IntVar(&o.kills, "kills", 20, "how often to kill a process")
	flag.IntVar(&o.pauses, "pauses", 0, "how often to stop a process for longer than its session; needs two processes")
	flag.IntVar(&o.brokerKills, "broker-kills", 0, "how often to kill the broker; needs -kill-broker")
	flag.StringVar(&o.killBroker, "kill-broker", "", "shell `COMMAND` that kills the broker and starts it again, and returns when it answers")
	harness.Main(&o.Setting, func() time.Duration {
		return 5*time.Minute + time.Duration(o.faults())*10*time.Second + time.Duration(o.brokerKills)*30*time.Second
	}, func(ctx context.Context, dir string, r *harness.Report) error {
		r.Say("%d orgs of %d records, %d processes, %d events; %d kills, %d pauses, %d kills of the broker",
			o.orgs, 5*o.records, o.processes, o.events, o.kills, o.pauses, o.brokerKills)
		return newTrial(o, dir, r).run(ctx)
	})
}
