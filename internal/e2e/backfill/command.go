package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// backfill is what the commands say of one.
type backfill struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Parts []struct {
		Read int `json:"read"`
	} `json:"parts"`
}

func (b *backfill) read() (n int) {
	for _, p := range b.Parts {
		n += p.Read
	}
	return n
}

// command is `crosswalk backfill …`, in a process of its own.
type command struct {
	cmd        *exec.Cmd
	said, told bytes.Buffer // after it has ended
	ended      chan struct{}
	code       int // after it has ended
}

// backfillCommand starts one with the configuration of a folder.
func (t *trial) backfillCommand(ctx context.Context, folder string, args ...string) (*command, error) {
	args = append([]string{"backfill", "--json", "--config", filepath.Join(folder, "crosswalk.yaml")}, args...)
	c := &command{cmd: exec.CommandContext(ctx, t.Binary, args...), ended: make(chan struct{})} //nolint:gosec // the binary under trial
	c.cmd.Stdout, c.cmd.Stderr = &c.said, &c.told
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start crosswalk backfill: %w", err)
	}
	go func() {
		defer close(c.ended)
		var exit *exec.ExitError
		err := c.cmd.Wait()
		if c.code = c.cmd.ProcessState.ExitCode(); err != nil && !errors.As(err, &exit) {
			c.code = -1
		}
	}()
	return c, nil
}

// interrupt is Ctrl-C.
func (c *command) interrupt() (code int, told string) {
	_ = c.cmd.Process.Signal(os.Interrupt) // it may be gone already
	<-c.ended
	return c.code, c.told.String()
}

// result waits until it has ended, and returns what it printed.
func (c *command) result() (out []backfill, code int, told string) {
	<-c.ended
	d := json.NewDecoder(&c.said)
	for d.More() {
		var b backfill
		if err := d.Decode(&b); err != nil {
			return out, -1, err.Error() + ": " + c.told.String()
		}
		out = append(out, b)
	}
	return out, c.code, c.told.String()
}

// ask runs one to its end; it must print one backfill.
func (t *trial) ask(ctx context.Context, folder string, args ...string) (b backfill, code int, told string, err error) {
	c, err := t.backfillCommand(ctx, folder, args...)
	if err != nil {
		return b, 0, "", err
	}
	out, code, told := c.result()
	if len(out) == 1 {
		b = out[0]
	}
	return b, code, told, nil
}

// list is `crosswalk backfill list`, by id.
func (t *trial) list(ctx context.Context) (map[string]backfill, error) {
	c, err := t.backfillCommand(ctx, t.asker, "list")
	if err != nil {
		return nil, err
	}
	out, code, told := c.result()
	if code != 0 {
		return nil, fmt.Errorf("crosswalk backfill list ended with %d: %s", code, told)
	}
	all := map[string]backfill{}
	for _, b := range out {
		all[b.ID] = b
	}
	return all, nil
}
