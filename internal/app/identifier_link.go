package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"crosswalk/consumers/matcher"
	"crosswalk/consumers/matcher/suggest"
	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
)

// currentLink is the one that the org's matcher follows: the running one's word, or else what the next one would follow.
func (a *App) currentLink(ctx context.Context, p *platform, org *config.Org) (*customer.Link, error) {
	if s := a.runningMatcher(ctx, org); s != nil && s.Phase == matcher.Live {
		return s.Link, nil
	}
	return p.link(ctx, org)
}

// runningMatcher is what the org's matcher says of itself, when a process on this data_dir runs it; else nil.
func (a *App) runningMatcher(ctx context.Context, org *config.Org) *matcher.Status {
	e, ok, err := readEndpoints(a.cfg.DataDir)
	if err != nil || !ok || e.Console == "" {
		return nil
	}
	text, err := ask(ctx, e.Console+"/api/status")
	if err != nil {
		return nil // a file that a killed process has left behind
	}
	var reply struct {
		Orgs map[string]struct {
			Matcher *matcher.Status `json:"matcher"`
		} `json:"orgs"`
	}
	if json.Unmarshal(text, &reply) != nil {
		return nil // another program listens there now
	}
	s := reply.Orgs[orgName(org)].Matcher
	if s == nil || s.Phase == matcher.Stopped && !e.Embedded {
		return nil // another process of the deployment has the task
	}
	return s
}

// link is the one that a matcher of the org follows: the last activation, else the configured one; nil for none.
func (p *platform) link(ctx context.Context, org *config.Org) (*customer.Link, error) {
	var link *customer.Link
	if org.Link.Set() {
		l := linkOf(org.Link)
		link = &l
	}
	configured, name := link, topicName(org, matcher.ControlTopic)
	exists, err := p.kafka.Exists(ctx, name)
	if err != nil || !exists {
		return link, err
	}
	_, err = p.kafka.ReadAll(ctx, []string{name}, func(r topic.Record) error {
		if string(r.Key) != matcher.ControlKey(org.Alias) {
			return nil
		}
		if r.Value == nil {
			link = configured
			return nil
		}
		record, err := p.control(ctx, r.Value)
		if isUnreadable(err) {
			return nil // the matcher rejects it, too, and goes on with the link before
		}
		if err != nil || topic.OrgName(record.Org) != orgName(org) || record.Kind != matcher.Activation {
			return err
		}
		link = nil
		if l := record.Link; l != nil {
			link = &customer.Link{SalesforceField: l.SalesforceField, ERPField: l.ERPField, Cardinality: customer.Cardinality(l.Cardinality), NearMiss: l.NearMiss}
		}
		return nil
	})
	return link, err
}

// control decodes a record of the control topic. One that cannot be decoded is an *unreadable.
func (p *platform) control(ctx context.Context, value []byte) (avro.Control, error) {
	return readRecord(ctx, p, value, avro.DecodeControl)
}

// check refuses a link that no matcher could follow, or that names a field which no record has.
func (p *platform) check(ctx context.Context, org *config.Org, link customer.Link) error {
	if err := link.Validate(); err != nil {
		return err
	}
	var m meter
	for _, side := range []struct{ topic, field, what, source string }{
		{matcher.AccountTopic, link.SalesforceField, "Account", "check that the integration user may read it, and that the snapshot of 'crosswalk run salesforce' is done"},
		{matcher.CustomerTopic, link.ERPField, "ERP customer", "check the columns that 'crosswalk erp import' reads"},
	} {
		if side.topic == matcher.AccountTopic && side.field == idField {
			continue
		}
		pop := &population{p: p, topic: topicName(org, side.topic), walkers: map[int]*avro.Walker{}, tick: m.tick}
		found, names, err := pop.has(ctx, side.field)
		if err != nil {
			return err
		}
		if !found {
			return unknownField(side.what, side.field, slices.Sorted(maps.Keys(names)), side.source)
		}
	}
	return nil
}

// unknownField names what a person may have meant.
func unknownField(what, field string, names []string, source string) error {
	if len(names) == 0 {
		return fmt.Errorf("no %s is in the topics yet, so the field %q cannot be checked; %s", what, field, source)
	}
	if near := suggest.Nearest(field, names); len(near) > 0 {
		return fmt.Errorf("no %s has a field %q; did you mean %s? 'crosswalk identifier suggest' ranks the fields that fit", what, field, strings.Join(near, ", "))
	}
	return fmt.Errorf("no %s has a field %q and none is named alike; %s, or let 'crosswalk identifier suggest' rank the fields that fit", what, field, source)
}
