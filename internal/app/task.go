package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/config"
	"crosswalk/internal/topic"
	"crosswalk/producers/erp"
	"crosswalk/producers/salesforce"
)

// group is the consumer group by which the processes of a deployment share the tasks.
const group = "crosswalk"

// task is one component of one org: at any moment one process runs it.
type task struct {
	name string
	run  func(ctx context.Context) error
}

// tasks makes those of an org that are named and configured.
func (a *App) tasks(p *platform, org *config.Org, names []string) ([]task, error) {
	var out []task
	if slices.Contains(names, Salesforce) && org.Salesforce.Auth.Flow != "" {
		t, err := a.salesforceTask(p, org)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	if slices.Contains(names, ERP) && erp.Runs(org.ERP) {
		t, err := a.erpTask(p, org)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	if slices.Contains(names, Matcher) {
		t, err := a.matcherTask(p, org)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func (a *App) salesforceTask(p *platform, org *config.Org) (task, error) {
	client, tokens, err := a.client(org)
	if err != nil {
		return task{}, err
	}
	s := org.Salesforce
	producer, err := salesforce.New(salesforce.Config{
		Org: org.Alias, Client: client, Tokens: tokens, StreamingURL: s.StreamingURL, Kafka: p.kafka, Registry: p.registry,
		StateDir: a.stateDir(org, Salesforce), LinkField: org.Link.SalesforceField,
		Notes:      salesforce.Notes{Objects: s.Notes.Objects, Every: s.Notes.PollInterval},
		Partitions: a.cfg.Kafka.Partitions, Replication: a.cfg.Kafka.Replication, SilenceLimit: s.SilenceLimit,
		PollEvery: s.PollInterval, SweepEvery: orOff(s.SweepInterval), RefreshEvery: orOff(s.RefreshInterval),
		Logger: a.log, Metrics: a.orgMetrics(org).salesforce, StateMetrics: a.parts.state,
	})
	if err != nil {
		return task{}, err
	}
	a.reports(org, Salesforce, func() any { return producer.Status() })
	return task{name: producer.Task(), run: producer.Run}, nil
}

// orOff is an interval as the producer takes it: negative when it is configured as 0, for never.
func orOff(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	if *d == 0 {
		return -1
	}
	return *d
}

func (a *App) matcherTask(p *platform, org *config.Org) (task, error) {
	cfg := matcher.Config{
		Org: org.Alias, Kafka: p.kafka, Registry: p.registry, StateDir: a.stateDir(org, Matcher), OrphanGrace: *org.OrphanGrace,
		ERPDeletedField: org.ERPDeletedField, ViewMaxBytes: org.ViewMaxBytes, Partitions: a.cfg.Kafka.Partitions,
		Replication: a.cfg.Kafka.Replication, Compression: a.compression(), Logger: a.log, Metrics: a.parts.matcher, StateMetrics: a.parts.state,
	}
	if org.Link.Set() {
		l := linkOf(org.Link)
		cfg.Link = &l
	}
	m, err := matcher.New(cfg)
	if err != nil {
		return task{}, err
	}
	a.reports(org, Matcher, func() any { return m.Status() })
	return task{name: m.Task(), run: m.Run}, nil
}

// runTasks runs the tasks until ctx ends. On the embedded broker this process is the only one; on a real Kafka the group
// decides which process runs which, and moves a task when its process dies.
func (a *App) runTasks(ctx context.Context, p *platform, tasks []task) error {
	if len(tasks) == 0 {
		<-ctx.Done() // the console alone
		return nil
	}
	if p.endpoints.Embedded {
		g, ctx := errgroup.WithContext(ctx)
		for _, t := range tasks {
			g.Go(func() error { return a.runTask(ctx, t) })
		}
		return g.Wait()
	}
	byName := map[string]task{}
	var names []string
	for _, t := range tasks {
		byName[t.name] = t
		names = append(names, t.name)
	}
	return p.kafka.RunTasks(ctx, topic.TasksConfig{Group: group, Tasks: names, Session: a.cfg.Kafka.SessionTimeout, Failed: a.taskFailed},
		func(ctx context.Context, name string) error { return a.runTask(ctx, byName[name]) })
}

// runTask runs a task and notes for the status that it does.
func (a *App) runTask(ctx context.Context, t task) error {
	a.mu.Lock()
	a.running[t.name] = time.Now().UTC()
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.running, t.name)
		a.mu.Unlock()
	}()
	return t.run(ctx)
}

// taskFailed decides what becomes of a task that ended with an error while it was owned. With one org the process ends,
// so that whoever started it sees why; with several the others go on and this one is tried again.
func (a *App) taskFailed(name string, err error) error {
	if len(a.cfg.Orgs) > 1 || errors.Is(err, topic.ErrFenced) || errors.Is(err, topic.ErrLeaseLost) {
		a.log.Error("a task failed and is started again", "task", name, "error", err)
		return nil
	}
	return err
}
