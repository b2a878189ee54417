package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
	"crosswalk/schemas"
)

// BackfillOptions say what is to be read again, and whether the command waits for it.
type BackfillOptions struct {
	Org  string // alias; needed only with several
	Ask  avro.Backfill
	Wait bool
	Seen func(salesforce.Backfill) // is told how far it is; nil: nobody wants to know
}

// ErrBackfill says that a backfill is not done; its text has the reason.
var ErrBackfill = errors.New("the backfill is not done")

// BackfillAnswer is what became of a request.
type BackfillAnswer struct {
	salesforce.Backfill
	Recorded bool // nobody runs who could follow it: the next producer to start does
}

// Backfill asks the org's producer to read records again and, when asked to, waits until it has. When no process runs one,
// this process takes the task over, does the work and ends; without Wait, the request is recorded. A context that ends leaves
// a running producer at work, and the request recorded in any case. The error is ErrRejects when it is done but for what its
// notes say or rows that were rejected, and ErrBackfill when it is not done.
func (a *App) Backfill(ctx context.Context, opts BackfillOptions) (BackfillAnswer, error) {
	var none BackfillAnswer
	if _, err := salesforce.CheckBackfill(&opts.Ask); err != nil {
		return none, err
	}
	if org, err := a.org(opts.Org); err == nil && org.Salesforce.Auth.Flow == "" {
		return none, UsageError{fmt.Errorf("org %q has no Salesforce configured; see orgs[].salesforce in deploy/example/crosswalk.yaml", orgName(org))}
	}
	org, p, err := a.about(ctx, opts.Org)
	if err != nil {
		return none, err
	}
	defer p.close()
	all, err := p.backfills(ctx, org)
	if err != nil {
		return none, err
	}
	var withdrawn []string
	for _, old := range salesforce.Outdated(all, time.Now()) {
		withdrawn = append(withdrawn, salesforce.WithdrawnKeys(org.Alias, old)...)
	}
	id := time.Now().UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:4])
	err = a.writeControl(ctx, p, org, avro.Control{Kind: salesforce.AskBackfill, ID: id, Backfill: &opts.Ask}, id, withdrawn...)
	if err != nil {
		return none, err
	}
	f := &follower{app: a, platform: p, org: org, id: id, seen: opts.Seen}
	if opts.Wait {
		return f.finish(ctx)
	}
	held, err := f.held(ctx)
	if err != nil {
		return none, err
	}
	b, err := f.follow(ctx, func(*salesforce.Backfill) bool { return true })
	return BackfillAnswer{b, !held}, err
}

// steerTime is how long a producer that runs may take to follow: long, for a busy machine.
const steerTime = time.Minute

// SteerBackfill pauses, resumes or cancels a backfill, and waits until its producer has followed. What nobody follows is
// recorded.
func (a *App) SteerBackfill(ctx context.Context, alias, kind, id string) (BackfillAnswer, error) {
	var none BackfillAnswer
	org, p, err := a.about(ctx, alias)
	if err != nil {
		return none, err
	}
	defer p.close()
	all, err := p.backfills(ctx, org)
	if err != nil {
		return none, err
	}
	at := slices.IndexFunc(all, func(b salesforce.Backfill) bool { return b.ID == id })
	if at < 0 {
		return none, fmt.Errorf("org %q has no backfill %q; 'crosswalk backfill list' names them", orgName(org), id)
	}
	b := all[at]
	if b.State.Over() {
		return none, fmt.Errorf("backfill %s is %s already: nothing is left to %s", id, b.State, kind)
	}
	asked := max(time.Now().UnixMilli(), b.SteeredAt.UnixMilli()+1)
	err = a.writeControl(ctx, p, org, avro.Control{Kind: kind, ID: kind + "-" + rand.Text(), RequestedAt: asked, Task: &id}, id)
	if err != nil {
		return none, err
	}
	f := &follower{app: a, platform: p, org: org, id: id}
	if held, err := f.held(ctx); err != nil || !held {
		return BackfillAnswer{b, true}, err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, steerTime, errWaited)
	defer cancel()
	followed, err := f.follow(waiting, func(b *salesforce.Backfill) bool { return b.SteeredAt.UnixMilli() >= asked || b.State.Over() })
	if errors.Is(err, errWaited) {
		return BackfillAnswer{b, true}, nil
	}
	return BackfillAnswer{Backfill: followed}, err
}

// Backfills are those that were asked for, oldest first.
func (a *App) Backfills(ctx context.Context, alias string) ([]salesforce.Backfill, error) {
	org, p, err := a.about(ctx, alias)
	if err != nil {
		return nil, err
	}
	defer p.close()
	return p.backfills(ctx, org)
}

// backfills reads what crosswalk.position keeps of them, and from crosswalk.control those that no producer took up yet. Where neither
// can be read, the backfill is there nevertheless, and its reason says why nothing is known of it.
func (p *platform) backfills(ctx context.Context, org *config.Org) ([]salesforce.Backfill, error) {
	all, err := p.requestedBackfills(ctx, org)
	if err != nil {
		return nil, err
	}
	known, err := p.knownBackfills(ctx, org)
	if err != nil {
		return nil, err
	}
	for _, b := range known {
		if asked, there := all[b.ID]; there && b.State == salesforce.BackfillUnknown && asked.State != salesforce.BackfillUnknown {
			asked.State, asked.Reason = b.State, b.Reason
			b = asked
		}
		all[b.ID] = b
	}
	return slices.SortedFunc(maps.Values(all), func(x, y salesforce.Backfill) int {
		return cmp.Or(x.RequestedAt.Compare(y.RequestedAt), cmp.Compare(x.ID, y.ID))
	}), nil
}

