package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"time"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/internal/customer"
	"crosswalk/internal/topic"
	"crosswalk/schemas"
)

// ActivateOptions say which link is set where.
type ActivateOptions struct {
	Org  string         // alias; needed only with several
	Link *customer.Link // nil removes the link
	// Reset goes back to the configured link, whatever Link is: what was activated is forgotten.
	Reset bool
	Wait  time.Duration // how long the matcher is waited for
}

// Activation is what became of a request to set or to remove the link.
type Activation struct {
	ID       string         `json:"id"`       // of the request, in crosswalk.control and crosswalk.audit
	Previous *customer.Link `json:"previous"` // nil: there was none
	Link     *customer.Link `json:"link"`     // nil: it is removed
	// Outcome is done (the matcher has worked it through), published (a matcher elsewhere has published, and is quiet again),
	// recorded (no matcher runs here: the next one to start follows it) or pending (the wait was too short).
	Outcome string `json:"outcome"`
	// What the matcher says of itself; only when the outcome is done.
	Matched            int `json:"matched"`
	Ambiguous          int `json:"ambiguous"`
	UnmatchedAccounts  int `json:"unmatched_accounts"`
	UnmatchedCustomers int `json:"unmatched_customers"`
	NearMisses         int `json:"near_misses"`
}

// The outcomes of an Activation.
const (
	OutcomeDone      = "done"
	OutcomePublished = "published"
	OutcomeRecorded  = "recorded"
	OutcomePending   = "pending"
)

// Activate asks the org's matcher for another link (R7), which wins over the configured one, and waits until it is worked
// through. Before and after, the audit is told. A link that names a field which no record has is refused.
func (a *App) Activate(ctx context.Context, opts ActivateOptions) (Activation, error) {
	org, p, err := a.about(ctx, opts.Org)
	if err != nil {
		return Activation{}, err
	}
	defer p.close()
	if opts.Reset {
		if !org.Link.Set() {
			return Activation{}, UsageError{errors.New("no link is configured to go back to: set orgs[].link.salesforce_field and erp_field, or use crosswalk identifier deactivate")}
		}
		configured := linkOf(org.Link)
		opts.Link = &configured
	}
	if opts.Link != nil && !opts.Reset {
		if err := p.check(ctx, org, *opts.Link); err != nil {
			return Activation{}, err
		}
	}
	previous, err := a.currentLink(ctx, p, org)
	if err != nil {
		return Activation{}, err
	}
	r := &request{app: a, platform: p, org: org, reset: opts.Reset, began: time.Now(), Activation: Activation{
		ID: "activation-" + rand.Text(), Previous: previous, Link: opts.Link,
	}}
	if err := r.open(ctx); err != nil {
		return r.Activation, err
	}
	defer r.writer.Close()
	if err := r.record(ctx); err != nil {
		return r.Activation, err
	}
	if err := r.await(ctx, opts.Wait); err != nil {
		return r.Activation, err
	}
	if r.Outcome == OutcomeRecorded || r.Outcome == OutcomePending {
		return r.Activation, nil // the audit's event stays open
	}
	return r.Activation, r.audit(ctx, "closed")
}

// request is one activation on its way.
type request struct {
	Activation
	app      *App
	platform *platform
	org      *config.Org
	reset    bool
	began    time.Time

	writer          *topic.Writer
	control, audits struct {
		topic  string
		schema int
	}
	before map[string][]topic.Range // where the matcher's topics ended before the request
	after  map[string][]topic.Range // where the matcher's inputs end, the request included
}

