package app

import (
	"context"

	"crosswalk/producers/salesforce"
)

// defaultReserve is the share of the org's daily calls that is left to its other apps unless configured.
const defaultReserve = 0.2

// EstimateBackfill says what a backfill would cost. It asks Salesforce for counts, and changes nothing.
func (a *App) EstimateBackfill(ctx context.Context, opts BackfillOptions) (salesforce.Bill, error) {
	org, err := a.org(opts.Org)
	if err != nil {
		return salesforce.Bill{}, err
	}
	client, _, err := a.client(org)
	if err != nil {
		return salesforce.Bill{}, err
	}
	return salesforce.EstimateBackfill(ctx, client, &opts.Ask, org.Salesforce.BulkPageRows, defaultReserve)
}
