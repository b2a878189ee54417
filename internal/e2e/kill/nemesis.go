package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// parallelPages is how many result pages the producer reads at a time, of both objects together; pageRows is how many rows
// the org puts in one: few, so that a snapshot has many places at which it can be killed.
const parallelPages, pageRows = 4, 10

// The longest life of a process before it is killed, and about how long a pause takes.
const (
	aliveInSnapshot = 2500 * time.Millisecond
	aliveInChanges  = 2500 * time.Millisecond
	pauseTakes      = 7 * time.Second
)

// slowPages makes the org's Bulk result pages slow; 0 makes them fast again.
func (t *trial) slowPages(ctx context.Context, delay time.Duration) error {
	if err := t.simulator.Do(ctx, http.MethodDelete, "/fault", nil, nil); err != nil {
		return err
	}
	if delay == 0 {
		return nil
	}
	return t.simulator.Do(ctx, http.MethodPost, "/fault", map[string]any{
		"path": "/services/data/*/jobs/query/*/results", "delay": delay.String(), "count": -1,
	}, nil)
}

// disturbSnapshot kills and pauses before the snapshot is over. Pages are made so slow that it lasts long enough.
func (t *trial) disturbSnapshot(ctx context.Context, kills, pauses int) error {
	began, before := time.Now(), 0
	var rows, expected int64 = 0, int64(t.accounts + t.contacts)
	slow := func(ahead time.Duration) error {
		pages := max(1, int(expected-rows)/pageRows) // at most: after a crash some are read and counted again
		delay := ahead * parallelPages / time.Duration(pages)
		return t.slowPages(ctx, min(max(delay, 10*time.Millisecond), 300*time.Millisecond))
	}
	if err := slow(time.Duration(kills)*aliveInSnapshot + time.Duration(pauses)*pauseTakes); err != nil {
		return err
	}
	if err := t.pauseOften(ctx, pauses, "snapshot"); err != nil {
		return err
	}
	n := 0
	for ; n < kills; n++ {
		if err := slow(time.Duration(kills-n) * aliveInSnapshot); err != nil {
			return err
		}
		s, err := t.lifeAndDeath(ctx, aliveInSnapshot)
		if err != nil {
			return err
		}
		if s.phase() == "streaming" {
			break
		}
		if got, all := s.rows(); all > 0 {
			rows, expected = got, all
		} else {
			before++
		}
	}
	if kills > 0 {
		t.report.Check(n == kills, fmt.Sprintf("%d kills during the snapshot (%d of them before its first row, the last at row %d of %d; %.0f s)",
			n, before, rows, expected, time.Since(began).Seconds()), fmt.Sprintf("it was over after %d of %d kills; -accounts and -contacts make it longer", n, kills))
	}
	return t.slowPages(ctx, 0)
}

// lifeAndDeath starts the pipeline, waits until it has its tasks, lets it live for a random time, and kills it. It returns
// the last thing that it said.
func (t *trial) lifeAndDeath(ctx context.Context, longest time.Duration) (status, error) {
	if err := t.pipeline.Start(ctx); err != nil {
		return status{}, err
	}
	s, err := t.pipeline.await(ctx, status.owned)
	if err != nil {
		return s, err
	}
	life := time.Duration(t.nemesis.Int64N(int64(longest)))
	end := time.Now().Add(life)
	s, err = t.pipeline.await(ctx, func(status) bool { return !time.Now().Before(end) })
	t.pipeline.Kill()
	if err != nil {
		return s, err
	}
	return s, t.pipeline.Note("killed %d ms after it got its tasks, as it said: %+v", life.Milliseconds(), s)
}

// disturbChanges lets the snapshot end, then kills and pauses while the org changes.
func (t *trial) disturbChanges(ctx context.Context, kills, pauses int) error {
	if err := t.pipeline.Start(ctx); err != nil {
		return err
	}
	if _, err := t.pipeline.await(ctx, status.live); err != nil {
		return err
	}
	t.pipeline.Kill()
	if err := t.killDuringChanges(ctx, kills); err != nil {
		return err
	}
	return t.pauseOften(ctx, pauses, "changes")
}

// killDuringChanges kills n times: every fifth time the local state is lost too, and every third time the ERP file changes and
// is imported meanwhile.
func (t *trial) killDuringChanges(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	began, lost, imports := time.Now(), 0, 0
	for i := range n {
		imported := make(chan error, 1)
		if i%3 == 1 {
			imports++
			t.simulator.Ledger.Revise()
			go func() { imported <- t.importERP(ctx) }()
		} else {
			imported <- nil
		}
		_, err := t.lifeAndDeath(ctx, aliveInChanges)
		if ierr := <-imported; err == nil {
			err = ierr
		}
		if err != nil {
			return err
		}
		if i%5 == 4 {
			lost++
			if err := t.pipeline.LoseState(); err != nil {
				return err
			}
		}
	}
	t.report.Check(true, fmt.Sprintf("%d kills during changes (%d of them with the loss of the local state, %d during an ERP import; %.0f s)",
		n, lost, imports, time.Since(began).Seconds()), "")
	return nil
}
