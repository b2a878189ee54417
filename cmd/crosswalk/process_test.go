package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// processVariable makes the test's own program the command.
const processVariable = "CROSSWALK_IS_THE_TEST"

// TestMain lets the test's own program be a crosswalk process, which can be killed. It ends with the test that started it,
// whatever becomes of that: their pipe is closed then.
func TestMain(m *testing.M) {
	if os.Getenv(processVariable) == "" {
		os.Exit(m.Run())
	}
	if err := os.Unsetenv(processVariable); err != nil {
		os.Exit(exitFailed)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(exitFailed)
	}()
	main()
}

// process is a crosswalk process of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	said  printed // on standard output
	told  printed // on standard error
	ended chan struct{}
	code  int // after ended
}

// printed is what a process has printed so far.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
	line chan struct{} // closed at the first whole line
	once sync.Once
}

// Write takes what the process prints.
func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if bytes.IndexByte(b, '\n') >= 0 {
		p.once.Do(func() { close(p.line) })
	}
	return p.text.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// spawn starts one.
func (b *bench) spawn(args ...string) *process {
	b.t.Helper()
	p := &process{t: b.t, ended: make(chan struct{}), said: printed{line: make(chan struct{})}, told: printed{line: make(chan struct{})}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p.cmd = exec.CommandContext(ctx, os.Args[0], args...)
	p.cmd.Env = []string{processVariable + "=1"}
	for _, v := range os.Environ() { // what the configuration could be in stays out
		if !strings.HasPrefix(v, "CROSSWALK_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.told
	in, err := p.cmd.StdinPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	p.stdin = in
	go func() {
		defer close(p.ended)
		defer cancel()
		err := p.cmd.Wait()
		var exit *exec.ExitError
		if p.code = p.cmd.ProcessState.ExitCode(); err != nil && !errors.As(err, &exit) {
			p.code = -1
		}
	}()
	b.t.Cleanup(p.kill)
	return p
}

// listens waits until the process says where it does.
func (p *process) listens() {
	p.t.Helper()
	select {
	case <-p.said.line:
	case <-p.ended:
		p.t.Fatalf("%v ended with %d: %s", p.cmd.Args[1:], p.code, p.told.String())
	}
}

// kill sends SIGKILL and waits until the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// end sends a signal and returns the exit status.
func (p *process) end(with os.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(with); err != nil {
		p.t.Error(err)
	}
	<-p.ended
	return p.code
}

// interrupt is Ctrl-C.
func (p *process) interrupt() int { p.t.Helper(); return p.end(os.Interrupt) }

// stop is how an init system ends it.
func (p *process) stop() int { p.t.Helper(); return p.end(syscall.SIGTERM) }