// unknownBackfill stands for one of which a record cannot be read.
func unknownBackfill(id string, r *topic.Record, why error, then string) salesforce.Backfill {
	return salesforce.Backfill{
		ID: id, State: salesforce.BackfillUnknown, RequestedAt: r.Time.UTC(),
		Reason: fmt.Sprintf("record %d of %s partition %d is about it, and %v; %s", r.Offset, r.Topic, r.Partition, why, then),
	}
}

// requestedBackfills are those that were asked for, by id, as nobody has begun them.
func (p *platform) requestedBackfills(ctx context.Context, org *config.Org) (map[string]salesforce.Backfill, error) {
	name, out := topicName(org, salesforce.ControlTopic), map[string]salesforce.Backfill{}
	exists, err := p.kafka.Exists(ctx, name)
	if err != nil || !exists {
		return out, err
	}
	_, err = p.kafka.ReadAll(ctx, []string{name}, func(r topic.Record) error {
		asked, ok := salesforce.BackfillOf(org.Alias, r.Key)
		switch {
		case !ok:
			return nil
		case r.Value == nil:
			delete(out, asked)
			return nil
		}
		record, err := p.control(ctx, r.Value)
		switch {
		case isUnreadable(err):
			out[asked] = unknownBackfill(asked, &r, err, "no producer can do it: ask for the backfill again")
			return nil
		case err == nil && topic.OrgName(record.Org) == orgName(org) && record.Kind == salesforce.AskBackfill:
			out[record.ID] = salesforce.RequestedBackfill(&record)
		}
		return err
	})
	return out, err
}

// knownBackfills are those that a producer took up.
func (p *platform) knownBackfills(ctx context.Context, org *config.Org) (out []salesforce.Backfill, err error) {
	name := topicName(org, "crosswalk.position")
	exists, err := p.kafka.Exists(ctx, name)
	if err != nil || !exists {
		return nil, err
	}
	prefix, last := orgName(org)+"/"+salesforce.BackfillSource, map[string]topic.Record{}
	_, err = p.kafka.ReadAll(ctx, []string{name}, func(r topic.Record) error {
		id, ok := strings.CutPrefix(string(r.Key), prefix)
		switch {
		case !ok:
		case r.Value == nil:
			delete(last, id)
		default:
			r.Value = slices.Clone(r.Value)
			last[id] = r
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for id, r := range last {
		b, err := readRecord(ctx, p, r.Value, readBackfill)
		switch {
		case isUnreadable(err):
			b = unknownBackfill(id, &r, err, "the next start of the producer gives the backfill up, unless one that runs stores how far it is")
		case err != nil:
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func readBackfill(schema string, body []byte) (salesforce.Backfill, error) {
	position, err := avro.DecodePosition(schema, body)
	if err != nil {
		return salesforce.Backfill{}, err
	}
	b, err := salesforce.ReadBackfill(&position)
	if err != nil {
		return salesforce.Backfill{}, err
	}
	return *b, nil
}

// writeControl writes down what is asked for of the backfill with this id; withdrawn are the keys of former requests that are
// forgotten. Each backfill has a writer's task of its own, so that only those who steer the same one can fence each other.
func (a *App) writeControl(ctx context.Context, p *platform, org *config.Org, c avro.Control, id string, withdrawn ...string) error {
	control := topicName(org, salesforce.ControlTopic)
	k := a.cfg.Kafka
	err := p.kafka.Ensure(ctx, topic.Spec{
		Name: control, Partitions: k.Partitions, Replication: k.Replication,
		Config: map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "345600000"},
	})
	if err != nil {
		return err
	}
	schema, err := p.registry.Register(ctx, control+"-value", schemas.Control)
	if err != nil {
		return err
	}
	c.Org, c.RequestedAt, c.RequestedBy, c.Detail = orgName(org), cmp.Or(c.RequestedAt, time.Now().UnixMilli()), requester(), map[string]string{}
	value, err := c.Append(avro.Frame(nil, schema))
	if err != nil {
		return err
	}
	writer, err := p.kafka.NewWriter(ctx, topic.WriterConfig{Task: "control/" + orgName(org) + "/backfill/" + id, Topics: []string{control}})
	if err != nil {
		return notRequested(control, id, err)
	}
	defer writer.Close()
	record := func(key, kind string, value []byte) topic.Record {
		return topic.Record{Topic: control, Key: []byte(key), Value: value, Headers: p.kafka.Stamp(1, org.Alias, "app", "control."+kind, key)}
	}
	records := []topic.Record{record(salesforce.ControlKey(org.Alias, c.Kind, id), c.Kind, value)}
	for _, key := range withdrawn {
		records = append(records, record(key, "withdrawn", nil))
	}
	if err := writer.Write(ctx, records...); err != nil {
		return notRequested(control, id, err)
	}
	return nil
}

// notRequested says why a request of the backfill with this id is not in the control topic.
func notRequested(control, id string, err error) error {
	if errors.Is(err, topic.ErrFenced) {
		return fmt.Errorf("somebody else asked something of backfill %s at the same time; see 'crosswalk backfill list', and ask again if it is not what you want", id)
	}
	return fmt.Errorf("write %s: %w", control, err)
}
