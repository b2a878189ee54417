package cometd

import (
	"context"
	"fmt"
)

// Stats counts what the server did since it was made.
type Stats struct {
	Handshakes, Connects, Subscribes, Disconnects int64
	TooOld                                        int64 // subscriptions refused because their replay id is not retained
	Events, Bytes                                 int64 // written to clients; Bytes counts whole replies
	Failures                                      int64 // Bayeux replies that were not successful
	Refused                                       int64 // HTTP refusals and messages without meaning here
	Faults                                        int64 // messages that the hook answered
	Expired                                       int64 // sessions that ended for want of a connect
	Sessions                                      int   // live now
	Held                                          int   // connects held now
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Sessions = len(s.sessions)
	return st
}

func (s *Server) count(update func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	update(&s.stats)
}

// ExpireSessions forgets every session, as a server does that lost its memory: held connects and later messages
// get 403::Unknown client with the advice to handshake.
func (s *Server) ExpireSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sessions {
		s.drop(x, goneForgotten)
	}
}

// Mute makes every subscription of now carry nothing any more, though its session lives on, and the next few that are
// granted as well: a backlog that is not delivered.
func (s *Server) Mute(next int) {
	for _, x := range s.live() {
		x.mu.Lock()
		for _, sub := range x.subs {
			sub.mute = true
		}
		x.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = next
}

// muted reports whether the subscription in hand is one that carries nothing.
func (s *Server) muted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mute == 0 {
		return false
	}
	s.mute--
	return true
}

// Disconnect sends an unsolicited /meta/disconnect to every client (facts 4.3).
func (s *Server) Disconnect() {
	for _, x := range s.live() {
		s.disconnectSession(x)
	}
}

// Reauthenticate makes every held connect prove its token again now. Without it a revoked token is noticed
// when a held connect has something to deliver.
func (s *Server) Reauthenticate() {
	for _, x := range s.live() {
		x.mu.Lock()
		x.nudge()
		x.mu.Unlock()
	}
}

func (s *Server) live() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.sessions))
	for _, x := range s.sessions {
		list = append(list, x)
	}
	return list
}

// Subscribers returns the number of live sessions that are subscribed to a channel.
func (s *Server) Subscribers(channel string) int {
	n := 0
	for _, x := range s.live() {
		x.mu.Lock()
		if x.subs[channel] != nil && x.ended == alive {
			n++
		}
		x.mu.Unlock()
	}
	return n
}

// AwaitSubscribed returns when a live session is subscribed to the channel, or with an error when ctx ends.
func (s *Server) AwaitSubscribed(ctx context.Context, channel string) error {
	err := s.await(ctx, func() bool { return s.Subscribers(channel) > 0 })
	if err != nil {
		return fmt.Errorf("await subscription to %s: %w", channel, err)
	}
	return nil
}

// AwaitDelivered returns when the event with this replay id, or a later one, was written to a client.
func (s *Server) AwaitDelivered(ctx context.Context, replayID int64) error {
	err := s.await(ctx, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.delivered >= replayID
	})
	if err != nil {
		return fmt.Errorf("await delivery of event %d: %w", replayID, err)
	}
	return nil
}

// AwaitHeld returns when at least n connects are held, or with an error when ctx ends: an event committed now is
// delivered without a further request.
func (s *Server) AwaitHeld(ctx context.Context, n int) error {
	err := s.await(ctx, func() bool { return s.Stats().Held >= n })
	if err != nil {
		return fmt.Errorf("await %d held connects: %w", n, err)
	}
	return nil
}

func (s *Server) holding(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Held += n
	s.signal()
}

func (s *Server) await(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if done() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// signal wakes the Await methods; the server's mutex is held.
func (s *Server) signal() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

func (s *Server) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signal()
}

// wrote notes a reply that went out, or failed to.
func (s *Server) wrote(q *request, bytes int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.window.add(s.opt.Clock(), q.events)
	s.stats.Bytes += int64(bytes)
	if !ok || q.events == 0 {
		return
	}
	s.stats.Events += int64(q.events)
	s.delivered = max(s.delivered, q.last)
	s.signal()
}
