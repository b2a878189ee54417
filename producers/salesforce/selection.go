package salesforce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/bayeux"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
)

// answer is what came of asking the org whether it sends an entity's events.
type answer uint8

const (
	unknown answer = iota
	yes
	no
)

// evidence is what the org shows about an entity's change events. There is no one place that says it: the channel of all
// entities is granted whatever is selected and carries nothing of what is not, or may not be seen (facts 5.8, 5.9).
type evidence struct {
	refused string // how the channel of all entities was refused; empty when it was granted or not asked for yet
	hint    string // what to do about that, as far as the refusal tells
	member  answer // whether the entity is selected, where that can be seen (View Setup and Configuration)
	custom  bool   // it is selected on another channel
	own     answer // whether the entity's own channel is granted; asked where member is unknown
	said    string // how that was refused
	deaf    int    // reconciliations in a row that found changes while no event came
	heard   bool   // an event came since the entity is polled
}

// deafAfter is how many reconciliations in a row must find changes of which no event came until an entity is taken for
// one without events.
const deafAfter = 3

// The reasons why an entity is polled; each is followed by where to click.
const (
	whyUnselected = "CDC is not selected for it"
	whyCustom     = "CDC is selected for it on a custom channel only, and the events of the standard channel are followed"
)

// ClickCDC is where Change Data Capture is selected, and what happens until then.
const ClickCDC = "Setup > Change Data Capture > move it to Selected Entities; until then changes are found by polling"

// why returns why an entity has to be polled, and what a person can do about it; it is empty when events are to be relied
// on. Without a sign that there are none they are: reconciliation and silence tell the rest (H15, H16).
func (e evidence) why() (why, advice string) {
	switch {
	case e.refused != "":
		return fmt.Sprintf("the org's channel of change events was refused (%s)", e.refused),
			cmp.Or(e.hint, "the edition may not have Change Data Capture, or the user may not stream: Setup > Change Data Capture, and Setup > User Interface > Enable Streaming API")
	case e.member == no && e.custom:
		return whyCustom, ClickCDC
	case e.member == no:
		return whyUnselected, ClickCDC
	case e.member == unknown && e.own == no:
		return fmt.Sprintf("CDC is not selected for it, or the user lacks View All Records on it (%s)", e.said),
			"Setup > Change Data Capture, and the user's permission set > Object Settings > View All Records"
	case e.deaf >= deafAfter && !e.heard:
		return "no event of it comes although its records change",
			"the user's permission set > Object Settings > View All Records; without it Salesforce withholds events without an error"
	}
	return "", ""
}

