// Package approval leads a person through the approval of a login in a browser: the web server flow with PKCE.
//
// An attempt passes through it so: New makes an address with a state and a challenge of its own; the person approves or declines
// there; the answer comes back to a callback, or is pasted; Take judges it, redeems the code once, and the token is durable before
// anybody is told. crosswalk connect leads one attempt (Page is its callback); a Desk leads those that the console's button begins,
// and lets the task of an org wait for them.
//
// Metrics (NewMetrics): crosswalk_approval_awaited.
//
// "Facts" in comments are the facts about Salesforce's wire behaviour that package sfapi was built against, by section.
package approval

import (
	"context"
	"errors"
	"sync"
	"time"

	"crosswalk/internal/sfapi"
)

// Life is how long a person may take: as long as Salesforce keeps an approval code (facts 1.2).
const Life = 15 * time.Minute

// Attempt is one approval under way. Answers that may end it come from the browser and from the keyboard at once; it is safe for
// concurrent use.
type Attempt struct {
	tokens *sfapi.TokenSource
	login  *sfapi.Login
	over   chan struct{} // closed when token and err stand

	mu    sync.Mutex // held while an answer is judged, the exchange included: a code is redeemed once
	token sfapi.Token
	err   error
}

// New begins an attempt. It calls nobody.
func New(tokens *sfapi.TokenSource) (*Attempt, error) {
	login, err := tokens.NewLogin()
	if err != nil {
		return nil, err
	}
	return &Attempt{tokens: tokens, login: login, over: make(chan struct{})}, nil
}

// URL is where the person approves.
func (t *Attempt) URL() string { return t.login.URL }

// Over is closed when the attempt is decided.
func (t *Attempt) Over() <-chan struct{} { return t.over }

// Result is what became of a decided attempt: the token, which is stored, or why there is none. A refusal of Salesforce's is an
// *sfapi.AuthError.
func (t *Attempt) Result() (sfapi.Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token, t.err
}

// Take judges one answer: a callback's query, an address, or a code. final is false when it is none that belongs to this
// attempt; then the attempt goes on. After the final answer every other gets the same result.
func (t *Attempt) Take(ctx context.Context, answer string) (final bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.decided() {
		return true, t.err
	}
	code, err := t.login.Code(answer)
	var refused *sfapi.AuthError
	switch {
	case err == nil:
		t.token, err = t.tokens.Exchange(ctx, t.login, code)
	case !errors.As(err, &refused):
		return false, err
	}
	t.err = err
	close(t.over)
	return true, err
}

// Fail ends the attempt without an answer; nothing happens when it is decided already.
func (t *Attempt) Fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.decided() {
		t.err = err
		close(t.over)
	}
}

func (t *Attempt) decided() bool {
	select {
	case <-t.over:
		return true
	default:
		return false
	}
}
