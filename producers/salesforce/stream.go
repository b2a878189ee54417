package salesforce

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"crosswalk/internal/bayeux"
	"crosswalk/internal/change"
	"crosswalk/internal/sfapi"
	"crosswalk/producers/salesforce/handover"
	"crosswalk/producers/salesforce/hole"
)

// stream follows the org's change events and hands them to the loop.
type stream struct {
	*loop
	from atomic.Int64 // replay id to subscribe from, or one of handover's
}

func newStream(l *loop, from int64) *stream {
	s := &stream{loop: l}
	s.from.Store(from)
	return s
}

// run follows the channel until ctx ends. A position that Salesforce refuses is given up: a new lineage begins with a
// snapshot of everything (H10).
func (s *stream) run(ctx context.Context) error {
	address, err := s.address(ctx)
	if err != nil {
		return err
	}
	client, err := bayeux.New(bayeux.Config{
		URL: address, HTTP: s.cfg.HTTP, Token: s.cfg.Tokens.AccessToken, Logger: s.cfg.Logger, Metrics: s.cfg.Metrics.bayeux,
		Backoff: s.cfg.StreamRetry, Busy: s.cfg.StreamBusy, Retrying: s.interrupted,
	})
	if err != nil {
		return err
	}
	s.reconciler.resubscribe = client.Resubscribe
	s.group.Go(func() error { return s.followChanges(ctx) })
	s.group.Go(func() error { return s.watchSelection(ctx) })
	s.group.Go(func() error { return s.keepFresh(ctx) })
	s.group.Go(func() error { return s.watchFields(ctx) })
	for {
		err := client.Run(ctx, []bayeux.Subscription{{
			Channel: channel, Replay: func() int64 { return s.reached(ctx) }, Subscribed: func(a bayeux.Acknowledgement) { s.acknowledged(ctx, a) },
		}}, s.handle)
		var refused *bayeux.ReplayError
		switch {
		case ctx.Err() != nil:
			return nil
		case channelRefused(err):
			if s.withoutChannel(ctx, err) != nil {
				return nil // ctx has ended
			}
			continue
		case !errors.As(err, &refused):
			return err
		}
		if err := s.do(ctx, func() error { return s.refused(ctx, refused) }); err != nil {
			return err
		}
	}
}

func (s *stream) address(ctx context.Context) (string, error) {
	if s.cfg.StreamingURL != "" {
		return s.cfg.StreamingURL, nil
	}
	token, err := s.cfg.Tokens.Token(ctx, "")
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(token.InstanceURL, "/") + "/cometd/" + s.cfg.Client.Version(), nil
}

// interrupted shows that the stream cannot be followed for a while: what is told is what does not heal at once.
func (s *stream) interrupted(why *bayeux.LostError, wait time.Duration) {
	now := time.Now().UTC()
	s.update(func(st *Status) {
		since := now
		switch {
		case st.Interrupted != nil:
			since = st.Interrupted.Since
		case why.Cause != bayeux.CauseBusy && why.Cause != bayeux.CauseLogin && wait < tellFrom:
			return
		}
		st.Interrupted = &Interruption{Text: why.Error(), Since: since, Next: now.Add(wait)}
	})
}

// tellFrom is from how long a wait on a session is shown, whatever the reason.
const tellFrom = 5 * time.Second

// acknowledged is the proof of the subscription: from now on snapshots may be started (H2).
func (s *stream) acknowledged(ctx context.Context, a bayeux.Acknowledgement) {
	_ = s.do(ctx, func() error { // an error ends the loop, and with it ctx
		s.m.Subscribed(a.Replay)
		s.subscribed, s.noChannel = true, ""
		s.granted++
		s.from.Store(s.m.Renew())
		s.update(func(st *Status) { st.Interrupted = nil })
		return nil
	})
}

// proofShare is which part of the retention the last proof that the stream was read to its end may be old when a position is kept
// although it was refused: an hour of 72.
const proofShare = 72

// refused gives the position up, unless it was refused only because nothing has happened for longer than events are kept.
func (s *stream) refused(ctx context.Context, why *bayeux.ReplayError) error {
	if err := s.setClock(ctx); err != nil {
		return err
	}
	retention := s.cfg.Retention.Milliseconds()
	if s.m.Refused(why.Replay, s.now(), retention, retention/proofShare) {
		s.cfg.Logger.Debug("no event is kept any more, and none was missed; the position stays", "replay_id", why.Replay)
	} else {
		s.lost(hole.RefusedReplayID, why.Text)
	}
	s.subscribed = false
	s.from.Store(handover.ReplayAll)
	return s.storePosition(ctx, true)
}

