//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"
)

// figures is what a part says when it has done a piece of work.
type figures struct {
	Work    string
	Events  int64
	Seconds float64
	CPU     float64 // seconds of this piece
	RSS     int64   // peak of the process so far, bytes
	P50     float64 // of single changes: milliseconds
	P99     float64
	Max     float64
}

const heading = "work                                       events  seconds  events/s    CPU s  CPU s/million  peak MiB"

func (f figures) String() string {
	line := fmt.Sprintf("%-38s %10d %8.2f %9.0f %8.2f %14.2f %9d", f.Work, f.Events, f.Seconds, f.rate(), f.CPU, f.perMillion(), f.RSS>>20)
	if f.P99 > 0 {
		line += fmt.Sprintf("\n  from input to readable view: p50 %.2f ms, p99 %.2f ms, longest %.2f ms", f.P50, f.P99, f.Max)
	}
	return line
}

func (f figures) rate() float64       { return float64(f.Events) / f.Seconds }
func (f figures) perMillion() float64 { return f.CPU * 1e6 / float64(max(1, f.Events)) }

// plus is both pieces of work taken together.
func (f figures) plus(g figures) figures {
	return figures{Events: f.Events + g.Events, Seconds: f.Seconds + g.Seconds, CPU: f.CPU + g.CPU, RSS: max(f.RSS, g.RSS)}
}

// goal is one line of the comparison with what is to be reached.
type goal struct {
	what   string
	is     float64
	unit   string
	target float64
	least  bool // the target is the least that is good, else the most
}

func (g goal) String() string {
	sign, good := "≤", g.is <= g.target
	if g.least {
		sign, good = "≥", g.is >= g.target
	}
	verdict := "reached"
	if !good {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%-58s %10.2f %-10s %s %-8g %s", g.what, g.is, g.unit, sign, g.target, verdict)
}

// meter measures pieces of work of this process.
type meter struct {
	at  time.Time
	cpu float64
}

func newMeter() meter { return meter{time.Now(), cpuSeconds()} }

func (m *meter) done(work string, events int64) error {
	return m.say(figures{Work: work, Events: events})
}

// say completes the figures, which may have been timed already, and tells them to the conductor.
func (m *meter) say(f figures) error {
	next := newMeter()
	f.CPU, f.RSS = next.cpu-m.cpu, peak()
	if f.Seconds == 0 {
		f.Seconds = next.at.Sub(m.at).Seconds()
	}
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
