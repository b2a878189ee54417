package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/retry"
	"crosswalk/internal/topic"
)

// clerk works through what is on the desk, one backfill at a time, beside the loop and the stream.
type clerk struct {
	*loop
	notes *notes // nil when none are read
}

// BackfillSource begins the source under which crosswalk.position keeps a backfill; its id follows.
const BackfillSource = "backfill/"

// backfillKey is where a backfill's position keeps the whole of it.
const backfillKey = "backfill"

// releaseEvery is how often is looked for snapshots that have been paused for too long.
const releaseEvery = time.Minute

// run works until ctx ends.
func (c *clerk) run(ctx context.Context) error {
	if err := c.tellLost(ctx); err != nil {
		return unlessEnded(ctx, err)
	}
	for _, b := range c.desk.paused() { // before a restart
		if err := c.letGo(ctx, b); err != nil {
			return unlessEnded(ctx, err)
		}
	}
	c.show()
	ticker := time.NewTicker(min(releaseEvery, c.cfg.BackfillPause))
	defer ticker.Stop()
	for {
		if err := c.forget(ctx, c.desk.withdrawn()); err != nil {
			return unlessEnded(ctx, err)
		}
		for _, b := range c.desk.changes() {
			if err := c.accept(ctx, b); err != nil {
				return unlessEnded(ctx, err)
			}
		}
		b, q, working := c.desk.next(ctx)
		if b == nil {
			select {
			case <-c.desk.woken:
				continue
			case <-ticker.C:
				if err := c.release(ctx); err != nil {
					return unlessEnded(ctx, err)
				}
				continue
			case <-ctx.Done():
				return nil
			}
		}
		err := c.work(working, b, q)
		c.desk.done()
		if err := c.conclude(ctx, b, err); err != nil {
			return unlessEnded(ctx, err)
		}
	}
}

// unlessEnded is err, unless it is only that ctx has ended.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, topic.ErrFenced) {
		return nil
	}
	return err
}

// accept stores what is new on the desk: whoever asked sees by it that somebody has taken the request up.
func (c *clerk) accept(ctx context.Context, b *Backfill) error {
	if b.State == BackfillWaiting && b.StartedAt.IsZero() {
		if err := c.check(b); err != nil {
			c.desk.alter(func() { b.State, b.Reason, b.EndedAt = BackfillFailed, err.Error(), time.Now().UTC() })
		}
	}
	if b.State == BackfillPaused || b.State == BackfillCancelled {
		if err := c.letGo(ctx, b); err != nil {
			return err
		}
	}
	if b.State == BackfillCancelled && b.EndedAt.IsZero() {
		c.desk.alter(func() { b.EndedAt = time.Now().UTC() })
	}
	if b.State.Over() {
		c.over(ctx, b)
	}
	return c.keep(ctx, b)
}

// check refuses what cannot be done.
func (c *clerk) check(b *Backfill) error {
	q := c.desk.request(b.ID)
	if q.wrong != nil {
		return q.wrong
	}
	for _, object := range q.objects {
		if _, note := noteObjects[object]; note && !slices.Contains(c.cfg.Notes.Objects, object) {
			return fmt.Errorf("%s is not read from this org: add it to orgs[].salesforce.notes.objects and ask again", object)
		}
	}
	return nil
}

// conclude notes what became of a backfill that was worked on.
func (c *clerk) conclude(ctx context.Context, b *Backfill, err error) error {
	var refused *declined
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errSteered):
		return nil // the next look at the desk says to what
	case errors.As(err, &refused):
		c.cfg.Logger.Warn("a backfill failed", "backfill", b.ID, "error", err)
		c.desk.alter(func() { b.State, b.Reason, b.EndedAt = BackfillFailed, err.Error(), time.Now().UTC() })
	case err != nil:
		return err
	default:
		c.desk.alter(func() { b.State, b.EndedAt = BackfillDone, time.Now().UTC() })
	}
	c.over(ctx, b)
	return c.keep(ctx, b)
}

// over tells the audit and the metrics that nothing more becomes of a backfill.
func (c *clerk) over(ctx context.Context, b *Backfill) {
	c.cfg.Metrics.backfills.WithLabelValues(string(b.State)).Inc()
	read, _ := b.Progress()
	state, message := "closed", fmt.Sprintf("the backfill of %s is %s: %d read, %d changed", strings.Join(b.Objects, ", "), b.State, read, b.Changed())
	if b.State == BackfillFailed {
		state, message = "failed", fmt.Sprintf("the backfill of %s failed: %s", strings.Join(b.Objects, ", "), b.Reason)
	}
	c.auditBackfill(ctx, b, state, message)
}

