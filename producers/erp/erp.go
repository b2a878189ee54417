// Package erp publishes the customers of an ERP to erp.customer, wherever they come from: files, a watched folder, HTTP, a
// PostgreSQL query, a topic.
//
// All of them go one way. A source's row is read (package rows) and becomes a customer by the source's mapping (package
// mapping); a job reads the source once to know its keys and faults and once more to publish; the publisher's session, which is the
// one writer of the org's topic, sends what differs from what the topic holds, and a full list deletes what it does not name. A row
// that cannot be taken is rejected with line, column and reason; the rest goes on.
//
// The topic itself is the state: whoever takes it over reads it first, under a new epoch, so that two writers cannot mix. DESIGN.md
// says what is guaranteed and how.
//
// Metrics:
//
//	crosswalk_erp_rows_total                      rows that were read, rejected ones included
//	crosswalk_erp_published_total                 customers published because they are new or changed
//	crosswalk_erp_unchanged_total                 customers not published because the topic holds them already
//	crosswalk_erp_deleted_total                   customers deleted
//	crosswalk_erp_rejected_total                  rows that could not be taken
//	crosswalk_erp_files_total{outcome}            files of watched folders: done, rejected
//	crosswalk_erp_requests_total{status}          pushes by HTTP, by the class of the answer: 2xx, 4xx, 5xx
//	crosswalk_erp_source_failures_total{kind}     attempts of a source (file, folder, postgres, topic) that failed and are made again
//	crosswalk_erp_positions_lost_total            stored positions that were of no use: their sources are read from their beginnings
//	crosswalk_erp_takeovers_total                 times that this process became the writer of an org's topic
//	crosswalk_erp_last_import_timestamp_seconds   when the last import ended well
package erp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"crosswalk/internal/config"
	"crosswalk/internal/registry"
	"crosswalk/internal/retry"
	"crosswalk/internal/topic"
)

// The names of what is written, without the org's prefix.
const (
	Topic           = "erp.customer"
	positionTopic   = "crosswalk.position"
	deadLetterTopic = "crosswalk.deadletter"
)

// Config says where customers are published.
type Config struct {
	Org      string // alias, may be empty; it prefixes the topics
	Kafka    *topic.Client
	Registry *registry.Client
	Writer   topic.WriterConfig // compression; task and topics are set here
	// Partitions and Replication of the topics when they have to be made; 0 is the cluster's default.
	Partitions, Replication int
	// Quiet is how long the topic must be still before it is taken back from another writer; default 2 s, longer after each loss.
	Quiet   time.Duration
	Logger  *slog.Logger
	Metrics *Metrics
}

// org is what the org is called in keys, headers and logs.
func (c *Config) org() string { return topic.OrgName(c.Org) }

// topics are the names of what is written.
func (c *Config) topics() topics {
	name := func(t string) string { return topic.Name(c.Org, t) }
	return topics{customer: name(Topic), position: name(positionTopic), deadletter: name(deadLetterTopic)}
}

// Producer is the ERP task of an org: it serves all sources that have something to run.
type Producer struct {
	cfg       Config
	publisher *publisher
	feeds     []feed

	mu     sync.Mutex
	states map[string]*State // by source
	news   chan struct{}     // closed and made anew when a state changes
}

// feed is a source that is served until ctx ends.
type feed interface {
	Run(ctx context.Context) error
}

// State is what a source says of itself.
type State struct {
	Kind    string    `json:"kind"`              // file, folder, push, postgres, topic
	Address string    `json:"address,omitempty"` // where customers can be pushed
	Last    time.Time `json:"last,omitzero"`     // when something was published, or found unchanged
	Result  Result    `json:"result"`            // of the last job that ended well
	Error   string    `json:"error,omitempty"`   // why the last job failed, until one ends well
	Failing time.Time `json:"failing_since,omitzero"`
}

// New makes the task of an org's sources. It starts nothing. Runs reports whether there is anything to run.
func New(cfg Config, erp config.ERP) (*Producer, error) {
	p := &Producer{cfg: cfg, states: map[string]*State{}, news: make(chan struct{})}
	p.publisher = newPublisher(&p.cfg, true)
	var pushed []config.ERPSource
	for _, s := range erp.Sources {
		switch {
		case s.Path != "":
			p.add(s.Name, "file", &file{p: p, source: s})
		case s.Folder.Path != "":
			p.add(s.Name, "folder", &folder{p: p, source: s})
		case s.Token != "":
			p.add(s.Name, "push", nil)
			pushed = append(pushed, s)
		case s.Postgres.URL != "":
			f, err := newQuery(p, s)
			if err != nil {
				return nil, err
			}
			p.add(s.Name, "postgres", f)
		case s.Topic.Name != "":
			p.add(s.Name, "topic", &follower{p: p, source: s})
		}
	}
	if len(pushed) > 0 {
		p.feeds = append(p.feeds, &push{p: p, cfg: erp.Push, sources: pushed})
	}
	return p, nil
}

