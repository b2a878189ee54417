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
	Preset         string // a mapping that comes with Crosswalk; no source of the configuration is needed then
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
	source, err := findSource(org, opts)
	if err != nil {
		return erp.Result{}, err
	}
	if opts.Mode != "" {
		source.Mode = opts.Mode
	}
	if opts.MaxDeleteShare > 1 {
		return erp.Result{}, UsageError{fmt.Errorf("--max-delete-share is %v; give a share from 0 to 1", opts.MaxDeleteShare)}
	}
	if opts.MaxDeleteShare >= 0 {
		source.MaxDeleteShare = &opts.MaxDeleteShare
	}
	p, err := a.asking(ctx)
	if err != nil {
		return erp.Result{}, err
	}
	defer p.close()
	return a.importFile(ctx, p, org, erp.Import{Path: opts.File, Source: source, RejectsPath: opts.RejectsFile, Progress: opts.Progress})
}

func (a *App) importFile(ctx context.Context, p *platform, org *config.Org, im erp.Import) (erp.Result, error) {
	result, err := erp.ImportFile(ctx, a.erpConfig(p, org), im)
	if err == nil && (result.Rejected > 0 || result.DeletesWithheld != "") {
		err = ErrRejects
	}
	return result, err
}

// erpConfig says where an org's customers are published.
func (a *App) erpConfig(p *platform, org *config.Org) erp.Config {
	return erp.Config{
		Org: org.Alias, Kafka: p.kafka, Registry: p.registry, Writer: topic.WriterConfig{Compression: a.compression()},
		Partitions: a.cfg.Kafka.Partitions, Replication: a.cfg.Kafka.Replication, Logger: a.log, Metrics: a.parts.erp,
	}
}

// erpTask is the task that serves an org's ERP sources.
func (a *App) erpTask(p *platform, org *config.Org) (task, error) {
	producer, err := erp.New(a.erpConfig(p, org), org.ERP)
	if err != nil {
		return task{}, err
	}
	a.reports(org, ERP, func() any { return producer.Status() })
	return task{name: "erp/" + orgName(org), run: producer.Run}, nil
}

// compression is the configured one.
func (a *App) compression() topic.Compression {
	return map[string]topic.Compression{
		"gzip": topic.Gzip, "snappy": topic.Snappy, "lz4": topic.Lz4, "zstd": topic.Zstd,
	}[a.cfg.Kafka.Compression]
}

// findSource is the source that the options name. With a preset there need be none: it is then named for the preset.
func findSource(org *config.Org, opts ImportOptions) (config.ERPSource, error) {
	source, err := configured(org, opts.Source)
	if opts.Preset == "" {
		return source, err
	}
	if err != nil {
		if opts.Source != "" || len(org.ERP.Sources) > 1 {
			return source, err
		}
		source = config.ERPSource{Name: opts.Preset}
		source.Fill()
	}
	source.Preset = opts.Preset
	return source, nil
}

// configured finds a source by its name, or the only one.
func configured(org *config.Org, name string) (config.ERPSource, error) {
	sources := org.ERP.Sources
	if len(sources) == 0 {
		return config.ERPSource{}, UsageError{fmt.Errorf("org %q has no ERP source; add orgs[].erp.sources[] with the columns of the file (see deploy/example/crosswalk.yaml), or give --preset", orgName(org))}
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
	if name == "" {
		return config.ERPSource{}, UsageError{fmt.Errorf("org %q has several ERP sources; give --source with one of: %s", orgName(org), strings.Join(names, ", "))}
	}
	return config.ERPSource{}, UsageError{fmt.Errorf("no ERP source %q; give --source with one of: %s", name, strings.Join(names, ", "))}
}
