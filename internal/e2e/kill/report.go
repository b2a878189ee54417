package main

import (
	"fmt"
	"io"
)

// report prints and counts checks.
type report struct {
	out            io.Writer
	passed, failed int
}

// check prints one line: what was held to be true, and, when it is not, what was found instead.
func (r *report) check(ok bool, what, found string) {
	if ok {
		r.passed++
		fmt.Fprintf(r.out, "ok     %s\n", what)
		return
	}
	r.failed++
	fmt.Fprintf(r.out, "FAILED %s: %s\n", what, found)
}

// none checks that a list of faults is empty; it shows the first three.
func (r *report) none(faults []string, what string) {
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
	r.check(len(faults) == 0, what, text)
}

// say prints a line that is no check.
func (r *report) say(format string, args ...any) {
	fmt.Fprintf(r.out, "       "+format+"\n", args...)
}
