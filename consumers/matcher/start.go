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

// open does everything that comes before the first publication (R34): it finds the topics and takes the state from the
// disk if it belongs to them, unless it has stood by; takes writing over, reads what former owners have published since,
// and reads the inputs to the ends that they have now.
func (s *session) open(ctx context.Context) error {
	if s.engine == nil {
		if err := s.prepare(ctx); err != nil {
			return err
		}
	}
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	ends, err := s.config.Kafka.Offsets(ctx, s.names.inputs...)
	if err != nil {
		return err
	}
	return s.catchUp(ctx, ends)
}

// prepare brings the state into memory, under the link that is asked for.
func (s *session) prepare(ctx context.Context) error {
	if err := s.config.Kafka.Ensure(ctx, s.names.specs(s.config)...); err != nil {
		return err
	}
	if err := s.load(ctx); err != nil {
		return err
	}
	if err := s.readControl(ctx); err != nil {
		return err
	}
	link := s.control.link
	if s.building {
		s.engine.Build(link)
	} else {
		if !sameLink(link, s.saved.Settings.Link) {
			if err := s.engine.SetLink(link); err != nil {
				return err
			}
		}
		if !s.now.Settings.equal(s.saved.Settings) {
			s.engine.MarkAll()
		}
	}
	s.now.Settings.Link = link
	return nil
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
	if s.building = !loaded; s.building {
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
	phase := Starting
	if s.building {
		phase = Rebuilding
	}
	s.board.update(func(st *Status) { st.Phase = phase })
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
	if err := s.readOutputs(ctx, ends); err != nil {
		return err
	}
	s.now.Epoch = max(s.now.Epoch, w.Epoch()) + 1
	s.engine.Begin(s.now.Epoch)
	s.now.Outputs = topic.Position{}
	for name, ranges := range ends {
		for _, r := range ranges {
			s.now.Outputs[name] = append(s.now.Outputs[name], r.End)
		}
	}
	s.out = newPublisher(s)
	return s.sendRefused(ctx)
}

// readOutputs reads the output topics from where the state knows them to their ends.
func (s *session) readOutputs(ctx context.Context, ends map[string][]topic.Range) error {
	r, err := s.config.Kafka.NewReader(ctx, topic.ReaderConfig{Topics: s.names.written(), From: s.now.Outputs})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only ends the fetching
	for f := r.Start(); !f.CaughtUp(ends); {
		if f, err = r.Poll(ctx); err != nil {
			return err
		}
		for i := range f.Records {
			s.observe(&f.Records[i])
		}
	}
	return nil
}

// observe tells the engine of one record that is published.
func (s *session) observe(r *topic.Record) {
	if r.Topic == s.names.deadLetter {
		s.reported[string(r.Key)] = true
		delete(s.refused, string(r.Key))
		return
	}
	v, err := VersionOf(r)
	if err != nil {
		s.config.Logger.Warn("a published record has no version", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
	}
	s.now.Epoch = max(s.now.Epoch, v.Epoch)
	for t, name := range s.names.outputs {
		if name == r.Topic {
			s.engine.Observe(join.Topic(t), r.Key, r.Value, v)
		}
	}
}

// readInputs begins to read the inputs, and other topics, from where the state is.
func (s *session) readInputs(ctx context.Context, others ...string) error {
	from := topic.Position{s.names.control: s.control.next}
	for _, name := range s.names.inputs {
		from[name] = s.now.Inputs[name]
	}
	if next := s.now.Inputs[s.names.control]; s.followed {
		from[s.names.control] = next
	}
	for _, name := range others {
		from[name] = s.now.Outputs[name]
	}
	r, err := s.config.Kafka.NewReader(ctx, topic.ReaderConfig{Topics: append(s.names.read(), others...), From: from})
	s.reader, s.followed = r, true
	if s.now.Inputs == nil {
		s.now.Inputs = topic.Position{}
	}
	return err
}

// catchUp reads the inputs up to ends without publishing anything. What differs afterwards is published by the first settle.
func (s *session) catchUp(ctx context.Context, ends map[string][]topic.Range) error {
	if err := s.readInputs(ctx); err != nil {
		return err
	}
	for f := s.reader.Start(); !f.CaughtUp(ends); {
		var err error
		if f, err = s.reader.Poll(ctx); err != nil {
			return err
		}
		if err := s.takeAll(ctx, f); err != nil {
			return err
		}
	}
	s.reported = nil
	return s.built()
}

// built ends the building of a state that was begun with none.
func (s *session) built() error {
	if !s.building {
		return nil
	}
	s.building = false
	s.engine.Built()
	return s.setLink(s.control.link) // it may have changed meanwhile
}