// open finds the topics and schemas, and becomes the org's one writer of requests.
func (r *request) open(ctx context.Context) (err error) {
	r.control.topic, r.audits.topic = topicName(r.org, matcher.ControlTopic), topicName(r.org, "crosswalk.audit")
	names := []string{r.control.topic, r.audits.topic}
	k := r.app.cfg.Kafka
	compacted := map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "345600000"}
	err = r.platform.kafka.Ensure(ctx,
		topic.Spec{Name: r.control.topic, Partitions: k.Partitions, Replication: k.Replication, Config: compacted},
		topic.Spec{Name: r.audits.topic, Partitions: 1, Replication: k.Replication, Config: compacted})
	if err != nil {
		return err
	}
	if r.control.schema, err = r.platform.registry.Register(ctx, r.control.topic+"-value", schemas.Control); err != nil {
		return err
	}
	if r.audits.schema, err = r.platform.registry.Register(ctx, r.audits.topic+"-value", schemas.Audit); err != nil {
		return err
	}
	r.writer, err = r.platform.kafka.NewWriter(ctx, topic.WriterConfig{Task: "control/" + orgName(r.org), Topics: names})
	return notActivated(err)
}

// record writes down what is asked for: first the audit, so that nothing happens that it does not know of.
func (r *request) record(ctx context.Context) (err error) {
	if err := r.audit(ctx, "opened"); err != nil {
		return err
	}
	if r.before, err = r.platform.endsOf(ctx, r.org, outputs); err != nil {
		return err
	}
	record := avro.Control{
		Org: orgName(r.org), Kind: matcher.Activation, ID: r.ID, RequestedAt: r.began.UnixMilli(), RequestedBy: requester(), Detail: map[string]string{},
	}
	if l := r.Link; l != nil {
		record.Link = &avro.LinkSetting{SalesforceField: l.SalesforceField, ERPField: l.ERPField, Cardinality: string(l.Cardinality), NearMiss: l.NearMiss}
	}
	value, err := record.Append(avro.Frame(nil, r.control.schema))
	if err != nil {
		return err
	}
	if r.reset {
		value = nil // without a request the matcher follows the configuration
	}
	key := matcher.ControlKey(r.org.Alias)
	headers := r.platform.kafka.Stamp(1, r.org.Alias, "app", "control."+matcher.Activation, key)
	if err := r.write(ctx, topic.Record{Topic: r.control.topic, Key: []byte(key), Value: value, Headers: headers}); err != nil {
		return err
	}
	r.after, err = r.platform.endsOf(ctx, r.org, []string{
		matcher.AccountTopic, matcher.ContactTopic, matcher.NoteTopic, matcher.CustomerTopic, matcher.ControlTopic,
	})
	return err
}

func (r *request) write(ctx context.Context, record topic.Record) error {
	if err := r.writer.Write(ctx, record); err != nil {
		return notActivated(fmt.Errorf("write %s: %w", record.Topic, err))
	}
	return nil
}

// notActivated says so when a request did not get through because another came at the same time.
func notActivated(err error) error {
	if errors.Is(err, topic.ErrFenced) {
		return errors.New("another activation of this org was asked for at the same time; see 'crosswalk status', and ask again if it is not what you want")
	}
	return err
}

// audit tells the audit topic how far the request is.
func (r *request) audit(ctx context.Context, state string) error {
	opened, subject, task := r.began.UnixMilli(), r.Link.String(), "matcher/"+orgName(r.org)
	event := avro.Audit{
		ID: r.ID, Org: orgName(r.org), Kind: "activation", State: state, Time: time.Now().UnixMilli(), OpenedAt: &opened, Task: &task, Subject: &subject,
		Message: "the link " + subject + " was asked for in place of " + r.Previous.String(),
		Detail:  map[string]string{"link": subject, "previous": r.Previous.String()},
	}
	if by := requester(); by != nil {
		event.Detail["requested_by"] = *by
	}
	if state == "closed" {
		event.Message = "the link " + subject + " is worked through, in place of " + r.Previous.String()
		event.Detail["outcome"] = r.Outcome
		if r.Outcome == OutcomeDone {
			event.Detail["matched"], event.Detail["ambiguous"] = strconv.Itoa(r.Matched), strconv.Itoa(r.Ambiguous)
		}
	}
	value, err := event.Append(avro.Frame(nil, r.audits.schema))
	if err != nil {
		return err
	}
	key := orgName(r.org) + "/" + r.ID
	headers := r.platform.kafka.Stamp(1, r.org.Alias, "app", "audit."+state, key)
	return r.write(ctx, topic.Record{Topic: r.audits.topic, Key: []byte(key), Value: value, Headers: headers})
}

