package bayeux

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"crosswalk/internal/retry"
)

// statusError is an answer that is not Bayeux.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// exchange sends one message and waits for its answer. The events in the reply go to the handler, whatever else it
// says, in front of them the acknowledgement of a subscription; a refusal comes back as what Run does about it.
func (s *session) exchange(ctx context.Context, timeout time.Duration, ask request) (metaReply, error) {
	s.lastID++
	ask.ID, ask.ClientID = strconv.Itoa(s.lastID), s.clientID
	response, body, err := s.post(ctx, timeout, ask)
	if err != nil {
		return metaReply{}, err
	}
	reply, err := decodeReply(body, time.Now())
	if err != nil {
		return metaReply{}, s.notBayeux(ask, response, body, err)
	}
	answer, goodbye, found := reply.answerTo(ask)
	if found && answer.successful && ask.acknowledged != nil {
		s.queue.put(delivery{subscribed: ask.acknowledged})
	}
	s.hand(reply)
	switch {
	case found && !answer.successful:
		s.advice.follow(answer.advice)
		return answer, s.refusal(ask, answer)
	case goodbye && ask.Channel != metaDisconnect:
		return answer, lost(CauseGoodbye, "%s: the server ended the session", ask.Channel)
	case !found:
		return answer, s.notBayeux(ask, response, body, errors.New("there is no answer in it"))
	}
	s.accepted = true
	s.advice.follow(answer.advice)
	return answer, nil
}

// hand passes on a reply's events. During the farewell it does not: events may have been lost before them.
func (s *session) hand(reply *reply) {
	s.config.Metrics.replyBytes.Add(float64(reply.size))
	if len(reply.events) == 0 || s.leaving {
		return
	}
	s.config.Metrics.buffered.Add(float64(reply.size))
	s.queue.put(delivery{events: reply.events, size: reply.size})
}

// post makes the HTTP request and reads the whole body. Errors are of the network.
func (s *session) post(ctx context.Context, timeout time.Duration, ask request) (*http.Response, []byte, error) {
	payload, err := json.Marshal([]request{ask})
	if err != nil {
		return nil, nil, fmt.Errorf("encode %s: %w", ask.Channel, err)
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	failed := func(err error) error {
		switch {
		case outer.Err() != nil:
			return context.Cause(outer)
		case ctx.Err() != nil:
			return lost(CauseNetwork, "%s: %s did not answer within %v", ask.Channel, s.config.URL, timeout)
		}
		return lost(CauseNetwork, "%s: %w", ask.Channel, err)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.URL, bytes.NewReader(payload))
	if err != nil {
		return nil, nil, fmt.Errorf("make a request to %s: %w", s.config.URL, err)
	}
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("Accept", "application/json")
	post.Header.Set("Authorization", "Bearer "+s.token)
	response, err := s.http.Do(post)
	if err != nil {
		return nil, nil, failed(err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or given up
	body, err := readAll(response, s.config.MaxReply)
	if err != nil {
		return nil, nil, failed(err)
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		s.serverTime = date
	}
	return response, body, nil
}

// readAll reads a body of at most limit bytes.
func readAll(response *http.Response, limit int64) ([]byte, error) {
	var body bytes.Buffer
	if n := response.ContentLength; n > 0 && n <= limit {
		body.Grow(int(n) + bytes.MinRead) // ReadFrom wants room to see the end
	}
	n, err := body.ReadFrom(io.LimitReader(response.Body, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("the reply is larger than %d bytes: raise the largest reply that is accepted", limit)
	}
	return body.Bytes(), err
}

// answerTo finds the answer to a request among the meta replies, and whether the server ends the session unasked.
func (r *reply) answerTo(ask request) (answer metaReply, goodbye, found bool) {
	for _, m := range r.metas {
		switch {
		case m.channel == ask.Channel && (m.id == ask.ID || m.id == ""):
			answer, found = m, true
		case m.channel == metaDisconnect:
			goodbye = true
		}
	}
	return answer, goodbye, found
}

// follow takes over the parts of the advice that were given.
func (a *advice) follow(given advice) {
	if given.reconnect != "" {
		a.reconnect = given.reconnect
	}
	if given.interval >= 0 {
		a.interval = given.interval
	}
	if given.timeout >= 0 {
		a.timeout = given.timeout
	}
}

// notBayeux says what an answer means that holds none to the request: by its status, for its body is a gateway's page,
// a proxy's, or cut off.
func (s *session) notBayeux(ask request, response *http.Response, body []byte, why error) error {
	status := &statusError{code: response.StatusCode, text: fmt.Sprintf("%s: %s answered %s, which is not Bayeux (%v): %s",
		ask.Channel, s.config.URL, describe(response), why, excerpt(body))}
	var err error = status
	if after, ok := retry.ParseAfter(response.Header.Get("Retry-After"), time.Now()); ok {
		err = retry.After(err, after)
	}
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized:
		return &LostError{Cause: CauseToken, Err: err}
	case code == http.StatusTooManyRequests:
		return &LostError{Cause: CauseBusy, Err: err}
	case code == http.StatusNotFound, code == http.StatusGone, code == http.StatusMethodNotAllowed, code/100 == 3,
		code == 420: // what Salesforce's edge answers for an unknown My Domain (facts 8)
		return &AddressError{URL: s.config.URL, Text: fmt.Sprintf("it answered %s, which is not Bayeux", describe(response))}
	}
	return &LostError{Cause: CauseReply, Err: err}
}

func describe(response *http.Response) string {
	kind := response.Header.Get("Content-Type")
	if kind == "" {
		kind = "no content type"
	}
	return fmt.Sprintf("HTTP %d with %s", response.StatusCode, kind)
}

// excerpt is the beginning of a body for an error text.
func excerpt(body []byte) string {
	const length = 80
	if len(body) == 0 {
		return "empty"
	}
	if len(body) > length {
		return fmt.Sprintf("%q and %d bytes more", body[:length], len(body)-length)
	}
	return fmt.Sprintf("%q", body)
}
