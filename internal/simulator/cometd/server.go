package cometd

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"crosswalk/internal/simulator/cdc"
)

// Server answers Bayeux requests under a path with /cometd in it. It is safe for concurrent use.
type Server struct {
	opt Options
	log *cdc.Log

	mu        sync.Mutex
	sessions  map[string]*session
	stats     Stats
	delivered int64         // greatest replay id written to any client
	changed   chan struct{} // closed when stats, sessions or delivered change
	window    window
	mute      int // subscriptions to come that carry nothing
}

// NewServer returns a server of the log's events. opt.Log is required.
func NewServer(opt Options) *Server {
	return &Server{opt: opt.withDefaults(), log: opt.Log, sessions: make(map[string]*session)}
}

// request is one HTTP request while its messages are handled.
type request struct {
	http    *http.Request
	user    User
	authErr error
	version int    // major API version of the path; 0 when it has none
	count   int    // messages in the request; a connect is held only when it is alone
	out     []byte // '[' and replies, each followed by a comma
	touched *session
	events  int
	last    int64 // greatest replay id in out
	cookies []*http.Cookie
	status  int // answer with this status and page instead
	page    string
	media   string
	drop    bool // close the connection without an answer
	left    bool // the client is gone: there is nobody to answer
}

// ServeHTTP handles one long-polling request: a POST with one message or an array of them (facts 4.1).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.refuse(w, http.StatusBadRequest, "Unknown Bayeux Transport")
		return
	}
	messages, err := readMessages(r)
	if err != nil {
		if errors.Is(err, errTooLarge) {
			s.refuse(w, http.StatusRequestEntityTooLarge, "Maximum Request Size Exceeded")
			return
		}
		s.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	q := &request{http: r, version: version(r.URL.Path), count: len(messages), out: []byte{'['}}
	q.user, q.authErr = s.opt.Authenticate(r)
	if q.authErr != nil && s.authPage(w) {
		return
	}
	for _, m := range messages {
		s.handle(q, m)
		if q.status != 0 || q.drop || q.left {
			break
		}
	}
	s.finish(w, q)
}

// handle answers one message: the fault hook first, then what holds for every message, then its kind.
func (s *Server) handle(q *request, m message) {
	f := s.fault(q, m)
	if f == nil {
		s.dispatch(q, m, false)
		return
	}
	s.count(func(st *Stats) { st.Faults++ })
	if f.Delay > 0 && !pause(q.http, f.Delay, f.Over) {
		s.dispatch(q, m, false)
		return
	}
	if f.Forget {
		s.remove(s.peek(m.ClientID), goneForgotten)
	}
	switch {
	case f.Status != 0:
		q.status, q.page, q.media = f.Status, f.Body, f.ContentType
	case f.Drop && !f.AfterHandling:
		q.drop = true
	case f.Error != "":
		s.reply(q, f.apply(answer(m)))
	default:
		s.dispatch(q, m, f.Disconnect)
		q.drop = f.Drop
	}
}

func (s *Server) fault(q *request, m message) *Fault {
	e := Exchange{Request: q.http, Channel: m.Channel, ClientID: m.ClientID, Subscriptions: m.Subscription.names}
	if sess := s.peek(m.ClientID); sess != nil {
		sess.mu.Lock()
		e.Connects = sess.connects
		sess.mu.Unlock()
	}
	return s.opt.Hook(e)
}

// pause waits until the time is over or the request's end; false when it was called off.
func pause(r *http.Request, d time.Duration, off <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-off:
		return false
	case <-r.Context().Done():
	}
	return true
}

func (s *Server) dispatch(q *request, m message, disconnect bool) {
	if text := q.versionError(); text != "" {
		s.reply(q, answer(m).fail(text, "none"))
		return
	}
	if q.authErr != nil {
		s.denied(q, m)
		return
	}
	if disconnect {
		s.disconnectSession(s.peek(m.ClientID))
	}
	switch m.Channel {
	case "/meta/handshake":
		s.handshake(q, m)
	case "/meta/connect":
		s.connect(q, m)
	case "/meta/subscribe":
		s.subscribe(q, m)
	case "/meta/unsubscribe":
		s.unsubscribe(q, m)
	case "/meta/disconnect":
		s.disconnect(q, m)
	default:
		s.unknown(q, m)
	}
}

// unknown refuses what this endpoint has no meaning for: nothing is published over CometD.
func (s *Server) unknown(q *request, m message) {
	s.count(func(st *Stats) { st.Refused++ })
	switch {
	case m.Channel == "":
		s.reply(q, answer(m).fail(errNoChannel, ""))
	case strings.HasPrefix(m.Channel, "/meta/"):
		s.reply(q, answer(m).fail(errUnknownMeta, ""))
	default:
		s.reply(q, answer(m).fail(errPublish, ""))
	}
}

func (q *request) versionError() string {
	switch {
	case q.version == 0:
		return errVersionMissing
	case q.version < 37:
		return errVersionOld
	}
	return ""
}

// denied answers a message whose token is missing or bad. The session it names is gone (facts 4.5).
func (s *Server) denied(q *request, m message) {
	reason := errAuthInvalid
	if errors.Is(q.authErr, ErrMissing) {
		reason = errAuthMissing
	}
	if m.Channel == "/meta/handshake" {
		s.reply(q, answer(m).fail(errDenied, "none").because(reason))
		return
	}
	s.remove(s.peek(m.ClientID), goneForgotten)
	if s.opt.AuthFailure == AuthUnknown {
		s.reply(q, answer(m).fail(errUnknownClient, "handshake"))
		return
	}
	s.reply(q, answer(m).fail(reason, "none"))
}

// authPage answers a bad token at the HTTP level where that form is chosen.
func (s *Server) authPage(w http.ResponseWriter) bool {
	switch s.opt.AuthFailure {
	case AuthEmpty:
		s.refuse(w, http.StatusUnauthorized, "")
	case AuthHTML:
		w.Header().Set("Content-Type", htmlType)
		s.refuse(w, http.StatusUnauthorized, unauthorizedPage)
	case AuthBayeux, AuthUnknown:
		return false
	}
	return true
}

func (s *Server) refuse(w http.ResponseWriter, status int, text string) {
	s.count(func(st *Stats) { st.Refused++ })
	if text != "" && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a client that is gone has nothing to learn
}

// reply queues one reply of the request.
func (s *Server) reply(q *request, r reply) {
	if !r.Successful {
		s.count(func(st *Stats) { st.Failures++ })
	}
	q.out = r.append(q.out)
}

// finish writes what the messages of a request came to and starts the session's clock again.
func (s *Server) finish(w http.ResponseWriter, q *request) {
	if q.touched != nil {
		q.touched.release(s.opt.Clock().Add(s.opt.SessionTimeout))
	}
	if q.left {
		return
	}
	if q.drop {
		panic(http.ErrAbortHandler)
	}
	if q.status != 0 {
		w.Header().Set("Content-Type", q.media)
		s.refuse(w, q.status, q.page)
		return
	}
	if s.opt.AnyReply && q.events == 0 && q.touched != nil {
		if err := s.deliver(q, q.touched); err != nil {
			s.remove(q.touched, goneForgotten)
		}
	}
	for _, c := range q.cookies {
		http.SetCookie(w, c)
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-cache, no-store")
	q.out[len(q.out)-1] = ']'
	w.Header().Set("Content-Length", strconv.Itoa(len(q.out)))
	n, err := w.Write(q.out)
	if err == nil {
		err = http.NewResponseController(w).Flush()
	}
	s.wrote(q, n, err == nil || errors.Is(err, http.ErrNotSupported))
}
