package erp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/internal/topic"
	"crosswalk/producers/erp/rows"
)

// follower is a source that follows a topic which somebody else writes.
//
// What lies behind the stored position at a start is one job, in which the last record of a customer counts: an older one is never
// published over a newer one, even after a crash between publishing and storing the position. Then each fetch is a job.
// Without a position, and when the position is lost, the topic is read from its beginning; with mode full that is the whole list.
type follower struct {
	p       *Producer
	source  config.ERPSource
	walkers map[int]*avro.Walker // by schema id
}

// Run follows the topic until ctx ends.
func (f *follower) Run(ctx context.Context) error {
	f.walkers = map[int]*avro.Walker{}
	return f.p.repeat(ctx, time.Second, func(ctx context.Context) error {
		err := f.follow(ctx)
		if err != nil && ctx.Err() == nil {
			f.p.report(f.source.Name, Result{}, err)
		}
		return err
	})
}

// follow catches up and goes on until something fails.
func (f *follower) follow(ctx context.Context) error {
	kafka, name := f.p.cfg.Kafka, f.source.Topic.Name
	exists, err := kafka.Exists(ctx, name)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("source %q follows topic %s, which does not exist; correct topic.name, or wait for its writer", f.source.Name, name)
	}
	at, err := f.position(ctx)
	if err != nil {
		return err
	}
	at, err = f.catchUp(ctx, at)
	var lost *topic.OffsetError
	if errors.As(err, &lost) {
		f.lost(lost)
		at, err = f.catchUp(ctx, nil)
	}
	if err != nil {
		return err
	}
	r, err := kafka.NewReader(ctx, topic.ReaderConfig{Topics: []string{name}, From: at})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only ends the fetching
	for {
		fetch, err := r.Poll(ctx)
		if err != nil {
			return err
		}
		if len(fetch.Records) == 0 {
			continue
		}
		j := f.job(false)
		j.open = func() (rows.Reader, error) {
			return f.read(ctx, sequence(fetch.Records)), nil
		}
		if err := f.publish(ctx, j, fetch.Next); err != nil {
			return err
		}
	}
}

// lost tells that a position is of no use.
func (f *follower) lost(why error) {
	f.p.cfg.Metrics.lost.Inc()
	f.p.cfg.Logger.Warn("the position in a topic of ERP customers is lost, it is read from its beginning", "org", f.p.cfg.org(), "source", f.source.Name, "error", why)
}

// positionOffsets is where a position keeps the next offsets, as JSON.
const positionOffsets = "offsets"

// position is what was stored last; nil when there is none for this topic.
func (f *follower) position(ctx context.Context) (at topic.Position, err error) {
	err = f.p.publisher.do(ctx, func(_ context.Context, s *session) error {
		text := s.cursor(f.source.Name)[positionOffsets]
		if text == "" {
			at = nil
			return nil
		}
		at = nil
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			at = nil
			f.lost(fmt.Errorf("read its offsets: %w", err))
		}
		return nil
	})
	if at[f.source.Topic.Name] == nil {
		at = nil
	}
	return at, err
}

// catchUp publishes what lies between a position and the present end as one job, and returns the end.
func (f *follower) catchUp(ctx context.Context, from topic.Position) (topic.Position, error) {
	kafka, name := f.p.cfg.Kafka, f.source.Topic.Name
	ranges, err := kafka.Offsets(ctx, name)
	if err != nil {
		return nil, err
	}
	end := make([]int64, len(ranges[name]))
	for i, p := range ranges[name] {
		end[i] = p.End
		if i < len(from[name]) && (from[name][i] < p.First || from[name][i] > p.End) {
			return nil, &topic.OffsetError{Topic: name, Partition: int32(i), Offset: from[name][i], First: p.First, End: p.End}
		}
	}
	j := f.job(from == nil && f.source.Mode == "full")
	var open *topic.Reader
	closeReader := func() {
		if open != nil {
			_ = open.Close()
		}
	}
	defer func() { closeReader() }()
	j.open = func() (rows.Reader, error) {
		closeReader()
		r, err := kafka.NewReader(ctx, topic.ReaderConfig{Topics: []string{name}, From: from})
		if err != nil {
			return nil, err
		}
		open = r
		return f.read(ctx, until(ctx, r, name, ranges[name], from[name])), nil
	}
	next := topic.Position{name: end}
	return next, f.publish(ctx, j, next)
}

// job is one whose last row of a customer counts.
func (f *follower) job(full bool) *job {
	return &job{cfg: &f.p.cfg, source: f.source, name: "topic " + f.source.Topic.Name, full: full, lastWins: true}
}

// publish runs a job and stores the position behind it.
func (f *follower) publish(ctx context.Context, j *job, next topic.Position) error {
	var letters []*rows.Reject
	j.reject = func(x *rows.Reject) error { letters = append(letters, x); return nil }
	if err := j.survey(ctx); err != nil {
		return err
	}
	err := f.p.publisher.do(ctx, func(ctx context.Context, s *session) error {
		if err := j.run(ctx, s); err != nil {
			return err
		}
		for _, x := range letters {
			offset, partition := x.Line/lineStep, x.Line%lineStep
			key := fmt.Sprintf("%s/%d/%d", f.source.Topic.Name, partition, offset)
			if err := s.refuse(ctx, f.source.Name, key, x.Column, x.Reason, []byte(x.Raw)); err != nil {
				return err
			}
		}
		text, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("encode position: %w", err)
		}
		return s.store(ctx, positionOf(f.source.Name), map[string]string{positionOffsets: string(text)})
	})
	if err != nil {
		return err
	}
	f.p.report(f.source.Name, j.result, nil)
	return nil
}
