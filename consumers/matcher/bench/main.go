//go:build unix

// Command bench measures the matcher against a loop that fetches the same records and produces the same bytes again
// without looking at them, on an embedded broker or on the brokers that are given.
//
// Each part runs in a process of its own, so that what it takes is its own: the broker (when embedded), the filler
// that writes the inputs, the copying loop, and the matcher: on full topics without any state, then live while changes come,
// then started again on its state. Printed are events/s, CPU microseconds per event and peak memory of each, and the ratio.
//
//	go run ./consumers/matcher/bench -accounts 100000 -updates 500000 -brokers localhost:9092
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"syscall"
	"time"

	"crosswalk/internal/registry"
)

// options are the flags; the parts get them handed on.
type options struct {
	role, brokers, registry, org, state, profile string
	accounts, updates, partitions, gogc          int
}

func main() {
	var o options
	flag.StringVar(&o.brokers, "brokers", "", "host:port of a broker; none: embedded")
	flag.IntVar(&o.accounts, "accounts", 20000, "number of accounts; three times as many contacts, as many ERP customers")
	flag.IntVar(&o.updates, "updates", 100000, "number of changes that come while the matcher runs")
	flag.IntVar(&o.partitions, "partitions", 4, "partitions of each topic")
	flag.IntVar(&o.gogc, "gogc", 50, "garbage collection target of the matcher's process, in percent")
	flag.StringVar(&o.profile, "profile", "", "file for the CPU profile of the matcher, from its first start to the end of the changes")
	flag.StringVar(&o.role, "role", "", "which part this process is (set by the program itself)")
	flag.StringVar(&o.registry, "registry", "", "URL of the schema registry (set by the program itself)")
	flag.StringVar(&o.org, "org", "", "prefix of the topics (set by the program itself)")
	flag.StringVar(&o.state, "state", "", "folder of the local state (set by the program itself)")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	switch o.role {
	case "":
		return conduct(ctx, o)
	case "broker":
		return serve()
	case "load", "change":
		return fill(ctx, o)
	case "copy":
		return copyAll(ctx, o)
	case "match":
		return match(ctx, o)
	}
	return fmt.Errorf("there is no role %q", o.role)
}

// figures is what a part says when it has done a piece of work.
type figures struct {
	Work    string
	Events  int64
	Seconds float64
	CPU     float64 // seconds of this piece
	RSS     int64   // peak of the process so far, bytes
}

func (f figures) String() string {
	return fmt.Sprintf("%-34s %9d events %9.0f events/s %7.2f CPU µs/event %6d MiB peak",
		f.Work, f.Events, f.rate(), f.CPU*1e6/float64(max(1, f.Events)), f.RSS>>20)
}

func (f figures) rate() float64 { return float64(f.Events) / f.Seconds }

// meter measures pieces of work of this process.
type meter struct {
	at  time.Time
	cpu float64
}

func newMeter() meter { return meter{time.Now(), cpuSeconds()} }

func (m *meter) done(work string, events int64) error {
	next := newMeter()
	f := figures{Work: work, Events: events, Seconds: next.at.Sub(m.at).Seconds(), CPU: next.cpu - m.cpu, RSS: peak()}
	*m = next
	return json.NewEncoder(os.Stdout).Encode(f)
}

func usage() syscall.Rusage {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for oneself
	return u
}

func cpuSeconds() float64 {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func peak() int64 { return usage().Maxrss << 10 }

// part is a process that plays a role.
type part struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(ctx context.Context, o options, role string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-role", role, "-brokers", o.brokers, "-registry", o.registry, "-org", o.org, "-state", o.state,
		"-accounts", fmt.Sprint(o.accounts), "-updates", fmt.Sprint(o.updates), "-partitions", fmt.Sprint(o.partitions), "-profile", o.profile)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprint("GOGC=", o.gogc))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &part{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

// figures waits for the next piece of work to be done, and prints it.
func (p *part) figures() (figures, error) {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return figures{}, errors.Join(err, p.cmd.Wait())
	}
	var f figures
	if err := json.Unmarshal(line, &f); err != nil {
		return figures{}, err
	}
	fmt.Println(f)
	return f, nil
}

// once runs a part that does one piece of work.
func once(ctx context.Context, o options, role string) (figures, error) {
	p, err := start(ctx, o, role)
	if err != nil {
		return figures{}, err
	}
	f, err := p.figures()
	if err != nil {
		return figures{}, err
	}
	return f, p.end()
}

// end tells the part to stop.
func (p *part) end() error {
	if err := p.in.Close(); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// conduct runs the parts one after the other.
func conduct(ctx context.Context, o options) error {
	server, err := registry.NewServer(ctx, &registry.MemoryLog{})
	if err != nil {
		return err
	}
	http := httptest.NewServer(server)
	defer http.Close()
	o.registry = http.URL
	o.org = fmt.Sprint("bench", time.Now().Unix())
	if o.state, err = os.MkdirTemp("", "crosswalk-bench"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(o.state) }() // a folder for temporary files
	if o.brokers == "" {
		b, err := start(ctx, o, "broker")
		if err != nil {
			return err
		}
		defer func() { _ = b.end() }() // the program ends with it
		line, err := b.out.ReadString('\n')
		if err != nil {
			return err
		}
		o.brokers = line[:len(line)-1]
	}
	if _, err := once(ctx, o, "load"); err != nil {
		return err
	}
	copied, err := once(ctx, o, "copy")
	if err != nil {
		return err
	}
	return conductMatcher(ctx, o, copied)
}

func conductMatcher(ctx context.Context, o options, copied figures) error {
	m, err := start(ctx, o, "match")
	if err != nil {
		return err
	}
	loaded, err := m.figures()
	if err != nil {
		return err
	}
	if _, err := once(ctx, o, "change"); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(m.in); err != nil {
		return err
	}
	if _, err := m.figures(); err != nil {
		return err
	}
	if err := m.end(); err != nil {
		return err
	}
	o.profile = ""
	if _, err := once(ctx, o, "match"); err != nil {
		return err
	}
	fmt.Printf("from the topics alone the matcher does %.2f of the copying loop's events/s\n", loaded.rate()/copied.rate())
	return nil
}
