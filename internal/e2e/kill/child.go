package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// child is a process of the binary under trial. Its first line of output is JSON that says where it listens.
type child struct {
	cmd   *exec.Cmd
	log   *os.File
	ended chan struct{} // closed when it has exited and err is set
	err   error
}

// launch starts the binary and decodes its first line into ready. What it writes to standard error goes to a file.
func launch(ctx context.Context, binary, logPath string, ready any, args ...string) (*child, error) {
	log, err := os.OpenFile(filepath.Clean(logPath), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	c := &child{cmd: exec.Command(binary, args...), log: log, ended: make(chan struct{})} //nolint:gosec // the binary under trial
	c.cmd.Stderr = log
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s %s: %w", binary, args[0], err), log.Close())
	}
	first := make(chan []byte, 1)
	go func() {
		in := bufio.NewReader(out)
		line, _ := in.ReadBytes('\n')
		first <- line
		_, _ = io.Copy(io.Discard, in) // until it exits
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	select {
	case line := <-first:
		if err := json.Unmarshal(line, ready); err != nil {
			c.kill()
			return nil, fmt.Errorf("start %s: it did not say where it listens; its log ends with: %s", args[0], tail(logPath))
		}
		return c, nil
	case <-ctx.Done():
		c.kill()
		return nil, fmt.Errorf("start %s: %w; its log ends with: %s", args[0], context.Cause(ctx), tail(logPath))
	}
}

// kill sends SIGKILL and waits until the process is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may be gone already
	<-c.ended
	_ = c.log.Close()
}

// stop asks it to end (SIGTERM) and returns how it did; after patience it is killed.
func (c *child) stop(patience time.Duration) error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.ended:
		_ = c.log.Close()
		return c.err
	case <-timer.C:
		c.kill()
		return fmt.Errorf("it did not end within %s of SIGTERM", patience)
	}
}

// dead reports whether it has ended by itself.
func (c *child) dead() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// tail is the end of a log.
func tail(path string) string {
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return err.Error()
	}
	const most = 600
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(text)
}

// fetchJSON gets a JSON document.
func fetchJSON(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	defer reply.Body.Close()
	if err := json.NewDecoder(reply.Body).Decode(into); err != nil {
		return fmt.Errorf("read answer of %s: %w", url, err)
	}
	return nil
}
