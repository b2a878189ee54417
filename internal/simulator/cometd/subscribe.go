package cometd

import (
	"encoding/json"
	"strconv"
	"strings"
)

// maxSubscriptions bounds the channels of one session.
const maxSubscriptions = 100

// subscribe adds channels to a session: one name or a list, each with its replay option from ext.replay. A list is
// accepted whole or refused whole, with the first error. Left out: PushTopics, generic and platform event channels,
// which do not exist in this org and are refused as such.
func (s *Server) subscribe(q *request, m message) {
	s.count(func(st *Stats) { st.Subscribes++ })
	if m.ClientID == "" {
		s.reply(q, answer(m).fail(errNoHandshake, ""))
		return
	}
	x := s.session(q, m)
	if x == nil {
		return
	}
	added := make([]*subscribed, 0, len(m.Subscription.names))
	for _, name := range m.Subscription.names {
		sub, text := s.resolve(q, m, name)
		if text != "" {
			s.reply(q, answer(m).fail(text, ""))
			return
		}
		added = append(added, sub)
	}
	if len(added) == 0 {
		s.reply(q, answer(m).fail(errNoChannel, ""))
		return
	}
	x.mu.Lock()
	for _, sub := range added {
		_, again := x.subs[sub.channel.Name]
		_, asked := m.Replay[sub.channel.Name]
		if !again || asked { // a repeated subscription without replay changes nothing
			x.subs[sub.channel.Name] = sub
		}
	}
	full := len(x.subs) > maxSubscriptions
	x.nudge()
	x.mu.Unlock()
	if full {
		s.remove(x, goneForgotten)
		s.reply(q, answer(m).fail(errTooMany, ""))
		return
	}
	s.notify()
	r := answer(m)
	r.Successful = true
	s.reply(q, r)
}

// resolve checks one channel and returns the subscription to it, or the error text of the refusal.
func (s *Server) resolve(q *request, m message, name string) (_ *subscribed, text string) {
	name, _, _ = strings.Cut(name, "?")
	switch {
	case name == "":
		return nil, errNoChannel
	case name[0] != '/':
		return nil, errNoSlash
	case q.user.NotStreaming:
		return nil, errNotStreaming
	case s.opt.LimitAtSubscribe && s.exhausted():
		return nil, errDeliveryLimit
	}
	channel, err := s.log.Channel(name)
	if err != nil {
		return nil, errRoot(name)
	}
	sub := &subscribed{channel: channel}
	if entity := channel.Entity(); entity == "" {
		sub.may = make(map[string]bool)
	} else if text := s.refusal(q, entity, name); text != "" {
		return nil, text
	}
	option, asked := m.Replay[name]
	replay, ok := replayOption(option, asked)
	if !ok {
		return nil, errReplayInvalid(string(option))
	}
	sub.cursor, err = s.log.Position(channel, replay)
	if err != nil {
		s.count(func(st *Stats) { st.TooOld++ })
		return nil, errReplayInvalid(strconv.FormatInt(replay, 10))
	}
	sub.mute = s.muted()
	if replay >= 0 {
		sub.cursor = s.log.Back(channel, sub.cursor, s.opt.Duplicates)
	}
	return sub, ""
}

// refusal is why the user may not subscribe to the channel of one entity, "" when he may (facts 5.8, 5.9).
func (s *Server) refusal(q *request, entity, name string) string {
	denied := errPermission
	if s.opt.OldPermissionText {
		denied = errPermissionOld
	}
	if !q.user.Access.May(entity) {
		return denied
	}
	if s.log.Published(entity) {
		return ""
	}
	switch s.opt.Unselected {
	case UnselectedSilent:
		return ""
	case UnselectedMissing:
		return errChannelMissing(name)
	case UnselectedDenied:
	}
	return denied
}

// replayOption reads a replay option; without one it is -1, new events only (facts 4.4).
func replayOption(raw json.RawMessage, asked bool) (_ int64, ok bool) {
	if !asked {
		return -1, true
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil && n >= -2
}

// unsubscribe takes channels from a session; one that it does not have is no error.
func (s *Server) unsubscribe(q *request, m message) {
	x := s.session(q, m)
	if x == nil {
		return
	}
	if len(m.Subscription.names) == 0 {
		s.reply(q, answer(m).fail(errNoChannel, ""))
		return
	}
	x.mu.Lock()
	for _, name := range m.Subscription.names {
		name, _, _ = strings.Cut(name, "?")
		delete(x.subs, name)
	}
	x.mu.Unlock()
	s.notify()
	r := answer(m)
	r.Successful = true
	s.reply(q, r)
}
