// Command kill shows that neither SIGKILL nor SIGSTOP loses anything or leaves anything wrong: it kills and pauses
// `crosswalk run` at random moments, on a Kafka and a schema registry that are given, and then holds what is published to what
// must be.
//
//	go build -o /tmp/crosswalk ./cmd/crosswalk
//	go run ./internal/e2e/kill -binary /tmp/crosswalk -brokers 127.0.0.1:19092 -registry http://127.0.0.1:19081/apis/ccompat/v7
//
// The words are Jepsen's. The generator (generator) changes the simulated org by its control address, while the pipeline
// is up and while it is down. The nemesis kills the pipeline (nemesis.go), half of the times during the snapshot, half
// during changes, sometimes with the loss of its local state, and starts it again; and it runs two processes and stops the one
// that owns the Salesforce task (SIGSTOP) until the other has it, and longer, and lets it go on (pause.go). The history is what
// the topics hold (harness.Follower): every record in offset order. The checker compares the end of it with the truth that
// internal/judge computes from the org and the ERP file, and the way there with I6, I7, I8, R33 and R35 of the matching rules.
//
// Each check prints one line, "N passed, N failed" comes last. Exit status 0 all hold, 1 one does not: then the folder with
// the configuration, the logs and the differences is kept and named, and -seed repeats the trial as far as moments
// of killing can be repeated.
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
	kills, pauses      int
	accounts, contacts int
	rate               float64
}

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.kills, "kills", 20, "how often to kill: half of it during the snapshot, half during changes")
	flag.IntVar(&o.pauses, "pauses", 0, "how often to stop the owner (SIGSTOP) for longer than its session: half of it during a snapshot, half during changes")
	flag.IntVar(&o.accounts, "accounts", 3000, "accounts of the simulated org")
	flag.IntVar(&o.contacts, "contacts", 9000, "contacts of the simulated org")
	flag.Float64Var(&o.rate, "rate", 25, "changes per second")
	harness.Main(&o.Setting, func() time.Duration {
		return 3*time.Minute + time.Duration(o.kills)*10*time.Second + time.Duration(o.pauses)*30*time.Second
	}, func(ctx context.Context, dir string, r *harness.Report) error {
		r.Say("%d kills, %d pauses, %d accounts, %d contacts", o.kills, o.pauses, o.accounts, o.contacts)
		return newTrial(o, dir, r).run(ctx)
	})
}
