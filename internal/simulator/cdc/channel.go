package cdc

import (
	"errors"
	"fmt"
	"strings"
)

// standardChannel carries the events of every selected entity.
const standardChannel = "/data/ChangeEvents"

// ErrNoChannel says that no channel has this name.
var ErrNoChannel = errors.New("channel does not exist")

// Channel is a resolved channel name. The zero Channel carries nothing.
type Channel struct {
	Name    string
	entity  string              // of a single-entity channel
	members map[string][]string // of a custom channel: entity to enriched fields
	log     *Log
}

// Member is an entity of a custom channel and the fields that its update and delete events always carry (facts 5.6).
type Member struct {
	Entity string
	Enrich []string // flat API names
}

// Access is what one user may see. The zero value sees everything.
type Access struct {
	// Entity reports whether the user may have the events of an entity: View All Records or its equivalent (facts 5.8).
	Entity func(entity string) bool
	// Hidden reports whether field-level security hides a field; such fields are dropped without a trace (facts 5.3).
	Hidden func(entity, field string) bool
}

// May reports whether the user may have the events of entity.
func (a Access) May(entity string) bool { return a.Entity == nil || a.Entity(entity) }

// Entity returns the object of a single-entity channel; "" for a channel of several.
func (c Channel) Entity() string { return c.entity }

// Carries reports whether an event travels on the channel.
func (c Channel) Carries(e Event) bool {
	switch {
	case c.entity != "":
		return c.entity == e.Entity
	case c.members != nil:
		_, member := c.members[e.Entity]
		return member
	}
	return c.log != nil && e.standard
}

// Channel resolves a case-sensitive channel name (facts 5.6): /data/ChangeEvents, /data/AccountChangeEvent,
// /data/Invoice__ChangeEvent, or a custom /data/Sales__chn made with AddChannel. Else ErrNoChannel.
func (l *Log) Channel(name string) (Channel, error) {
	if name == standardChannel {
		return Channel{Name: name, log: l}, nil
	}
	l.mu.RLock()
	custom, ok := l.channels[name]
	l.mu.RUnlock()
	if ok {
		return custom, nil
	}
	rest, isData := strings.CutPrefix(name, "/data/")
	entity, single := strings.CutSuffix(rest, "ChangeEvent")
	if !isData || !single || !isName(entity) {
		return Channel{}, fmt.Errorf("resolve %q: %w", name, ErrNoChannel)
	}
	if strings.HasSuffix(entity, "__") {
		entity += "c"
	}
	if !l.opt.Exists(entity) {
		return Channel{}, fmt.Errorf("resolve %q: %w", name, ErrNoChannel)
	}
	return Channel{Name: name, entity: entity, log: l}, nil
}

// Published reports whether changes of an entity raise events: it is selected, or a member of a custom channel.
func (l *Log) Published(entity string) bool {
	if !l.opt.Exists(entity) {
		return false
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.isPublished(entity)
}

// AddChannel makes the custom channel /data/<name> of the members; name ends in __chn. It replaces one of the same name.
func (l *Log) AddChannel(name string, members ...Member) error {
	if base, ok := strings.CutSuffix(name, "__chn"); !ok || !isName(base) {
		return fmt.Errorf("add channel %q: the name of a custom channel is like Sales__chn", name)
	}
	c := Channel{Name: "/data/" + name, members: make(map[string][]string), log: l}
	for _, m := range members {
		c.members[m.Entity] = m.Enrich
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.channels[c.Name] = c
	return nil
}

// isName reports whether s is a possible API name.
func isName(s string) bool {
	for _, r := range s {
		if r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 80
}

// Append appends the messages of e for this channel and user as JSON values, each followed by a comma, and returns
// their number: usually 1, 0 when the user may not see the event, several when enrichment splits a merged event
// into messages with the same replay id (facts 5.6).
func (c Channel) Append(dst []byte, e Event, user Access) (_ []byte, messages int) {
	if !c.Carries(e) || !user.May(e.Entity) {
		return dst, 0
	}
	enrich := c.members[e.Entity]
	if e.Kind != Update && e.Kind != Delete || c.log.opt.Current == nil {
		enrich = nil
	}
	if len(enrich) == 0 && !c.log.hides(e.Entity, user) {
		return c.wrap(dst, e.Data), 1
	}
	for _, data := range c.log.rewrite(e, enrich, user) {
		dst = c.wrap(dst, data)
		messages++
	}
	return dst, messages
}

func (c Channel) wrap(dst, data []byte) []byte {
	dst = append(dst, `{"data":`...)
	dst = append(dst, data...)
	dst = append(dst, `,"channel":"`...)
	dst = append(dst, c.Name...)
	return append(dst, `"},`...)
}

// hides reports whether the user is denied any field that events of the entity have had so far.
func (l *Log) hides(entity string, user Access) bool {
	if user.Hidden == nil {
		return false
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	p := l.plans[entity]
	if p == nil {
		return true
	}
	for name, f := range p.fields {
		if user.Hidden(entity, name) || f.part != "" && user.Hidden(entity, f.group) {
			return true
		}
	}
	return false
}
