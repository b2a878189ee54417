// Command backfill shows that one process can ask another for a backfill, steer it and outlive it: `crosswalk run` and the
// backfill commands share nothing but a Kafka and a schema registry, which are given.
//
//	go build -o /tmp/crosswalk ./cmd/crosswalk
//	go run ./internal/e2e/backfill -binary /tmp/crosswalk
//
// In Jepsen's words: the generator asks for backfills by the command line (command.go); the nemesis interrupts the command that
// waits (SIGINT) and kills the process that works (SIGKILL), while the simulated org holds its answers back so that each is
// met in the middle. The checker looks at what the commands say and how they end, and wants every record to be read once,
// whoever read it, and nothing to be published, since nothing differs.
//
// Each check prints one line, "N passed, N failed" comes last. Exit status 0 all hold, 1 one does not: then the folder with
// the configuration and the logs is kept and named.
package main

import (
	"context"
	"flag"
	"time"

	"crosswalk/internal/e2e/harness"
)

// listSize is how many records a backfill lists at a time.
const listSize = 2000

// options say what is tried.
type options struct {
	harness.Setting
	accounts int
}

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.accounts, "accounts", 2*listSize+500, "accounts of the org: more than two lists of a backfill")
	harness.Main(&o.Setting, func() time.Duration { return 15 * time.Minute }, func(ctx context.Context, dir string, r *harness.Report) error {
		return newTrial(o, dir, r).run(ctx)
	})
}
