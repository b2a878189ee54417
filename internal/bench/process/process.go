//go:build unix

// Package process runs the parts of a benchmark, each in a process of its own, so that what a part takes is its own.
//
// A benchmark is one program. Called by a person it conducts: it starts the servers (Start), runs itself once for each
// part with the part's options as JSON (Self), and prints what came back. Called with such options it performs one part
// and prints its figures as JSON (Print). Profile and Samples are for within a part.
package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Login is the line that `crosswalk simulator` prints when it is ready.
type Login struct {
	LoginURL     string `json:"login_url"`
	InstanceURL  string `json:"instance_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Username     string `json:"username"`
	Password     string `json:"password"`
	ControlURL   string `json:"control_url"`
}

// Endpoints is what `crosswalk run console --json` prints of its embedded broker and registry.
type Endpoints struct{ Kafka, Registry string }

// Start runs a program that prints one line of JSON when it is ready; the line is decoded into ready. end asks it to end
// and waits; usage, valid after end, is what it took.
func Start(ctx context.Context, ready any, program string, args ...string) (end func() Usage, err error) {
	c := exec.CommandContext(ctx, program, args...)
	c.Stderr = os.Stderr
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 10 * time.Second
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	end = func() Usage {
		_ = c.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		_ = c.Wait()
		return usageOf(c.ProcessState)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, ready)
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("start %s: it did not say that it is ready: %w", args[0], err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return end, nil
}

// Usage is what a process took.
type Usage struct {
	CPU  float64 // seconds, user and system
	Peak int64   // greatest resident memory, bytes
}

func usageOf(s *os.ProcessState) Usage {
	u := Usage{CPU: (s.UserTime() + s.SystemTime()).Seconds()}
	if r, ok := s.SysUsage().(*syscall.Rusage); ok {
		u.Peak = r.Maxrss << 10
	}
	return u
}

// Self runs this program once more, with options as the value of its flag -part, and decodes what it prints.
func Self(ctx context.Context, options, printed any) (Usage, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return Usage{}, fmt.Errorf("hand on options: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return Usage{}, fmt.Errorf("find this program: %w", err)
	}
	c := exec.CommandContext(ctx, self, "-part", string(text))
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return Usage{}, err
	}
	if err := json.Unmarshal(out, printed); err != nil {
		return Usage{}, fmt.Errorf("read figures %q: %w", out, err)
	}
	return usageOf(c.ProcessState), nil
}

// Print is how a part tells its figures.
func Print(figures any) error { return json.NewEncoder(os.Stdout).Encode(figures) }

// CPU is what this process has used so far, seconds.
func CPU() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// Resident is the memory that this process holds now, bytes; 0 where the system does not tell.
func Resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// Profile writes the CPU profile and the allocations of what happens until stop is called to folder, as NAME.cpu and
// NAME.allocs. Without a folder it does nothing.
func Profile(folder, name string) (stop func() error, err error) {
	if folder == "" {
		return func() error { return nil }, nil
	}
	out, err := os.Create(filepath.Join(folder, name+".cpu"))
	if err != nil {
		return nil, fmt.Errorf("write profile: %w", err)
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, errors.Join(fmt.Errorf("write profile: %w", err), out.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		var allocs bytes.Buffer
		if err := pprof.Lookup("allocs").WriteTo(&allocs, 0); err != nil {
			return errors.Join(fmt.Errorf("write profile: %w", err), out.Close())
		}
		return errors.Join(out.Close(), os.WriteFile(filepath.Join(folder, name+".allocs"), allocs.Bytes(), 0o644))
	}, nil
}

// Control sends a request with a JSON body, none when nil, to a simulator's control address and decodes the answer
// into reply, unless that is nil.
func Control(ctx context.Context, control, method, path string, body, reply any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	r, err := http.NewRequestWithContext(ctx, method, control+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: the simulated org answered %s: %s", method, path, answer.Status, all)
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(all, reply); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
