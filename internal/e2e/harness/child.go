package harness

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

// Child is a process of the binary under trial. Its first line of output is JSON that says where it listens.
type Child struct {
	cmd   *exec.Cmd
	log   *os.File
	Ended chan struct{} // closed when it has exited and err is set
	Err   error
}

// Launch starts the binary and decodes its first line into ready. What it writes to standard error goes to a file.
func Launch(ctx context.Context, binary, logPath string, ready any, args ...string) (*Child, error) {
	log, err := os.OpenFile(filepath.Clean(logPath), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	c := &Child{cmd: exec.Command(binary, args...), log: log, Ended: make(chan struct{})} //nolint:gosec // the binary under trial
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
		c.Err = c.cmd.Wait()
		close(c.Ended)
	}()
	select {
	case line := <-first:
		if err := json.Unmarshal(line, ready); err != nil {
			c.Kill()
			return nil, fmt.Errorf("start %s: it did not say where it listens; its log ends with: %s", args[0], Tail(logPath))
		}
		return c, nil
	case <-ctx.Done():
		c.Kill()
		return nil, fmt.Errorf("start %s: %w; its log ends with: %s", args[0], context.Cause(ctx), Tail(logPath))
	}
}

// Kill sends SIGKILL and waits until the process is gone.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // it may be gone already
	<-c.Ended
	_ = c.log.Close()
}

// Pause stops the process where it is (SIGSTOP): it neither does anything nor knows that time passes.
func (c *Child) Pause() error { return c.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a paused process go on (SIGCONT).
func (c *Child) Continue() error { return c.cmd.Process.Signal(syscall.SIGCONT) }

// Stop asks it to end (SIGTERM) and returns how it did; after patience it is killed.
func (c *Child) Stop(patience time.Duration) error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.Ended:
		_ = c.log.Close()
		return c.Err
	case <-timer.C:
		c.Kill()
		return fmt.Errorf("it did not end within %s of SIGTERM", patience)
	}
}

// Dead reports whether it has ended by itself.
func (c *Child) Dead() bool {
	select {
	case <-c.Ended:
		return true
	default:
		return false
	}
}

// Tail is the end of a log, 600 bytes at most, or why it cannot be read.
func Tail(path string) string {
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

// FetchJSON gets a JSON document within five seconds and decodes it into into.
func FetchJSON(ctx context.Context, url string, into any) error {
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