// reached is where to subscribe from: behind all that was handled, which is durable then.
func (s *stream) reached(ctx context.Context) int64 {
	_ = s.do(ctx, func() error { return nil }) // an error ends the loop, and with it ctx
	return s.from.Load()
}

// handle gives the loop what one reply brought and does not wait until it is durable: the replies that come meanwhile are made
// durable together. It may happen when the client's ctx has ended.
func (s *stream) handle(ctx context.Context, messages []bayeux.Message) error {
	return s.submit(ctx, func() error { return s.deliver(s.ctx, messages) })
}

func (s *stream) deliver(ctx context.Context, messages []bayeux.Message) error {
	if s.m.Contradicts(messages[0].ReplayID) {
		s.lost(hole.RefusedReplayID, "the replay id was refused, and events up to it still come")
		s.subscribed = false
		s.from.Store(handover.ReplayAll)
		if err := s.storePosition(ctx, true); err != nil {
			return err
		}
		s.reconciler.resubscribe()
		return nil // they come again
	}
	if s.m.First(messages[0].ReplayID) {
		if err := s.storePosition(ctx, true); err != nil {
			return err
		}
	}
	s.records.warming = true
	defer func() { s.records.warming = false }()
	for i := range messages {
		e, err := s.event(&messages[i])
		if err != nil {
			if err := s.unreadable(ctx, &messages[i], e, err); err != nil {
				return err
			}
		}
		if e == nil {
			continue
		}
		s.cfg.Metrics.events.WithLabelValues(string(e.Type)).Inc()
		if err := s.takeEvent(e, err); err != nil {
			return err
		}
		s.m.ReadTo(e.CommitTimestamp)
		s.hears(e.Entity, e.CommitTimestamp)
	}
	s.lastEvent = time.Now()
	s.from.Store(s.m.Renew())
	return nil
}

// unreadable records an event that cannot be read. Its records, when it names them, are read again instead; else the
// next reconciliation, at once, looks for what it may have said.
func (s *stream) unreadable(ctx context.Context, m *bayeux.Message, e *change.Event, why error) error {
	if e == nil {
		s.found(hole.Finding{
			Reason: hole.UnreadableEvent, Repair: hole.ByReconciliation, ReplayID: m.ReplayID, After: s.m.Consumed(),
			Why: "an event cannot be read, nor what it is about",
		}, s.m.Known(m.ReplayID))
	}
	return s.reject(ctx, fmt.Sprintf("%s/%d", channel, m.ReplayID), m.Data, why)
}

// event reads a delivered message. It is nil for entities that are not followed. With an error it is nil, or a gap
// event that stands for what could not be read. Its fields are valid until the next call.
func (l *loop) event(m *bayeux.Message) (*change.Event, error) {
	clear(l.fields)
	var entity *entity
	h, diffs, err := l.events.Read(m.Data, func(h *sfapi.EventHeader) *sfapi.RowDecoder {
		if entity = l.entities[h.Entity]; entity == nil {
			return nil
		}
		return entity.decoder
	}, func(field int, v change.Value) {
		l.fields[entity.schema.Fields[field].Name] = v
	})
	if entity == nil || h.Entity == "" {
		return nil, err
	}
	e := &change.Event{
		Entity: h.Entity, RecordIDs: h.RecordIDs, Type: change.EventType(h.ChangeType), Fields: l.fields, Diffs: diffs,
		CommitTimestamp: h.CommitTimestamp, CommitNumber: h.CommitNumber, SequenceNumber: h.SequenceNumber,
		TransactionKey: h.TransactionKey, CommitUser: h.CommitUser, Origin: h.Origin, ReplayID: m.ReplayID,
	}
	changed := l.changedFields(entity, m.Schema, h.ChangedFields)
	if err != nil {
		l.describeSoon(e.Entity) // perhaps a field has another type
		e.Type, e.Fields = change.GapUpdate, nil
		return e, err
	}
	e.ChangedFields = changed
	return e, nil
}
