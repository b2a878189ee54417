package cometd

import (
	"crypto/rand"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/simulator/cdc"
)

const (
	browserCookie = "BAYEUX_BROWSER"
	streamCookie  = "sfdc-stream"
)

// gone says why a session ended.
type gone int

const (
	alive gone = iota
	goneForgotten
	goneByClient
	goneByServer // an unsolicited /meta/disconnect is due
)

// session is one CometD client between handshake and disconnect.
type session struct {
	id, user, browser string

	mu       sync.Mutex
	subs     map[string]*subscribed
	connects int
	current  int       // number of the connect that may hold; an older one gives way
	holding  int       // connects in progress
	deadline time.Time // when the session ends unless the client connects; only while nothing is held
	ended    gone
	wake     chan struct{} // closed to make the held connect look again
}

// subscribed is one subscription of a session.
type subscribed struct {
	channel cdc.Channel
	cursor  int64
	// may remembers what the user may see of a channel of several entities: losing a permission shows
	// only after a new subscription (facts 5.8).
	may  map[string]bool
	mute bool // it is dead: granted, and nothing is delivered
}

func newSession(user string, deadline time.Time) *session {
	return &session{
		id: strings.ToLower(rand.Text()), user: user, browser: strings.ToLower(rand.Text()),
		subs: make(map[string]*subscribed), deadline: deadline, wake: make(chan struct{}),
	}
}

// nudge makes a held connect look at its session again. The session's mutex is held.
func (x *session) nudge() {
	close(x.wake)
	x.wake = make(chan struct{})
}

// release sets the deadline after a reply, unless a connect of another request is still held.
func (x *session) release(deadline time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.holding == 0 {
		x.deadline = deadline
	}
}

// peek returns the live session with this id, or nil.
func (s *Server) peek(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[id]
	if x == nil || !x.overdue(s.opt.Clock()) {
		return x
	}
	delete(s.sessions, id)
	s.stats.Expired++
	s.signal()
	return nil
}

// overdue reports whether the client failed to connect in time.
func (x *session) overdue(now time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.holding == 0 && now.After(x.deadline)
}

// remove ends a session and wakes its held connect. A nil session is ignored.
func (s *Server) remove(x *session, why gone) {
	if x == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[x.id] == x {
		s.drop(x, why)
	}
}

// drop ends a session; the server's mutex is held.
func (s *Server) drop(x *session, why gone) {
	delete(s.sessions, x.id)
	x.mu.Lock()
	x.ended = why
	x.nudge()
	x.mu.Unlock()
	s.signal()
}

// session returns the session of a message, or answers the message with what is wrong: unknown client, another user's
// session, missing cookie. The session stays while the request is handled.
func (s *Server) session(q *request, m message) *session {
	x := s.peek(m.ClientID)
	if x == nil {
		s.reply(q, answer(m).fail(errUnknownClient, "handshake"))
		return nil
	}
	if x.user != q.user.ID {
		s.reply(q, answer(m).fail(errOtherUser, ""))
		return nil
	}
	if name := s.missingCookie(q.http, x); name != "" {
		s.reply(q, answer(m).fail(errCookie(x.id, name), ""))
		return nil
	}
	q.touched = x
	return x
}

func (s *Server) missingCookie(r *http.Request, x *session) string {
	switch s.opt.Cookies {
	case CookiesOptional:
		return ""
	case CookiesByName:
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if net.ParseIP(strings.Trim(host, "[]")) != nil {
			return ""
		}
	case CookiesAlways:
	}
	if c, err := r.Cookie(browserCookie); err != nil || c.Value != x.browser {
		return browserCookie
	}
	if _, err := r.Cookie(streamCookie); err != nil {
		return streamCookie
	}
	return ""
}

// setCookies gives the client the cookies that it must return: the browser's and the load balancer's.
func (s *Server) setCookies(q *request, x *session) {
	secure := q.http.TLS != nil
	site := http.SameSiteDefaultMode
	if secure {
		site = http.SameSiteNoneMode
	}
	q.cookies = append(q.cookies,
		&http.Cookie{Name: browserCookie, Value: x.browser, Path: "/cometd/", HttpOnly: true, Secure: secure},
		&http.Cookie{
			Name: streamCookie, Value: "!" + rand.Text(), Path: "/", Expires: s.opt.Clock().Add(3 * time.Hour).UTC(),
			SameSite: site, Secure: secure,
		})
}
