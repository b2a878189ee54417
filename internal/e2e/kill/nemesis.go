package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// parallelPages is how many result pages the producer reads at a time, of both objects together.
const parallelPages = 4

// slowPages makes the org's Bulk result pages slow; 0 makes them fast again.
func (t *trial) slowPages(ctx context.Context, delay time.Duration) error {
	if err := t.control.do(ctx, http.MethodDelete, "/fault", nil, nil); err != nil {
		return err
	}
	if delay == 0 {
		return nil
	}
	return t.control.do(ctx, http.MethodPost, "/fault", map[string]any{
		"path": "/services/data/*/jobs/query/*/results", "delay": delay.String(), "count": -1,
	}, nil)
}

// killDuringSnapshot kills n times before the snapshot is over. Pages are made so slow that it lasts long enough.
func (t *trial) killDuringSnapshot(ctx context.Context, n int) error {
	const alive = 2500 * time.Millisecond // longest life of a process
	began, kills, before := time.Now(), 0, 0
	var rows, expected int64 = 0, int64(t.accounts + t.contacts)
	for ; kills < n; kills++ {
		pages := max(1, int(expected-rows)/t.pageRows) // at most: after a crash some are read and counted again
		delay := alive * time.Duration((n-kills)*parallelPages) / time.Duration(pages)
		if err := t.slowPages(ctx, min(max(delay, 10*time.Millisecond), 2*time.Second)); err != nil {
			return err
		}
		s, err := t.lifeAndDeath(ctx, alive)
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
	t.report.check(kills == n, fmt.Sprintf("%d kills during the snapshot (%d of them before its first row, the last at row %d of %d; %.0f s)",
		kills, before, rows, expected, time.Since(began).Seconds()), fmt.Sprintf("it was over after %d of %d kills; -accounts and -contacts make it longer", kills, n))
	return t.slowPages(ctx, 0)
}

// lifeAndDeath starts the pipeline, waits until it has its tasks, lets it live for a random time, and kills it. It returns
// the last thing that it said.
func (t *trial) lifeAndDeath(ctx context.Context, longest time.Duration) (status, error) {
	if err := t.pipeline.start(ctx); err != nil {
		return status{}, err
	}
	s, err := t.pipeline.await(ctx, status.owned)
	if err != nil {
		return s, err
	}
	life := time.Duration(t.nemesis.Int64N(int64(longest)))
	end := time.Now().Add(life)
	s, err = t.pipeline.await(ctx, func(status) bool { return !time.Now().Before(end) })
	t.pipeline.kill()
	if err != nil {
		return s, err
	}
	return s, t.pipeline.note("killed %d ms after it got its tasks, as it said: %+v", life.Milliseconds(), s)
}

// killDuringChanges lets the snapshot end and kills n times while the org changes: every fifth time the local state is lost
// too, and every third time the ERP file changes and is imported meanwhile.
func (t *trial) killDuringChanges(ctx context.Context, n int) error {
	if err := t.pipeline.start(ctx); err != nil {
		return err
	}
	if _, err := t.pipeline.await(ctx, status.live); err != nil {
		return err
	}
	t.pipeline.kill()
	const alive = 4 * time.Second
	began, lost, imports := time.Now(), 0, 0
	for i := range n {
		imported := make(chan error, 1)
		if i%3 == 1 {
			imports++
			t.ledger.revise()
			go func() { imported <- t.importERP(ctx) }()
		} else {
			imported <- nil
		}
		_, err := t.lifeAndDeath(ctx, alive)
		if ierr := <-imported; err == nil {
			err = ierr
		}
		if err != nil {
			return err
		}
		if i%5 == 4 {
			lost++
			if err := t.pipeline.loseState(); err != nil {
				return err
			}
		}
	}
	t.report.check(true, fmt.Sprintf("%d kills during changes (%d of them with the loss of the local state, %d during an ERP import; %.0f s)",
		n, lost, imports, time.Since(began).Seconds()), "")
	return nil
}
