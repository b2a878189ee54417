package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"crosswalk/internal/topic"
)

// Setting is what every trial's command takes. A trial embeds it in its own options.
type Setting struct {
	Binary, Brokers, Registry string
	Seed                      uint64
	Session                   time.Duration
	Limit                     time.Duration
	Keep                      bool
}

// Flags makes the flags of the setting.
func (s *Setting) Flags() {
	flag.StringVar(&s.Binary, "binary", "", "the crosswalk `FILE` under trial (needed)")
	flag.StringVar(&s.Brokers, "brokers", "127.0.0.1:19092", "Kafka, `host:port,…`")
	flag.StringVar(&s.Registry, "registry", "http://127.0.0.1:19081/apis/ccompat/v7", "schema registry `URL`")
	flag.Uint64Var(&s.Seed, "seed", 0, "of the data, the changes and the moments of faults; 0 takes a new one and prints it")
	flag.DurationVar(&s.Session, "session", 1500*time.Millisecond,
		"how long a killed owner keeps its tasks; the broker must allow it (group.min.session.timeout.ms)")
	flag.DurationVar(&s.Limit, "limit", 0, "how long it may take; 0: what the trial thinks is enough")
	flag.BoolVar(&s.Keep, "keep", false, "keep the folder with logs when all holds, too")
}

// Dial connects to the Kafka of the trial.
func (s *Setting) Dial(ctx context.Context) (*topic.Client, error) {
	return topic.Dial(ctx, topic.Config{Brokers: strings.Split(s.Brokers, ","), ClientID: "trial", Logger: slog.New(slog.DiscardHandler)})
}

// quotedBrokers are the brokers as items of a list in YAML.
func (s *Setting) quotedBrokers() string {
	return `"` + strings.ReplaceAll(s.Brokers, ",", `", "`) + `"`
}

// Alias is a name for an org that no other trial has had on the same Kafka.
func Alias(trial string) string { return trial + strconv.FormatInt(time.Now().UnixMilli(), 36) }

// Main parses the flags, runs the trial, and ends the program: status 0 all holds, 1 one check does not, 2 wrong usage. The
// folder is the trial's own; it is kept and named when a check fails. limit is asked for when none is given.
func Main(s *Setting, limit func() time.Duration, run func(ctx context.Context, dir string, r *Report) error) {
	flag.Parse()
	if s.Binary == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "-binary is needed, and no other arguments")
		flag.Usage()
		os.Exit(2)
	}
	if s.Seed == 0 {
		s.Seed = rand.Uint64() >> 32
	}
	if s.Limit == 0 {
		s.Limit = limit()
	}
	if !try(s, run) {
		os.Exit(1) // everything that was started has ended
	}
}

// try runs one trial and reports whether all holds.
func try(s *Setting, run func(ctx context.Context, dir string, r *Report) error) bool {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, s.Limit, fmt.Errorf("the trial took longer than %s", s.Limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "crosswalk-trial-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for the trial:", err)
		return false
	}
	began := time.Now()
	r := &Report{Out: os.Stdout}
	r.Say("seed %d", s.Seed)
	err = run(ctx, dir, r)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	if err != nil {
		r.Check(false, "the trial ran to its end", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if r.Failed == 0 && !s.Keep {
		err = os.RemoveAll(dir)
	} else {
		r.Say("kept: %s (configuration, logs, differences); again: -seed %d", dir, s.Seed)
	}
	r.Say("%.0f s", time.Since(began).Seconds())
	fmt.Printf("\n%d passed, %d failed\n", r.Passed, r.Failed)
	return r.Failed == 0 && err == nil
}