// watchSelection asks from time to time whether the org sends the events of each entity, and has those polled of which it
// does not, from then on until it does again.
func (l *loop) watchSelection(ctx context.Context) error {
	for {
		found := l.askSelection(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := l.do(ctx, func() error { return l.choose(ctx, found) }); err != nil {
			return nil // ctx has ended
		}
		for waited := time.Duration(0); waited < l.cfg.PollEvery && !l.asksSelection.Swap(false); waited += tick {
			if retry.Sleep(ctx, tick) != nil {
				return nil
			}
		}
	}
}

// askSelection asks the org. What it could not learn is unknown.
func (l *loop) askSelection(ctx context.Context) map[string]evidence {
	found := map[string]evidence{}
	members, err := l.api(workPoll).Members(ctx)
	for _, name := range entities {
		e := evidence{}
		switch {
		case err == nil:
			var selected bool
			selected, e.custom = sfapi.Selected(members, name)
			if e.member = no; selected {
				e.member = yes
			}
		case nextOf(err) == sfapi.NextStop:
			e.own, e.said = l.askChannel(ctx, name)
		}
		found[name] = e
	}
	return found
}

// askChannel subscribes to an entity's own channel for a moment: Salesforce refuses that where the channel of all entities
// stays silent (facts 5.8, 5.9).
func (l *loop) askChannel(ctx context.Context, name string) (a answer, said string) {
	address, err := l.stream.address(ctx)
	if err != nil {
		return unknown, ""
	}
	err = bayeux.Probe(ctx, bayeux.Config{URL: address, HTTP: l.cfg.HTTP, Token: l.cfg.Tokens.AccessToken, Logger: l.cfg.Logger}, "/data/"+sfapi.EventOf(name))
	var refused *bayeux.SubscribeError
	switch {
	case err == nil:
		return yes, ""
	case errors.As(err, &refused):
		return no, refused.Text
	}
	l.cfg.Logger.Debug("the entity's own channel could not be asked for", "entity", name, "error", err)
	return unknown, ""
}

// choose has each entity polled or streamed, as the evidence says. Without any it stays as it is.
func (l *loop) choose(ctx context.Context, found map[string]evidence) error {
	for _, name := range entities {
		e, f := found[name], l.feeds[name]
		e.refused, e.hint, e.deaf, e.heard = l.noChannel, l.channelHint, f.Deaf, f.heard > f.Since
		why, advice := e.why()
		if l.advice[name] = advice; why == "" && f.Polled {
			l.advice[name] = ClickCDC
		}
		switch {
		case why != "" && (!f.Polled || f.Why != why):
			l.beginPolling(ctx, name, why, advice)
		case why != "":
			f.ending = false
		case f.Polled && !f.ending && l.subscribed && (e.member == yes || e.own == yes || e.heard):
			f.ending, f.granted = true, l.granted
			l.reconciler.resubscribe() // what was withheld is delivered to a new subscription only (facts 5.8)
		}
	}
	return nil
}

// hears notes an event of an entity. One of an entity that is polled is worth asking the org again.
func (l *loop) hears(name string, committed int64) {
	f := l.feeds[name]
	if f == nil || committed <= f.heard {
		return
	}
	if f.Polled && committed > f.Since && f.heard <= f.Since {
		l.asksSelection.Store(true)
	}
	f.heard, f.Deaf = committed, 0
}

// pollText says what a person should know of an entity that is polled.
func pollText(name string, every time.Duration, why string) string {
	return fmt.Sprintf("%s: polled every %s, because %s", name, brief(every), why)
}

// brief writes a duration without its zero parts: 5m, not 5m0s.
func brief(d time.Duration) string {
	text := d.String()
	if d >= time.Minute && d%time.Minute == 0 {
		text = text[:len(text)-len("0s")]
	}
	if d >= time.Hour && d%time.Hour == 0 {
		text = text[:len(text)-len("0m")]
	}
	return text
}

func (l *loop) beginPolling(ctx context.Context, name, why, advice string) {
	f := l.feeds[name]
	f.Polled, f.Why, f.Since, f.ending = true, why, l.now(), false
	l.due = true
	text := pollText(name, l.cfg.PollEvery, why)
	l.cfg.Logger.Warn(text, "entity", name, "advice", advice)
	l.tellPolling(ctx, name, "opened", text+": "+advice)
}

// endPolling is called when a poll is over that began after the entity's events were granted: no change lies between.
func (l *loop) endPolling(ctx context.Context, name string) {
	f := l.feeds[name]
	text := name + ": its change events come again; it is no longer polled, and what changed until now was read"
	l.cfg.Logger.Warn(text, "entity", name, "polled_since", time.UnixMilli(f.Since).UTC())
	l.tellPolling(ctx, name, "closed", text)
	f.Polled, f.ending, f.Why, f.Since, f.Deaf = false, false, "", 0, 0
	delete(l.advice, name)
	l.due = true
}

// tellPolling writes an audit event that opens or closes the time in which an entity is polled.
func (l *loop) tellPolling(ctx context.Context, name, state, message string) {
	f := l.feeds[name]
	why := f.Why
	l.writeAudit(ctx, avro.Audit{
		ID: fmt.Sprintf("%s/%s/polling-%d", l.org(), name, f.Since), Kind: auditPolling, State: state, OpenedAt: nullable(f.Since),
		Subject: &name, Reason: &why, Message: message, Bounds: &avro.Bounds{FromTime: nullable(f.Covered)},
	})
}

// channelRefused reports whether the org does not let us follow the channel of all entities at all.
func channelRefused(err error) bool {
	var subscription *bayeux.SubscribeError
	var session *bayeux.HandshakeError
	return errors.As(err, &subscription) || errors.As(err, &session)
}

// withoutChannel has every entity polled, and returns when the channel may be asked for again.
func (l *loop) withoutChannel(ctx context.Context, why error) error {
	text, hint := why.Error(), ""
	var subscription *bayeux.SubscribeError
	var session *bayeux.HandshakeError
	switch {
	case errors.As(why, &subscription):
		text, hint = subscription.Text, subscription.Hint
	case errors.As(why, &session):
		text = session.Text
	}
	err := l.do(ctx, func() error {
		l.subscribed, l.noChannel, l.channelHint = false, text, hint
		l.update(func(s *Status) { s.Interrupted = nil }) // it is not waited for any more
		return l.choose(ctx, map[string]evidence{})
	})
	if err != nil {
		return err
	}
	return retry.Sleep(ctx, l.cfg.PollEvery)
}
