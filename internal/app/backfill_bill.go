package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"crosswalk/internal/avro"
	"crosswalk/internal/config"
	"crosswalk/internal/topic"
	"crosswalk/producers/salesforce"
)

// EstimateBackfill says what a backfill would cost. It asks Salesforce for counts and a few rows, looks how long former reads
// took, and changes nothing.
func (a *App) EstimateBackfill(ctx context.Context, opts BackfillOptions) (salesforce.Bill, error) {
	org, err := a.org(opts.Org)
	if err != nil {
		return salesforce.Bill{}, err
	}
	client, tokens, err := a.client(org)
	if err != nil {
		return salesforce.Bill{}, err
	}
	defer tokens.Settle()
	rates, err := a.rates(ctx, org)
	if err != nil { // the bill stands without, and says that its rates are assumed
		a.log.Warn("how fast was read before cannot be looked up", "error", err)
	}
	s := org.Salesforce
	return salesforce.EstimateBackfill(ctx, client, &opts.Ask, salesforce.Terms{
		PageRows: s.BulkPageRows, Reserve: *s.APIReserve, Fields: chosen(s.Fields), Rates: rates,
	})
}

// rates are what former snapshots and backfills of the org took.
func (a *App) rates(ctx context.Context, org *config.Org) (r salesforce.Rates, err error) {
	if _, err := os.Stat(filepath.Join(a.cfg.DataDir, "kafka")); err != nil && len(a.cfg.Kafka.Brokers) == 0 {
		return r, nil // nothing was ever read here
	}
	p, err := a.asking(ctx)
	if err != nil {
		return r, err
	}
	defer p.close()
	all, err := p.knownBackfills(ctx, org)
	if err != nil {
		return r, err
	}
	for i := range all {
		r.AddBackfill(&all[i])
	}
	return r, p.audits(ctx, org, func(event *avro.Audit) { r.AddAudit(event) })
}

// audits reads the audit events of an org, but for those that cannot be read: the rates are known without them.
func (p *platform) audits(ctx context.Context, org *config.Org, fn func(*avro.Audit)) error {
	name := topicName(org, "crosswalk.audit")
	exists, err := p.kafka.Exists(ctx, name)
	if err != nil || !exists {
		return err
	}
	_, err = p.kafka.ReadAll(ctx, []string{name}, func(r topic.Record) error {
		if r.Value == nil {
			return nil
		}
		event, err := readRecord(ctx, p, r.Value, avro.DecodeAudit)
		if isUnreadable(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		fn(&event)
		return nil
	})
	return err
}
