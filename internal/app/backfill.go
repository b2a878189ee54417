package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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

// ErrBackfill says that a backfill ended without being done; its text has the reason.
var ErrBackfill = errors.New("the backfill is not done")

// Backfill asks the org's producer to read records again and, when asked to, waits until it has. When no producer takes the
// request up, this process takes the task over, does the work and ends. A context that ends leaves a running producer at
// work: the request is recorded.
func (a *App) Backfill(ctx context.Context, opts BackfillOptions) (salesforce.Backfill, error) {
	var b salesforce.Backfill
	if _, err := salesforce.CheckBackfill(&opts.Ask); err != nil {
		return b, err
	}
	org, p, err := a.about(ctx, opts.Org)
	if err != nil {
		return b, err
	}
	defer p.close()
	if org.Salesforce.Auth.Flow == "" {
		return b, fmt.Errorf("org %q has no Salesforce configured; see orgs[].salesforce in deploy/example/crosswalk.yaml", orgName(org))
	}
	id := time.Now().UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:4])
	err = a.writeControl(ctx, p, org, avro.Control{Kind: salesforce.AskBackfill, ID: id, Backfill: &opts.Ask}, id)
	if err != nil {
		return b, err
	}
	f := &follower{app: a, platform: p, org: org, id: id, seen: opts.Seen}
	if b, err = f.taken(ctx); err != nil || b.ID != "" && !opts.Wait {
		return b, err
	}
	if b.ID == "" {
		return f.alone(ctx)
	}
	return f.until(ctx, salesforce.BackfillState.Over)
}

// SteerBackfill pauses, resumes or cancels a backfill, and waits until its producer has followed.
func (a *App) SteerBackfill(ctx context.Context, alias, kind, id string) (salesforce.Backfill, error) {
	var b salesforce.Backfill
	org, p, err := a.about(ctx, alias)
	if err != nil {
		return b, err
	}
	defer p.close()
	all, err := p.backfills(ctx, org)
	if err != nil {
		return b, err
	}
	at := slices.IndexFunc(all, func(b salesforce.Backfill) bool { return b.ID == id })
	if at < 0 {
		return b, fmt.Errorf("org %q has no backfill %q; 'crosswalk backfill list' names them", orgName(org), id)
	}
	if b = all[at]; b.State.Over() {
		return b, fmt.Errorf("backfill %s is %s already: nothing is left to %s", id, b.State, kind)
	}
	asked := max(time.Now().UnixMilli(), b.SteeredAt.UnixMilli()+1)
	err = a.writeControl(ctx, p, org, avro.Control{Kind: kind, ID: kind + "-" + rand.Text(), RequestedAt: asked, Task: &id}, id)
	if err != nil {
		return b, err
	}
	f := &follower{app: a, platform: p, org: org, id: id}
	waiting, cancel := context.WithTimeoutCause(ctx, takenWithin, errWaited)
	defer cancel()
	followed, err := f.follow(waiting, func(b *salesforce.Backfill) bool { return b.SteeredAt.UnixMilli() >= asked || b.State.Over() })
	if errors.Is(err, errWaited) {
		return b, nil // recorded: the next producer to run follows
	}
	return followed, err
}

// Backfills are those that the org's producers know of, oldest first.
func (a *App) Backfills(ctx context.Context, alias string) ([]salesforce.Backfill, error) {
	org, p, err := a.about(ctx, alias)
	if err != nil {
		return nil, err
	}
	defer p.close()
	return p.backfills(ctx, org)
}

// backfills reads what crosswalk.position keeps of them.
func (p *platform) backfills(ctx context.Context, org *config.Org) ([]salesforce.Backfill, error) {
	name := topicName(org, "crosswalk.position")
	exists, err := p.kafka.Exists(ctx, name)
	if err != nil || !exists {
		return nil, err
	}
	prefix, last := orgName(org)+"/"+salesforce.BackfillSource, map[string][]byte{}
	_, err = p.kafka.ReadAll(ctx, []string{name}, func(r topic.Record) error {
		if r.Value != nil && strings.HasPrefix(string(r.Key), prefix) {
			last[string(r.Key)] = slices.Clone(r.Value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []salesforce.Backfill
	for _, value := range last {
		id, body, err := avro.Unframe(value)
		if err != nil {
			return nil, err
		}
		text, err := p.registry.Schema(ctx, id)
		if err != nil {
			return nil, err
		}
		position, err := avro.DecodePosition(text, body)
		if err != nil {
			return nil, err
		}
		b, err := salesforce.ReadBackfill(&position)
		if err != nil {
			return nil, err
		}
		out = append(out, *b)
	}
	slices.SortFunc(out, func(x, y salesforce.Backfill) int {
		return cmp.Or(x.RequestedAt.Compare(y.RequestedAt), cmp.Compare(x.ID, y.ID))
	})
	return out, nil
}

// writeControl writes down what is asked for. name is what of the org it is about.
func (a *App) writeControl(ctx context.Context, p *platform, org *config.Org, c avro.Control, name string) error {
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
	c.Org, c.RequestedAt, c.RequestedBy, c.Detail = org.Alias, cmp.Or(c.RequestedAt, time.Now().UnixMilli()), requester(), map[string]string{}
	value, err := c.Append(avro.Frame(nil, schema))
	if err != nil {
		return err
	}
	writer, err := p.kafka.NewWriter(ctx, topic.WriterConfig{Task: "control/" + orgName(org), Topics: []string{control}})
	if err != nil {
		return err
	}
	defer writer.Close()
	key := salesforce.ControlKey(org.Alias, c.Kind, name)
	err = writer.Write(ctx, topic.Record{Topic: control, Key: []byte(key), Value: value})
	if errors.Is(err, topic.ErrFenced) {
		return errors.New("somebody else asked something of this org at the same time; ask again")
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", control, err)
	}
	return nil
}
