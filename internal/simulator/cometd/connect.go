package cometd

import (
	"errors"
	"time"

	"crosswalk/internal/simulator/cdc"
)

// connect waits for events. Modelled: the first connect after a handshake returns at once with advice, a later one is held
// until there are events, the hold is over, or its session ends; a newer connect of the session takes over; a connect
// that is not alone in its request is never held. Left out: the acknowledgement extension, which Salesforce lacks.
func (s *Server) connect(q *request, m message) {
	s.count(func(st *Stats) { st.Connects++ })
	x := s.session(q, m)
	if x == nil {
		return
	}
	if m.Type != longPolling {
		s.reply(q, answer(m).fail(errConnectionType(m.Type), ""))
		return
	}
	x.mu.Lock()
	x.connects++
	x.current++
	x.holding++
	x.nudge()
	first, mine := x.connects == 1, x.current
	forget := s.opt.ForgetAfter > 0 && x.connects > s.opt.ForgetAfter
	x.mu.Unlock()
	if forget {
		s.remove(x, goneForgotten)
	}
	s.hold(q, m, x, mine, first || m.Immediate || q.count > 1)
	x.mu.Lock()
	x.holding--
	x.mu.Unlock()
}

// hold answers a connect as soon as there is something to say, or at once if immediate.
func (s *Server) hold(q *request, m message, x *session, mine int, immediate bool) {
	timer := time.NewTimer(s.opt.MaxHold)
	defer timer.Stop()
	done := answer(m)
	done.Successful = true
	if immediate {
		done.Advice = map[string]any{"interval": 0, "timeout": s.opt.MaxHold.Milliseconds(), "reconnect": "retry"}
	}
	held := false
	defer func() {
		if held {
			s.holding(-1)
		}
	}()
	for {
		changed := s.log.Changed()
		x.mu.Lock()
		wake, ended, replaced := x.wake, x.ended, x.current != mine
		x.mu.Unlock()
		switch {
		case ended != alive:
			s.remove(x, ended)
			s.farewell(q, m, ended)
			return
		case replaced:
			s.reply(q, done)
			return
		case s.exhausted():
			s.reply(q, answer(m).fail(errDeliveryLimit, s.opt.DeliveryAdvice))
			return
		}
		err := s.deliver(q, x)
		if err != nil {
			s.remove(x, goneForgotten)
			continue
		}
		if q.events > 0 || immediate {
			s.reply(q, done)
			return
		}
		if !held {
			held = true
			s.holding(+1)
		}
		select {
		case <-timer.C:
			s.reply(q, done)
			return
		case <-q.http.Context().Done():
			q.left = true
			return
		case <-changed:
		case <-wake:
		}
		if q.user, q.authErr = s.opt.Authenticate(q.http); q.authErr != nil {
			s.denied(q, m)
			return
		}
	}
}

// farewell answers the connect of a session that ended.
func (s *Server) farewell(q *request, m message, why gone) {
	r := answer(m)
	r.Successful = true
	switch why {
	case goneByServer:
		q.out = reply{Channel: "/meta/disconnect", ClientID: m.ClientID, Successful: true}.append(q.out)
		if s.opt.DisconnectAdvice != "" {
			r.Advice = map[string]any{"reconnect": s.opt.DisconnectAdvice}
		}
	case goneByClient:
		r.Advice = map[string]any{"reconnect": "none"}
	case alive, goneForgotten:
		r = r.fail(errUnknownClient, "handshake")
	}
	s.reply(q, r)
}

// deliver moves the session's cursors over waiting events and writes what the user may see of them. An error means that
// events were lost to the session because they expired before it came to take them.
func (s *Server) deliver(q *request, x *session) error {
	budget := s.allowance()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, sub := range x.subs {
		if sub.mute {
			return nil
		}
	}
	if len(x.subs) == 0 {
		return nil
	}
	var buf [64]cdc.Event
	for {
		from := int64(-1)
		for _, sub := range x.subs {
			if from < 0 || sub.cursor < from {
				from = sub.cursor
			}
		}
		events, next, err := s.log.Read(buf[:0], from, len(buf))
		if errors.Is(err, cdc.ErrExpired) {
			return err
		}
		if len(events) == 0 {
			return nil
		}
		for i, e := range events {
			if q.events >= s.opt.MaxBatch || q.events >= budget || len(q.out) >= s.opt.MaxReplyBytes {
				return nil
			}
			at := from + int64(i)
			for _, sub := range x.subs {
				if sub.cursor == at {
					s.deliverOne(q, sub, e)
					sub.cursor++
				}
			}
		}
		if next == from {
			return nil
		}
	}
}

func (s *Server) deliverOne(q *request, sub *subscribed, e cdc.Event) {
	access := q.user.Access
	if sub.may != nil {
		may, known := sub.may[e.Entity]
		if !known {
			may = access.May(e.Entity)
			sub.may[e.Entity] = may
		}
		access.Entity = func(string) bool { return may }
	}
	var n int
	q.out, n = sub.channel.Append(q.out, e, access)
	if n > 0 {
		q.events += n
		q.last = max(q.last, e.ReplayID)
	}
}
