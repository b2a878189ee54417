//go:build unix

// Command snapshot measures the Salesforce producer's snapshot beside two loops that do less with the same bytes: one
// that downloads the same Bulk result pages and drops them, and one that produces the records which the snapshot
// published, and nothing else.
//
// Each part runs in a process of its own, so that what it takes is its own: the simulated org, the broker and registry
// (a `crosswalk run console`, when no real ones are given), and the three measured parts one after the other. Printed are
// rows/s, CPU seconds per million rows and peak memory of each, and the ratios.
//
//	go build -o /tmp/crosswalk ./cmd/crosswalk && go run ./internal/bench/snapshot -binary /tmp/crosswalk -accounts 100000 -contacts 300000
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the flags; the parts get them handed on.
type options struct {
	Part, Binary, Brokers, Registry, Org, State string
	Accounts, Contacts                          int
	Salesforce                                  login
}

// login is the simulator's own line.
type login struct {
	LoginURL     string `json:"login_url"`
	InstanceURL  string `json:"instance_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Username     string `json:"username"`
	Password     string `json:"password"`
	ControlURL   string `json:"control_url"`
}

// figures is what a part prints when it is done.
type figures struct {
	Rows    int64   `json:"rows"`
	Seconds float64 `json:"seconds"` // of the measured work, not of the process
	CPU     float64 `json:"cpu"`     // seconds, of the whole process unless the part measured its own work
	Peak    int64   `json:"peak"`    // bytes, of the whole process
	Bytes   int64   `json:"bytes"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.Binary, "binary", "", "the built crosswalk")
	flag.StringVar(&o.Brokers, "brokers", "", "host:port of a broker; none: an embedded one in a process of its own")
	flag.StringVar(&o.Registry, "registry", "", "URL of the schema registry that belongs to it")
	flag.IntVar(&o.Accounts, "accounts", 20000, "number of accounts")
	flag.IntVar(&o.Contacts, "contacts", 60000, "number of contacts")
	part := flag.String("part", "", "options of a part, as JSON (set by the program itself)")
	flag.Parse()
	err := error(nil)
	if *part == "" {
		err = conduct(ctx, o)
	} else if err = json.Unmarshal([]byte(*part), &o); err == nil {
		err = perform(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "snapshot:", err)
		os.Exit(1)
	}
}

// conduct starts what the parts need, runs them one after the other and prints what they took.
func conduct(ctx context.Context, o options) error {
	if o.Binary == "" {
		return errors.New("-binary is missing; build one with go build -o /tmp/crosswalk ./cmd/crosswalk")
	}
	work, err := os.MkdirTemp("", "crosswalk-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // left behind at worst
	o.State, o.Org = filepath.Join(work, "state"), fmt.Sprintf("bench%d", os.Getpid())
	endSimulator, err := start(ctx, &o.Salesforce, o.Binary, "simulator", "--seed", "1", "--accounts", fmt.Sprint(o.Accounts), "--contacts", fmt.Sprint(o.Contacts))
	if err != nil {
		return err
	}
	defer endSimulator()
	if err := plain(ctx, o.Salesforce.ControlURL); err != nil {
		return err
	}
	if o.Brokers == "" {
		var e struct{ Kafka, Registry string }
		endBroker, err := start(ctx, &e, o.Binary, "run", "console", "--json", "--data-dir", filepath.Join(work, "broker"))
		if err != nil {
			return err
		}
		defer endBroker()
		o.Brokers, o.Registry = e.Kafka, e.Registry
	}
	fmt.Printf("%-34s %10s %8s %10s %14s %10s\n", "part", "rows", "s", "rows/s", "CPU s/M rows", "peak MiB")
	var all []figures
	for _, p := range []struct{ name, what string }{
		{"snapshot", "snapshot: read, merge, keep, publish"}, {"download", "download the same pages, drop them"}, {"produce", "produce the same records only"},
	} {
		o.Part = p.name
		f, err := measure(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, f)
		fmt.Printf("%-34s %10d %8.2f %10.0f %14.2f %10.0f\n", p.what, f.Rows, f.Seconds, float64(f.Rows)/f.Seconds, f.CPU*1e6/float64(f.Rows), float64(f.Peak)/(1<<20))
	}
	for i, name := range []string{"", "downloading", "producing"} {
		if i > 0 {
			fmt.Printf("snapshot against %-12s rows/s ×%.2f   CPU ×%.2f\n", name+":", all[i].Seconds/all[0].Seconds*float64(all[0].Rows)/float64(all[i].Rows), all[0].CPU/all[i].CPU)
		}
	}
	return nil
}

// plain makes the simulated org answer uncompressed: else its gzip is what is measured.
func plain(ctx context.Context, control string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPatch, control+"/settings", strings.NewReader(`{"no_gzip": true}`))
	if err != nil {
		return fmt.Errorf("set up the simulated org: %w", err)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("set up the simulated org: %w", err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("set up the simulated org: it answered %s", reply.Status)
	}
	return nil
}

// start runs a child that prints one line of JSON when it is ready, and returns how to end it.
func start(ctx context.Context, ready any, program string, args ...string) (end func(), err error) {
	c := exec.CommandContext(ctx, program, args...)
	c.Stderr = os.Stderr
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 10 * time.Second
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	end = func() {
		_ = c.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		_ = c.Wait()
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, ready)
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("start %s: it did not say that it is ready: %w", args[0], err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return end, nil
}

// measure runs one part in a process of its own.
func measure(ctx context.Context, o options) (f figures, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return f, fmt.Errorf("hand on options: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return f, fmt.Errorf("find this program: %w", err)
	}
	c := exec.CommandContext(ctx, self, "-part", string(text))
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(out, &f); err != nil {
		return f, fmt.Errorf("read figures %q: %w", out, err)
	}
	usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return f, errors.New("this system does not tell what a process used")
	}
	if f.CPU == 0 {
		f.CPU = (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
	}
	f.Peak = usage.Maxrss << 10
	return f, nil
}
