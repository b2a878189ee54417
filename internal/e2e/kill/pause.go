package main

import (
	"context"
	"fmt"
	"time"
)

// processes are both.
func (t *trial) processes() []*pipeline { return []*pipeline{t.pipeline, t.second} }

// pauseOften lets two processes share the org, and n times stops the one that has the Salesforce task (SIGSTOP), at a random
// moment, until the other has it and a random time longer. What the stopped one had on its way, it sends when it goes on
// (W1, W2, F07).
func (t *trial) pauseOften(ctx context.Context, n int, during string) error {
	if n == 0 {
		return nil
	}
	began, lost := time.Now(), t.lost()
	for _, p := range t.processes() {
		if !p.Up() {
			if err := p.Start(ctx); err != nil {
				return err
			}
		}
	}
	var moved, noticed, longest time.Duration
	for i := range n {
		m, l, w, err := t.pauseOnce(ctx, i)
		if err != nil {
			return err
		}
		moved, noticed, longest = max(moved, m), max(noticed, w), max(longest, l)
	}
	if _, _, err := t.owner(ctx); err != nil { // the last one has noticed
		return err
	}
	t.second.Kill()
	t.pipeline.Kill()
	lost = t.lost() - lost
	t.report.Check(lost >= n, fmt.Sprintf("%d pauses of the owner during the %s, up to %.1f s with a session of %s: the other had the task after %.1f s at most, the owner knew %.1f s after it woke (%.0f s)",
		n, during, longest.Seconds(), t.Session, moved.Seconds(), noticed.Seconds(), time.Since(began).Seconds()),
		fmt.Sprintf("only %d times an owner found its tasks lost", lost))
	return nil
}

// pauseOnce returns how long it took until the other had the task, how long the pause was, and how long the owner took to know
// that it had lost it.
func (t *trial) pauseOnce(ctx context.Context, i int) (moved, pause, noticed time.Duration, err error) {
	if _, _, err = t.owner(ctx); err != nil {
		return 0, 0, 0, err
	}
	until := time.Now().Add(time.Duration(t.nemesis.Int64N(int64(2 * time.Second))))
	if _, err = t.pipeline.await(ctx, func(status) bool { return !time.Now().Before(until) }); err != nil {
		return 0, 0, 0, err
	}
	owner, other, err := t.owner(ctx) // it may have moved meanwhile
	if err != nil {
		return 0, 0, 0, err
	}
	if err = owner.Pause(); err != nil {
		return 0, 0, 0, err
	}
	stopped := time.Now()
	if _, err = other.await(ctx, status.owned); err != nil {
		return 0, 0, 0, err
	}
	moved = time.Since(stopped)
	until = time.Now().Add(time.Duration(t.nemesis.Int64N(int64(2 * t.Session))))
	if _, err = other.await(ctx, func(status) bool { return !time.Now().Before(until) }); err != nil {
		return 0, 0, 0, err
	}
	pause = time.Since(stopped)
	if err = owner.Note("stopped for %d ms (pause %d), and goes on", pause.Milliseconds(), i+1); err != nil {
		return 0, 0, 0, err
	}
	before := t.lost()
	if err = owner.Continue(); err != nil {
		return 0, 0, 0, err
	}
	woke := time.Now()
	_, err = owner.await(ctx, func(s status) bool { return !s.owned() || t.lost() > before }) // it may have it again soon
	return moved, pause, time.Since(woke), err
}

// owner waits until one process alone has the Salesforce task.
func (t *trial) owner(ctx context.Context) (owner, other *pipeline, err error) {
	_, err = t.pipeline.await(ctx, func(s status) bool {
		var of status
		if _, err = t.second.await(ctx, func(s status) bool { of = s; return true }); err != nil {
			return true
		}
		owner, other = t.pipeline, t.second
		if of.owned() {
			owner, other = t.second, t.pipeline
		}
		return s.owned() != of.owned()
	})
	return owner, other, err
}

// lost counts how often a process found its tasks lost.
func (t *trial) lost() int {
	n := 0
	for _, p := range t.processes() {
		n += p.Lost()
	}
	return n
}
