//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"time"

	"crosswalk/internal/registry"
)

// conduct runs the parts one after the other.
func conduct(ctx context.Context, o options) error {
	server, err := registry.NewServer(ctx, &registry.MemoryLog{})
	if err != nil {
		return err
	}
	http := httptest.NewServer(server)
	defer http.Close()
	o.Registry = http.URL
	o.Org = fmt.Sprint("bench", time.Now().Unix())
	if o.State, err = os.MkdirTemp("", "crosswalk-bench"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(o.State) }() // a folder for temporary files
	end, err := o.startBroker(ctx)
	if err != nil {
		return err
	}
	defer end()
	fmt.Println(heading)
	if _, err := once(ctx, o, "load"); err != nil {
		return err
	}
	copied, err := once(ctx, o, "copy")
	if err != nil {
		return err
	}
	r, err := conductMatcher(ctx, o)
	if err != nil {
		return err
	}
	r.copied = copied
	r.print(o)
	return nil
}

// result is what is compared with what is to be reached.
type result struct {
	copied, first, changes, single, restart, rebuild, takeover figures
}

// conductMatcher lets the matcher build everything, work off a backlog of changes, follow single changes, and start
// again after it was killed, with its state and without.
func conductMatcher(ctx context.Context, o options) (r result, err error) {
	m, err := start(ctx, o, "match")
	if err != nil {
		return r, err
	}
	if r.first, err = m.figures(); err != nil {
		return r, err
	}
	if err := m.pause(); err != nil {
		return r, err
	}
	if _, err := once(ctx, o, "change"); err != nil {
		return r, err
	}
	if err := m.proceed(); err != nil {
		return r, err
	}
	if err := m.resume(); err != nil {
		return r, err
	}
	if r.changes, err = m.figures(); err != nil {
		return r, err
	}
	if r.single, err = once(ctx, o, "probe"); err != nil {
		return r, err
	}
	if r.takeover, err = takeOver(ctx, o, m); err != nil {
		return r, err
	}
	if r.restart, err = once(ctx, o, "match"); err != nil {
		return r, err
	}
	if err := os.RemoveAll(o.State); err != nil {
		return r, err
	}
	r.rebuild, err = once(ctx, o, "match")
	return r, err
}

// takeOver kills a matcher while another stands by, which takes over.
func takeOver(ctx context.Context, o options, owner *part) (figures, error) {
	var err error
	if o.State, err = os.MkdirTemp("", "crosswalk-bench-standby"); err != nil {
		return figures{}, err
	}
	defer func() { _ = os.RemoveAll(o.State) }() // a folder for temporary files
	standby, err := start(ctx, o, "stand")
	if err != nil {
		return figures{}, err
	}
	if _, err := standby.figures(); err != nil {
		return figures{}, err
	}
	if err := owner.kill(); err != nil {
		return figures{}, err
	}
	if err := standby.proceed(); err != nil {
		return figures{}, err
	}
	f, err := standby.figures()
	if err != nil {
		return figures{}, err
	}
	return f, standby.end()
}

func (r result) print(o options) {
	worked := r.first.plus(r.changes)
	fmt.Printf("\nof %d accounts, %d contacts, %d customers and %d changes; the goals are for 100,000 accounts or more on a machine with nothing else to do\n", o.Accounts, 3*o.Accounts, o.Accounts, o.Updates)
	memory := 500.0
	if o.Accounts > 100_000 {
		memory = 3000
	}
	for _, g := range []goal{
		{"CPU of the matcher per million input events", worked.perMillion(), "s", 12, false},
		{"  of these, first build", r.first.perMillion(), "s", 12, false},
		{"  of these, changes", r.changes.perMillion(), "s", 12, false},
		{"events/s as a part of the copying loop's, all", worked.rate() / r.copied.rate(), "", 0.2, true},
		{"  of these, changes (a view is as long as five records)", r.changes.rate() / r.copied.rate(), "", 0.2, true},
		{"peak memory, all processes of the matcher", float64(max(worked.RSS, r.restart.RSS, r.rebuild.RSS)) / (1 << 20), "MiB", memory, false},
		{"start on its state after SIGKILL", r.restart.Seconds, "s", 10, false},
		{"start from topics alone, inputs and outputs read", r.rebuild.rate(), "records/s", 200_000, true},
		{"a warm standby takes over, after it is told to", r.takeover.Seconds, "s", 1, false},
		{"single changes, p50", r.single.P50, "ms", 5, false},
		{"single changes, p99", r.single.P99, "ms", 20, false},
	} {
		fmt.Println(g)
	}
}
