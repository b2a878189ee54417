package app

import (
	"context"
	"fmt"
	"strings"

	"crosswalk/internal/config"
	"crosswalk/internal/topic"
	"crosswalk/producers/erp"
)

// ImportOptions say which file is imported how. Empty ones take what the configuration says.
type ImportOptions struct {
	File           string
	Org, Source    string // needed only with several
	Mode           string // full, delta
	RejectsFile    string
	MaxDeleteShare float64 // negative: the configuration's
	Progress       func(total, done int64)
}

// Import publishes the customers of one file. The error is ErrRejects when rows were rejected and the rest is published.
func (a *App) Import(ctx context.Context, opts ImportOptions) (erp.Result, error) {
	org, err := a.org(opts.Org)
	if err != nil {
		return erp.Result{}, err
	}
	source, err := findSource(org, opts.Source)
	if err != nil {
		return erp.Result{}, err
	}
	if opts.Mode != "" {
		source.Mode = opts.Mode
	}
	if opts.MaxDeleteShare > 1 {
		return erp.Result{}, fmt.Errorf("--max-delete-share is %v; give a share from 0 to 1", opts.MaxDeleteShare)
	}
	if opts.MaxDeleteShare >= 0 {
		source.MaxDeleteShare = opts.MaxDeleteShare
	}
	p, err := a.asking(ctx)
	if err != nil {
		return erp.Result{}, err
	}
	defer p.close()
	return a.importFile(ctx, p, org, erp.Import{Path: opts.File, Source: source, RejectsPath: opts.RejectsFile}, opts.Progress)
}

func (a *App) importFile(ctx context.Context, p *platform, org *config.Org, im erp.Import, progress func(total, done int64)) (erp.Result, error) {
	result, err := erp.Run(ctx, erp.Config{
		Org: org.Alias, Topic: topicName(org, erp.Topic), Kafka: p.kafka, Registry: p.registry, Writer: topic.WriterConfig{Compression: a.compression()},
		Partitions: a.cfg.Kafka.Partitions, Replication: a.cfg.Kafka.Replication, Logger: a.log, Metrics: a.parts.erp, Progress: progress,
	}, im)
	if err == nil && (result.Rejected > 0 || result.DeletesWithheld != "") {
		err = ErrRejects
	}
	return result, err
}

// compression is the configured one.
func (a *App) compression() topic.Compression {
	return map[string]topic.Compression{
		"gzip": topic.Gzip, "snappy": topic.Snappy, "lz4": topic.Lz4, "zstd": topic.Zstd,
	}[a.cfg.Kafka.Compression]
}

func findSource(org *config.Org, name string) (config.ERPSource, error) {
	sources := org.ERP.Sources
	if len(sources) == 0 {
		return config.ERPSource{}, fmt.Errorf("org %q has no ERP source; add orgs[].erp.sources[] with the columns of the file, see deploy/example/crosswalk.yaml", org.Alias)
	}
	if name == "" && len(sources) == 1 {
		return sources[0], nil
	}
	var names []string
	for _, s := range sources {
		if s.Name == name && name != "" {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return config.ERPSource{}, fmt.Errorf("no ERP source %q; give --source with one of: %s", name, strings.Join(names, ", "))
}

// files is the ERP component: it imports the sources that have a path, once, at start.
type files struct {
	app      *App
	platform *platform
	org      *config.Org
}

// Run imports and then waits, so that the process goes on.
func (f *files) Run(ctx context.Context) error {
	for _, source := range f.org.ERP.Sources {
		if source.Path == "" {
			continue
		}
		result, err := f.app.importFile(ctx, f.platform, f.org, erp.Import{Path: source.Path, Source: source}, nil)
		switch {
		case err == ErrRejects:
			f.app.log.Warn("ERP rows were rejected", "org", f.org.Alias, "source", source.Name, "file", source.Path, "rejected", result.Rejected, "rejects_file", result.RejectsFile)
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("import ERP source %q: %w", source.Name, err)
		}
		f.app.log.Info("ERP file imported", "org", f.org.Alias, "source", source.Name, "published", result.Published, "unchanged", result.Unchanged, "deleted", result.Deleted)
	}
	<-ctx.Done()
	return nil
}
