package cometd

import "slices"

const longPolling = "long-polling"

// handshake makes a session. Modelled: connection types, client limit, replay capability, cookies; a second handshake is
// a second session, and the first one's subscriptions do not carry over. Left out: negotiation of the Bayeux version.
func (s *Server) handshake(q *request, m message) {
	s.count(func(st *Stats) { st.Handshakes++ })
	if !slices.Contains(m.Types, longPolling) {
		name := ""
		if len(m.Types) > 0 {
			name = m.Types[0]
		}
		s.reply(q, answer(m).fail(errConnectionType(name), "none"))
		return
	}
	x := newSession(q.user.ID, s.opt.Clock().Add(s.opt.SessionTimeout))
	if !s.admit(x) {
		s.reply(q, answer(m).fail(errDenied, "none").because(errClientLimit))
		return
	}
	q.touched = x
	s.setCookies(q, x)
	s.reply(q, reply{
		Channel: m.Channel, ID: m.ID, ClientID: x.id, Version: "1.0", MinimumVersion: "1.0",
		Types: []string{longPolling}, Ext: map[string]any{"replay": true, "payload.format": true}, Successful: true,
	})
}

// admit adds a session unless too many clients are connected. Overdue ones make room.
func (s *Server) admit(x *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) >= s.opt.MaxClients {
		now := s.opt.Clock()
		for _, other := range s.sessions {
			if other.overdue(now) {
				s.drop(other, goneForgotten)
				s.stats.Expired++
			}
		}
	}
	if len(s.sessions) >= s.opt.MaxClients {
		return false
	}
	s.sessions[x.id] = x
	s.signal()
	return true
}
