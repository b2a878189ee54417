// Command kill shows that SIGKILL loses nothing: it kills `crosswalk run` at random moments, on a Kafka and a schema
// registry that are given, and then holds what is published to what must be.
//
//	go build -o /tmp/crosswalk ./cmd/crosswalk
//	go run ./internal/e2e/kill -binary /tmp/crosswalk -brokers 127.0.0.1:19092 -registry http://127.0.0.1:19081/apis/ccompat/v7
//
// The words are Jepsen's. The generator (generator) changes the simulated org by its control address, while the pipeline
// is up and while it is down. The nemesis (trial.killOften) kills the pipeline, half of the times during the snapshot, half
// during changes, sometimes with the loss of its local state, and starts it again. The history is what the topics hold
// (history): every record in offset order. The checker compares the end of it with the truth that internal/judge computes
// from the org and the ERP file, and the way there with I6, I7, I8, R33 and R35 of the matching rules.
//
// Each check prints one line, "N passed, N failed" comes last. Exit status 0 all hold, 1 one does not: then the folder with
// the configuration, the logs and the differences is kept and named, and -seed repeats the trial as far as moments
// of killing can be repeated.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options say what is tried. The flags' texts say what each means.
type options struct {
	binary, brokers, registry string
	kills                     int
	seed                      uint64
	accounts, contacts        int
	pageRows                  int
	rate                      float64
	session                   time.Duration
	limit                     time.Duration
	keep                      bool
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "", "the crosswalk `FILE` under trial (needed)")
	flag.StringVar(&o.brokers, "brokers", "127.0.0.1:19092", "Kafka, `host:port,…`")
	flag.StringVar(&o.registry, "registry", "http://127.0.0.1:19081/apis/ccompat/v7", "schema registry `URL`")
	flag.IntVar(&o.kills, "kills", 20, "how often to kill: half of it during the snapshot, half during changes")
	flag.Uint64Var(&o.seed, "seed", 0, "of the org, the changes and the moments of killing; 0 takes a new one and prints it")
	flag.IntVar(&o.accounts, "accounts", 3000, "accounts of the simulated org")
	flag.IntVar(&o.contacts, "contacts", 9000, "contacts of the simulated org")
	flag.IntVar(&o.pageRows, "page-rows", 100, "rows of a Bulk result page")
	flag.Float64Var(&o.rate, "rate", 25, "changes per second")
	flag.DurationVar(&o.session, "session", 6*time.Second, "how long a killed owner keeps its tasks; the broker must allow it")
	flag.DurationVar(&o.limit, "limit", 0, "how long it may take; 0: three minutes and 20 s for each kill")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder with logs when all holds, too")
	flag.Parse()
	if o.binary == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "kill: -binary is needed, and no other arguments")
		flag.Usage()
		os.Exit(2)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64() >> 32
	}
	if o.limit == 0 {
		o.limit = 3*time.Minute + time.Duration(o.kills)*20*time.Second
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("the trial took longer than %s", o.limit))
	defer cancel()
	if !try(ctx, o) {
		os.Exit(1) // everything that was started has ended
	}
}

// try runs one trial and reports whether all holds.
func try(ctx context.Context, o options) bool {
	dir, err := os.MkdirTemp("", "crosswalk-kill-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "kill: make a folder for the trial:", err)
		return false
	}
	fmt.Printf("seed %d, %d kills, %d accounts, %d contacts\n", o.seed, o.kills, o.accounts, o.contacts)
	r := &report{out: os.Stdout}
	t := newTrial(o, dir, r)
	err = t.run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	if err != nil {
		r.check(false, "the trial ran to its end", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if r.failed == 0 && !o.keep {
		err = os.RemoveAll(dir)
	} else {
		fmt.Printf("kept: %s (configuration, logs, differences); again: -seed %d\n", dir, o.seed)
	}
	fmt.Printf("\n%d passed, %d failed\n", r.passed, r.failed)
	return r.failed == 0 && err == nil
}
