// Package harness is what the trials have in common, in Jepsen's words: processes of the binary that a nemesis kills and
// stops (Process, Child), the way to change the simulated org (Control), the history that the topics hold (Follower, History,
// Positions), and what a checker says of it (Report). A trial's command is a generator and a nemesis of its own between these.
package harness

import (
	"fmt"
	"io"
)

// Report prints and counts checks.
type Report struct {
	Out            io.Writer
	Passed, Failed int
}

// Check prints one line: what was held to be true, and, when it is not, what was found instead.
func (r *Report) Check(ok bool, what, found string) {
	if ok {
		r.Passed++
		fmt.Fprintf(r.Out, "ok     %s\n", what)
		return
	}
	r.Failed++
	fmt.Fprintf(r.Out, "FAILED %s: %s\n", what, found)
}

// None checks that a list of faults is empty; it shows the first three.
func (r *Report) None(faults []string, what string) {
	text := ""
	for i, f := range faults {
		if i == 3 {
			text += fmt.Sprintf("; and %d more", len(faults)-i)
			break
		}
		if i > 0 {
			text += "; "
		}
		text += f
	}
	r.Check(len(faults) == 0, what, text)
}

// Say prints a line that is no check.
func (r *Report) Say(format string, args ...any) {
	fmt.Fprintf(r.Out, "       "+format+"\n", args...)
}