// requester is who asks: the user of the machine.
func requester() *string {
	u, err := user.Current()
	if err != nil {
		return nil
	}
	return &u.Username
}

// How the matcher is waited for.
const (
	askEvery = 100 * time.Millisecond
	quietFor = 3 * time.Second // a matcher elsewhere that has published and then was quiet for so long is done
)

// await waits until the matcher has worked the request through.
func (r *request) await(ctx context.Context, wait time.Duration) error {
	known := r.app.runningMatcher(ctx, r.org) != nil
	if !known && (r.platform.endpoints.Embedded || r.Link.String() == r.Previous.String()) {
		r.Outcome = OutcomeRecorded // nobody runs who is not known, or nothing has to change that could be seen
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errWaited)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	q := quiet{changed: time.Now()}
	for {
		var done bool
		var err error
		if known {
			done, err = r.worked(ctx)
		} else {
			done, err = r.published(ctx, &q)
		}
		if ctx.Err() == nil && (done || err != nil) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), errWaited) {
				return ctx.Err()
			}
			r.Outcome = OutcomePending
			return nil
		}
	}
}

var errWaited = errors.New("waited long enough")

// worked asks the matcher whether the outputs of the request are all acknowledged.
func (r *request) worked(ctx context.Context) (bool, error) {
	s := r.app.runningMatcher(ctx, r.org)
	if s == nil || !s.Covers(r.after) {
		return false, nil // not yet, or it is being stopped or started
	}
	if s.Link.String() != r.Link.String() {
		return false, r.overruled(ctx)
	}
	r.Outcome = OutcomeDone
	r.Matched, r.Ambiguous, r.NearMisses = s.Matched, s.Ambiguous, s.NearMisses
	r.UnmatchedAccounts, r.UnmatchedCustomers = s.Unmatched.Accounts, s.Unmatched.Customers
	return true, nil
}

// overruled reports that somebody has set another link since. Otherwise the matcher is about to tell of this one.
func (r *request) overruled(ctx context.Context) error {
	now, err := r.platform.link(ctx, r.org)
	if err == nil && now.String() != r.Link.String() {
		err = fmt.Errorf("somebody has set the link %s after this one, and the matcher follows it; see 'crosswalk status'", now)
	}
	return err
}

// quiet is since when the matcher's topics have not grown.
type quiet struct {
	ends    string
	changed time.Time
}

// published watches the matcher's topics, when nobody can be asked: a matcher that has something to change publishes.
func (r *request) published(ctx context.Context, q *quiet) (bool, error) {
	now, err := r.platform.endsOf(ctx, r.org, outputs)
	if err != nil {
		return false, err
	}
	if ends := fmt.Sprint(now); ends != q.ends {
		q.ends, q.changed = ends, time.Now()
	}
	if q.ends == fmt.Sprint(r.before) || time.Since(q.changed) < quietFor {
		return false, nil
	}
	r.Outcome = OutcomePublished
	return true, nil
}

// endsOf is where topics of an org begin and end; those that are missing are left out.
func (p *platform) endsOf(ctx context.Context, org *config.Org, topics []string) (map[string][]topic.Range, error) {
	var names []string
	for _, name := range topics {
		exists, err := p.kafka.Exists(ctx, topicName(org, name))
		if err != nil {
			return nil, err
		}
		if exists {
			names = append(names, topicName(org, name))
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return p.kafka.Offsets(ctx, names...)
}
