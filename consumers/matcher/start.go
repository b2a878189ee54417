package matcher

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"crosswalk/consumers/matcher/join"
	"crosswalk/internal/avro"
	"crosswalk/internal/topic"
)

// errRebuild says that the local state must be given up.
var errRebuild = errors.New("the local state does not belong to the topics")

// open does everything that comes before the first publication (R34): it finds the topics, takes the state from the disk if
// it belongs to them, takes writing over, reads what former owners have published since, and reads the inputs to
// the ends that they have now.
func (s *session) open(ctx context.Context) error {
	if err := s.config.Kafka.Ensure(ctx, s.names.specs(s.config)...); err != nil {
		return err
	}
	if err := s.load(ctx); err != nil {
		return err
	}
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	ends, err := s.config.Kafka.Offsets(ctx, s.names.inputs...)
	if err != nil {
		return err
	}
	if err := s.readControl(ctx); err != nil {
		return err
	}
	return s.catchUp(ctx, ends)
}

// load brings the state back, or begins with none. Whether it can be continued is decided, and written down, before the
// writer's barriers change the ends of the output topics.
func (s *session) load(ctx context.Context) error {
	all := append(s.names.read(), s.names.written()...)
	identity, err := s.config.Kafka.Identity(ctx, all...)
	if err != nil {
		return err
	}
	ranges, err := s.config.Kafka.Offsets(ctx, all...)
	if err != nil {
		return err
	}
	frames, ids, err := s.frames(ctx)
	if err != nil {
		return err
	}
	s.engine = join.New(join.Config{
		Readers: s.schemas.reader, ERPDeletedField: deletedPath(s.config.ERPDeletedField), OrphanGrace: s.config.OrphanGrace.Milliseconds(),
		ViewMaxBytes: s.config.ViewMaxBytes, Frames: frames, Memory: s.config.Memory,
	})
	loaded := false
	s.saved, _, err = readCheckpoint(s.store)
	if err == nil && s.saved.Inputs != nil {
		if reason := s.saved.fits(identity, ranges, s.config.ERPDeletedField); reason != "" {
			return fmt.Errorf("%w: %s", errRebuild, reason)
		}
		loaded, err = s.engine.Load(s.store, s.saved.Settings.Link)
		if err == nil && !loaded {
			return fmt.Errorf("%w: it was written by another version of this program", errRebuild)
		}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", errRebuild, err)
	}
	if err != nil {
		return err
	}
	if !loaded {
		s.board.update(func(st *Status) { st.Phase = Rebuilding })
		s.metrics.rebuilds.Inc()
		s.saved.Freshness, s.saved.DeadLetter = freshness{}, 0
	}
	s.now = s.saved
	s.now.Identity, s.now.Deleted = identity, s.config.ERPDeletedField
	s.now.Settings.ViewMaxBytes, s.now.Settings.Schemas = s.config.ViewMaxBytes, ids
	return nil
}

// deletedPath is the path of the flag that counts as a deletion, nil when there is none.
func deletedPath(field string) []string {
	if field == "" {
		return nil
	}
	return strings.Split(field, ".")
}

// frames registers the schemas of the outputs.
func (s *session) frames(ctx context.Context) (frames [join.Topics][]byte, ids [join.Topics]int, err error) {
	for t, o := range outputs {
		id, err := s.config.Registry.Register(ctx, s.names.outputs[t]+"-value", o.schema)
		if err != nil {
			return frames, ids, err
		}
		frames[t], ids[t] = avro.Frame(nil, id), id
	}
	return frames, ids, nil
}

// takeOver makes this the one writer of the task, and learns what is in the output topics that the state does not know:
// written by another owner, or by this one before it was killed.
func (s *session) takeOver(ctx context.Context) error {
	w, err := s.config.Kafka.NewWriter(ctx, topic.WriterConfig{
		Task: taskOf(s.config.Org), Topics: s.names.written(), Compression: s.config.Compression,
	})
	if err != nil {
		return err
	}
	s.writer = w
	ends, err := s.config.Kafka.Offsets(ctx, s.names.written()...)
	if err != nil {
		return err
	}
	s.reported = map[string]bool{}
	epoch, err := s.readOutputs(ctx, ends)
	if err != nil {
		return err
	}
	s.now.Epoch = max(s.saved.Epoch, epoch, w.Epoch()) + 1
	s.engine.Begin(s.now.Epoch)
	s.now.Outputs = topic.Position{}
	for name, ranges := range ends {
		for _, r := range ranges {
			s.now.Outputs[name] = append(s.now.Outputs[name], r.End)
		}
	}
	s.out = newPublisher(s)
	return nil
}

// readOutputs reads the output topics from where the state knows them to their ends, and returns the greatest epoch there.
func (s *session) readOutputs(ctx context.Context, ends map[string][]topic.Range) (epoch int64, err error) {
	r, err := s.config.Kafka.NewReader(topic.ReaderConfig{Topics: s.names.written(), From: s.saved.Outputs})
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }() // only ends the fetching
	for f := r.Start(); !f.CaughtUp(ends); {
		if f, err = r.Poll(ctx); err != nil {
			return 0, err
		}
		for i := range f.Records {
			epoch = max(epoch, s.observe(&f.Records[i]))
		}
	}
	return epoch, nil
}

// observe tells the engine of one record that is published, and returns the record's epoch.
func (s *session) observe(r *topic.Record) int64 {
	if r.Topic == s.names.deadLetter {
		s.reported[string(r.Key)] = true
		return 0
	}
	v, err := VersionOf(r)
	if err != nil {
		s.config.Logger.Warn("a published record has no version", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
	}
	for t, name := range s.names.outputs {
		if name == r.Topic {
			s.engine.Observe(join.Topic(t), r.Key, r.Value, v)
		}
	}
	return v.Epoch
}

// catchUp reads the inputs up to ends without publishing anything. What differs afterwards is published by the first settle.
func (s *session) catchUp(ctx context.Context, ends map[string][]topic.Range) error {
	from := topic.Position{s.names.control: s.control.next}
	for _, name := range s.names.inputs {
		from[name] = s.saved.Inputs[name]
	}
	r, err := s.config.Kafka.NewReader(topic.ReaderConfig{Topics: s.names.read(), From: from})
	if err != nil {
		return err
	}
	s.reader = r
	fresh := s.saved.Inputs == nil
	link := s.control.link
	if fresh {
		s.engine.Build(link)
	}
	if s.now.Inputs == nil {
		s.now.Inputs = topic.Position{}
	}
	for f := r.Start(); !f.CaughtUp(ends); {
		if f, err = r.Poll(ctx); err != nil {
			return err
		}
		if err := s.takeAll(ctx, f); err != nil {
			return err
		}
	}
	s.reported = nil
	if !fresh {
		link = s.saved.Settings.Link
	}
	s.now.Settings.Link = s.control.link
	switch {
	case fresh:
		s.engine.Built()
	case !s.now.Settings.equal(s.saved.Settings):
		s.engine.MarkAll()
	}
	if sameLink(link, s.control.link) {
		return nil
	}
	return s.engine.SetLink(s.control.link) // it has changed since
}
