package bayeux

import (
	"context"
	"errors"
	"time"

	"crosswalk/internal/retry"
)

// session is one clientId, from its handshake to its end. It has one request under way at any time: with two, the
// events of their replies could not be put in order. After a request that failed it sends none but its farewell, and
// what that brings is dropped: the events of the lost reply are missing before it.
type session struct {
	*run
	token      string
	clientID   string
	advice     advice    // the last one, part by part
	serverTime time.Time // of the last answer
	lastID     int
	subscribed []string
	ready      time.Time // when the last channel was subscribed to; zero before
	streaming  bool      // a request for events was answered after that
	accepted   bool      // a request was answered well
	leaving    bool      // the farewell has begun
}

// live shakes hands, subscribes and asks for events until something ends it.
func (s *session) live(ctx context.Context) error {
	if err := s.login(ctx); err != nil {
		return err
	}
	if err := s.handshake(ctx); err != nil {
		return err
	}
	for _, sub := range s.subs {
		if err := s.subscribe(ctx, sub); err != nil {
			return err
		}
	}
	s.ready = time.Now()
	for {
		if err := s.next(ctx); err != nil {
			return err
		}
	}
}

func (s *session) login(ctx context.Context) error {
	token, err := s.config.Token(ctx, s.rejected)
	switch {
	case err != nil && retry.IsFinal(err):
		return &AuthError{URL: s.config.URL, Err: err}
	case err != nil:
		return lost(CauseLogin, "get an access token: %w", err)
	case token == "":
		return &AuthError{URL: s.config.URL, Err: errors.New("the token source returned an empty one")}
	}
	s.token, s.rejected = token, ""
	return nil
}

// handshake begins the session and makes the first connect, which only fetches the server's advice.
func (s *session) handshake(ctx context.Context) error {
	answer, err := s.exchange(ctx, s.config.Timing.Request, handshakeRequest())
	if err != nil {
		return err
	}
	if answer.clientID == "" {
		return lost(CauseReply, "%s: the server's answer has no clientId", metaHandshake)
	}
	s.clientID = answer.clientID
	if !answer.replay {
		return ErrNoReplay
	}
	s.opened = true
	s.config.Metrics.handshakes.Inc()
	_, err = s.exchange(ctx, s.hold(), firstConnectRequest())
	return err
}

func (s *session) subscribe(ctx context.Context, sub Subscription) error {
	ack := Acknowledgement{Channel: sub.Channel, Replay: sub.Replay(), ServerTime: s.serverTime}
	request := subscribeRequest(ack.Channel, ack.Replay)
	request.acknowledged = func() {
		if sub.Subscribed != nil {
			sub.Subscribed(ack)
		}
	}
	if _, err := s.exchange(ctx, s.config.Timing.Request, request); err != nil {
		return err
	}
	s.subscribed = append(s.subscribed, sub.Channel)
	s.config.Metrics.subscriptions.Inc()
	s.log.Debug("subscribed", keyURL, s.config.URL, keyChannel, ack.Channel, keyReplay, ack.Replay)
	return nil
}

// next asks for events once, when the handler is ready for more or the server would otherwise forget the client.
func (s *session) next(ctx context.Context) error {
	if !s.queue.below(ctx, s.config.Buffer, s.config.Timing.KeepAlive) {
		if held, _ := s.queue.size(); held >= 2*s.config.Buffer {
			return lost(CauseSlow, "the handler has %d bytes of events to catch up with", held)
		}
	}
	if _, err := s.exchange(ctx, s.hold(), connectRequest()); err != nil {
		return err
	}
	s.config.Metrics.connects.Inc()
	if !s.streaming {
		s.begin()
	}
	switch s.advice.reconnect {
	case "handshake":
		return lost(CauseGoodbye, "%s: the server asks for a new handshake", metaConnect)
	case "none":
		return lost(CauseBusy, "%s: the server asks not to be called again", metaConnect)
	}
	return retry.Sleep(ctx, s.advice.interval)
}

// begin notes that the session works: a request for events was answered after all channels were subscribed to.
func (s *session) begin() {
	s.streaming = true
	s.busy, s.forbidden = 0, false
	if s.warned {
		s.warned = false
		s.log.Info("streaming again", keyURL, s.config.URL, keyFailures, s.failures)
	}
}

// hold is how long a request for events may take.
func (s *session) hold() time.Duration {
	hold := s.config.Timing.Hold
	if s.advice.timeout > 0 {
		hold = s.advice.timeout
	}
	return hold + s.config.Timing.Slack
}

// end says farewell to a server that still has the session. A lost one is left to the server, which forgets it.
func (s *session) end(ctx context.Context, err error) {
	s.config.Metrics.subscriptions.Sub(float64(len(s.subscribed)))
	var lost *LostError
	if errors.As(err, &lost) && lost.Cause != CauseResubscribe && lost.Cause != CauseSlow || s.clientID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Timing.Goodbye)
	defer cancel()
	s.leaving = true
	for _, channel := range s.subscribed {
		if _, err := s.exchange(ctx, s.config.Timing.Goodbye, request{Channel: metaUnsubscribe, Subscription: channel}); err != nil {
			s.log.Debug("unsubscribe failed", keyURL, s.config.URL, keyChannel, channel, keyError, err.Error())
			return
		}
	}
	if _, err := s.exchange(ctx, s.config.Timing.Goodbye, request{Channel: metaDisconnect}); err != nil {
		s.log.Debug("disconnect failed", keyURL, s.config.URL, keyError, err.Error())
	}
}

// explain adds to err what plan needs to know of the session.
func (s *session) explain(err error) error {
	lasted := time.Duration(-1)
	if !s.ready.IsZero() {
		lasted = time.Since(s.ready)
	}
	return &sessionEnd{error: err, lasted: lasted, interval: s.advice.interval, token: s.token, accepted: s.accepted}
}