func (p *Producer) add(source, kind string, f feed) {
	p.states[source] = &State{Kind: kind}
	if f != nil {
		p.feeds = append(p.feeds, f)
	}
}

// Runs reports whether a configuration has a source that runs by itself.
func Runs(erp config.ERP) bool {
	return slices.ContainsFunc(erp.Sources, func(s config.ERPSource) bool {
		return s.Path != "" || s.Folder.Path != "" || s.Token != "" || s.Postgres.URL != "" || s.Topic.Name != ""
	})
}

// Run serves the sources until ctx ends or one fails for good: a configured file that cannot be imported, an address that
// is taken, a lease that is lost.
func (p *Producer) Run(ctx context.Context) error {
	defer p.publisher.close()
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range p.feeds {
		g.Go(func() error { return f.Run(ctx) })
	}
	return g.Wait()
}

// Status tells how the sources do, by their names.
func (p *Producer) Status() map[string]State {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]State, len(p.states))
	for name, s := range p.states {
		out[name] = *s
	}
	return out
}

// Await waits until the sources are as the caller wants them, or ctx ends.
func (p *Producer) Await(ctx context.Context, fits func(map[string]State) bool) error {
	for {
		p.mu.Lock()
		news := p.news
		p.mu.Unlock()
		if fits(p.Status()) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("wait for ERP sources: %w", context.Cause(ctx))
		}
	}
}

// changed wakes those who wait; p.mu is held.
func (p *Producer) changed() {
	close(p.news)
	p.news = make(chan struct{})
}

// report notes how a job of a source ended. It logs when a source begins to fail and when it is well again, not each time between.
func (p *Producer) report(source string, r Result, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.changed()
	s := p.states[source]
	now := time.Now()
	if err != nil {
		p.cfg.Metrics.failures.WithLabelValues(s.Kind).Inc()
		if s.Error != err.Error() {
			p.cfg.Logger.Error("an ERP source failed and is tried again", "org", p.cfg.org(), "source", source, "kind", s.Kind, "error", err)
		}
		if s.Failing.IsZero() {
			s.Failing = now
		}
		s.Error = err.Error()
		return
	}
	if !s.Failing.IsZero() {
		p.cfg.Logger.Info("an ERP source is well again", "org", p.cfg.org(), "source", source, "kind", s.Kind, "failed_for", now.Sub(s.Failing).Round(time.Second))
	}
	s.Last, s.Result, s.Error, s.Failing = now, r, "", time.Time{}
}

// repeat does a source's work again and again: every so often while it goes well, with growing pauses while it fails.
func (p *Producer) repeat(ctx context.Context, every time.Duration, do func(context.Context) error) error {
	backoff := retry.Backoff{First: time.Second, Max: time.Minute}
	for failures := 0; ; {
		err := do(ctx)
		wait := every
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, topic.ErrLeaseLost):
			return err
		case err != nil:
			failures++
			wait = max(backoff.Wait(failures), min(every, time.Minute))
		default:
			failures = 0
		}
		if retry.Sleep(ctx, wait) != nil {
			return nil
		}
	}
}

// logResult says what a file or a full comparison did.
func (p *Producer) logResult(source, name string, r Result) {
	if r.Rejected > 0 || r.DeletesWithheld != "" {
		p.cfg.Logger.Warn("ERP rows were rejected", "org", p.cfg.org(), "source", source, "file", name, "rejected", r.Rejected,
			"rejects_file", r.RejectsFile, "deletes_withheld", r.DeletesWithheld)
	}
	if r.Guessed {
		p.cfg.Logger.Warn("the file was taken as Windows-1252 by the look of its bytes; set encoding to be sure", "org", p.cfg.org(), "source", source, "file", name)
	}
	p.cfg.Logger.Info("ERP customers imported", "org", p.cfg.org(), "source", source, "file", name,
		"rows", r.Rows, "published", r.Published, "unchanged", r.Unchanged, "deleted", r.Deleted)
}

// run does a job with the session that all sources share.
func (p *publisher) run(ctx context.Context, j *job) error {
	if err := j.survey(ctx); err != nil {
		return err
	}
	if err := p.do(ctx, j.run); err != nil {
		return fmt.Errorf("import from source %q: %w", j.source.Name, err)
	}
	return nil
}
