package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/config"
	"crosswalk/internal/retry"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
	"crosswalk/producers/erp"
	"crosswalk/producers/salesforce"
)

// task is one component of one org: at any moment one process runs it.
type task struct {
	name string
	run  func(ctx context.Context) error

	follow func(ctx context.Context) error // stands by for the process that runs it; nil when nothing is gained by that
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
		StateDir: a.stateDir(org, Salesforce), Fields: chosen(s.Fields), LinkField: org.Link.SalesforceField,
		Notes:      salesforce.Notes{Objects: s.Notes.Objects, Every: s.Notes.PollInterval, CompareEvery: s.Notes.CompareInterval},
		Partitions: a.cfg.Kafka.Partitions, Replication: a.cfg.Kafka.Replication, SilenceLimit: s.SilenceLimit, APIReserve: s.APIReserve,
		PollEvery: s.PollInterval, SweepEvery: orOff(s.SweepInterval), RefreshEvery: orOff(s.RefreshInterval),
		Logger: a.log, Metrics: a.orgMetrics(org).salesforce, StateMetrics: a.parts.state,
	})
	if err != nil {
		return task{}, err
	}
	place, err := a.askApproval(p, org, tokens)
	if err != nil {
		return task{}, err
	}
	a.reports(org, Salesforce, func() any {
		status := producer.Status()
		if place != nil && place.Status().Awaited {
			status.Phase = awaitingApproval
		}
		return status
	})
	return task{name: producer.Task(), run: func(ctx context.Context) error {
		defer tokens.Settle()
		return runApproved(ctx, place, tokens, producer.Run)
	}}, nil
}

// chosen is the choice of fields as the producer takes it.
func chosen(f config.Fields) map[string]sfapi.Selection {
	return map[string]sfapi.Selection{
		"Account": {Include: f.Account.Include, Exclude: f.Account.Exclude},
		"Contact": {Include: f.Contact.Include, Exclude: f.Contact.Exclude},
	}
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
		Memory: int64(a.cfg.Matcher.MemoryLimitMB) << 20,
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
	return task{name: m.Task(), run: m.Run, follow: m.Follow}, nil
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
			g.Go(func() error { return a.keepTask(ctx, t) })
		}
		return g.Wait()
	}
	byName := map[string]task{}
	c := topic.TasksConfig{
		Group: a.cfg.Kafka.Group, Session: a.cfg.Kafka.SessionTimeout, Failed: a.taskFailed, Standbys: *a.cfg.Matcher.Standbys,
		Follow: func(ctx context.Context, name string) error { return byName[name].follow(ctx) },
	}
	for _, t := range tasks {
		byName[t.name] = t
		c.Tasks = append(c.Tasks, t.name)
		if t.follow != nil {
			c.Followable = append(c.Followable, t.name)
		}
	}
	return p.kafka.RunTasks(ctx, c,
		func(ctx context.Context, name string) error { return a.runTask(ctx, byName[name]) })
}

// keepTask runs a task again when it fails, as the group does on a real Kafka.
func (a *App) keepTask(ctx context.Context, t task) error {
	pauses := retry.Backoff{First: 200 * time.Millisecond, Max: 30 * time.Second}
	for failures := 1; ; failures++ {
		begun := time.Now()
		err := a.runTask(ctx, t)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := a.taskFailed(t.name, err); err != nil {
			return err
		}
		if time.Since(begun) > time.Minute {
			failures = 1
		}
		if retry.Sleep(ctx, pauses.Wait(failures)) != nil {
			return nil
		}
	}
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