// keep stores how far a backfill is, and shows it.
func (c *clerk) keep(ctx context.Context, b *Backfill) error {
	var epoch int64
	if err := c.do(ctx, func() error { epoch = c.m.Epoch(); return nil }); err != nil {
		return err
	}
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode backfill %s: %w", b.ID, err)
	}
	owner, owned, source := c.Task(), c.writer.Epoch(), BackfillSource+b.ID
	p := avro.Position{
		Org: c.org(), Source: source, Epoch: epoch, Owner: &owner, OwnerEpoch: &owned, UpdatedAt: c.now(),
		SchemaFields: map[string][]string{}, Detail: map[string]string{backfillKey: string(text)},
	}
	for _, part := range b.Parts {
		p.Snapshots = append(p.Snapshots, avro.Snapshot{
			Entity: part.Object, State: string(part.Phase), JobID: &part.Job, Locator: &part.Locator, RowsPublished: part.Read, RowsExpected: nullable(part.Expected),
		})
		if part.ID != "" {
			at := part.Modstamp.UnixMilli()
			p.Poll = &avro.Poll{Modstamp: &at, ID: &part.ID}
		}
	}
	value, err := p.Append(avro.Frame(nil, c.fixed.position))
	if err != nil {
		return err
	}
	key := c.org() + "/" + source
	if err := c.writer.Write(ctx, topic.Record{Topic: c.topics.position, Key: []byte(key), Value: value, Headers: c.stamp(epoch, "position.update", key)}); err != nil {
		return fmt.Errorf("store backfill %s: %w", b.ID, err)
	}
	c.show()
	return nil
}

// forget removes what became of backfills that nobody asks for any more. A request is always withdrawn before, else it would be
// done once more.
func (c *clerk) forget(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var epoch int64
	if err := c.do(ctx, func() error { epoch = c.m.Epoch(); return nil }); err != nil {
		return err
	}
	gone := make([]topic.Record, len(ids))
	for i, id := range ids {
		key := c.org() + "/" + BackfillSource + id
		gone[i] = topic.Record{Topic: c.topics.position, Key: []byte(key), Headers: c.stamp(epoch, "position.delete", key)}
	}
	if err := c.writer.Write(ctx, gone...); err != nil {
		return fmt.Errorf("forget old backfills: %w", err)
	}
	c.show()
	return nil
}

// show brings status and metrics up to date.
func (c *clerk) show() {
	all := c.desk.show()
	open := 0
	for i := range all {
		if !all[i].State.Over() {
			open++
		}
	}
	c.cfg.Metrics.backfillsOpen.Set(float64(open))
	c.update(func(s *Status) { s.Backfills = all })
}

// auditBackfill writes an event of kind backfill. It does not wait: what it tells of is in the position as well.
func (c *clerk) auditBackfill(ctx context.Context, b *Backfill, state, message string) {
	task, subject, reason, opened := c.Task(), strings.Join(b.Objects, ", "), "asked for", b.RequestedAt.UnixMilli()
	if b.RequestedBy != "" {
		reason += " by " + b.RequestedBy
	}
	if b.Reason != "" {
		reason = b.Reason
	}
	event := avro.Audit{
		ID: c.org() + "/" + BackfillSource + b.ID, Org: c.org(), Kind: "backfill", State: state, Time: c.now(), OpenedAt: &opened, Task: &task,
		Subject: &subject, Reason: &reason, Message: message, Detail: map[string]string{"state": string(b.State)},
	}
	if !b.Since.IsZero() || !b.Until.IsZero() {
		event.Bounds = &avro.Bounds{}
		if !b.Since.IsZero() {
			event.Bounds.FromTime = nullable(b.Since.UnixMilli())
		}
		if !b.Until.IsZero() {
			event.Bounds.ToTime = nullable(b.Until.UnixMilli())
		}
	}
	if b.Where != "" {
		event.Detail["where"] = b.Where
	}
	if b.IDs > 0 {
		event.Detail["ids"] = strconv.Itoa(b.IDs)
	}
	for _, p := range b.Parts {
		maps.Copy(event.Detail, map[string]string{
			p.Object + " read": strconv.FormatInt(p.Read, 10), p.Object + " changed": strconv.FormatInt(p.Changed, 10),
			p.Object + " deleted": strconv.FormatInt(p.Deleted, 10),
		})
	}
	c.sendAudit(ctx, event)
}

// instant is the server's clock.
func (c *clerk) instant() time.Time { return time.UnixMilli(c.now()).UTC() }

// ready waits until the stream is followed and has been read again up to where a former process was (H2, H12).
func (c *clerk) ready(ctx context.Context) error {
	for {
		ready := false
		if err := c.do(ctx, func() error { ready = (c.subscribed || c.noChannel != "") && c.m.CaughtUp(); return nil }); err != nil || ready {
			return err
		}
		if err := retry.Sleep(ctx, tick); err != nil {
			return err
		}
	}
}
