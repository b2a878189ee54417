package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progress shows one counter: a bar on a terminal, a line every ten seconds elsewhere. It prints to standard error.
type progress struct {
	name string
	out  io.Writer

	mu    sync.Mutex
	pool  *mpb.Progress
	bar   *mpb.Bar
	last  time.Time
	total int64
	value int64
}

const plainEvery = 10 * time.Second

// progress starts a counter of this name.
func (s *shell) progress(name string) *progress {
	p := &progress{name: name, out: s.err, last: time.Now()}
	if isTerminal(s.err.out) && !s.json {
		p.pool = mpb.New(mpb.WithOutput(s.err.out), mpb.WithWidth(40)) // it asks the terminal for its size
	}
	return p
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// set tells the total (0 when it is not known) and how much is done. It may be called from any goroutine, as often as liked.
func (p *progress) set(total, value int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total, p.value = total, value
	if p.pool == nil {
		if time.Since(p.last) >= plainEvery {
			p.last = time.Now()
			p.line()
		}
		return
	}
	if p.bar == nil {
		p.bar = p.pool.New(total, mpb.BarStyle(),
			mpb.PrependDecorators(decor.Name(p.name, decor.WC{W: len(p.name) + 1})),
			mpb.AppendDecorators(decor.CountersNoUnit("%d / %d"), decor.Percentage(decor.WCSyncSpace)))
	}
	p.bar.SetTotal(max(total, value), false)
	p.bar.SetCurrent(value)
}

func (p *progress) line() {
	if p.total > 0 {
		fmt.Fprintf(p.out, "%s: %d of %d (%d %%)\n", p.name, p.value, p.total, p.value*100/p.total)
		return
	}
	fmt.Fprintf(p.out, "%s: %d\n", p.name, p.value)
}

// done removes the bar's animation and leaves its last state.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pool == nil {
		return
	}
	if p.bar != nil {
		p.bar.SetTotal(p.value, true)
	}
	p.pool.Wait()
}
