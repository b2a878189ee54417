package cometd

// disconnect ends a session at the client's wish; its held connect returns.
func (s *Server) disconnect(q *request, m message) {
	s.count(func(st *Stats) { st.Disconnects++ })
	x := s.session(q, m)
	if x == nil {
		return
	}
	s.remove(x, goneByClient)
	r := answer(m)
	r.Successful = true
	s.reply(q, r)
}

// disconnectSession ends a session at the server's wish: an unsolicited /meta/disconnect comes with the connect that is
// held, or with the next one (facts 4.3).
func (s *Server) disconnectSession(x *session) {
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = goneByServer
	x.nudge()
}
