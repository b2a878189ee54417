//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// part is a process that plays a role.
type part struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts this program again in a role, with the same options.
func start(ctx context.Context, o options, role string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	o.Role = role
	if role != "match" && role != "stand" {
		o.Profile = ""
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-part", string(text))
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprint("GOGC=", o.GOGC))
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

// kill ends the part at once, as a crash does.
func (p *part) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &exit) {
		return err
	}
	return nil
}

// pause stops the part's process until resume.
func (p *part) pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

func (p *part) resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// proceed tells the part to go on with its next piece of work.
func (p *part) proceed() error {
	_, err := fmt.Fprintln(p.in)
	return err
}
